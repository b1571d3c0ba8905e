"""A search kept in SQLite: it goes on with the trial it was stopped in."""

import pytest
from rich.console import Console
from tests.fixtures.runs import small

from terrashot.app.sweep.search import run_search
from terrashot.errors import ConfigError

optuna = pytest.importorskip("optuna")


@pytest.fixture
def search(run_here, trained, tiny_root, tmp_path):
    def run(trials, *overrides):
        fixed = [
            *small(tiny_root, ["experiment=stage2"]), f"paths.logs={tmp_path / 'logs'}",
            "experiment=stage2", f"checkpoint={trained / 'stage1' / 'latest'}", "logger=csv",
            "method=classtrans", "adaptation.panels=0", "solver.iterations=2", "seed=0,1",
            "solver.lr=tag(log,interval(1e-5,1e-3))", *overrides,
        ]  # fmt: skip
        storage = tmp_path / "study.db"
        return run_search(run_here.configs, fixed, trials, storage, "lr", Console(quiet=True))

    return run


METRIC = "optimized_metric=test/weighted_miou"


@pytest.mark.slow
def test_a_stopped_search_goes_on_and_counts_what_is_done(search, tmp_path, monkeypatch):
    from terrashot.adaptation.methods.gradient import GradientMethod

    adapted = []
    original = GradientMethod.adapt_together

    def stop_once(self, *arguments, **named):
        adapted.append(1)
        if len(adapted) == 8:
            raise KeyboardInterrupt
        return original(self, *arguments, **named)

    monkeypatch.setattr(GradientMethod, "adapt_together", stop_once)
    # A trial is 2 seeds x 5 queries in 2 passes: the second one is cut off in its second job.
    with pytest.raises(BaseException):  # noqa: B017, PT011 - Lightning makes of it what it likes
        search(3, METRIC)
    study = search(3, METRIC)
    states = [trial.state.name for trial in study.get_trials()]
    assert states.count("COMPLETE") == 3
    assert len(adapted) == 3 * 4 + 1  # only the pass that was cut off is done twice
    second, again = study.get_trials()[1:3]
    assert (second.state.name, second.params) == ("FAIL", again.params)
    assert all(len(t.user_attrs["values"]) == 2 for t in study.get_trials() if t.value is not None)
    assert len(adapted) == 13
    assert search(3, METRIC).best_value == study.best_value
    assert len(adapted) == 13


def test_a_search_without_a_metric_is_refused(search):
    with pytest.raises(ConfigError, match="optimized_metric=NAME"):
        search(1)
