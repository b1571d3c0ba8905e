"""What a search goes through, read from the command line."""

import pytest

from terrashot.app.sweep.search import parse_space
from terrashot.errors import ConfigError

optuna = pytest.importorskip("optuna")


def test_ranges_lists_and_repeats_are_told_apart():
    space = parse_space(
        [
            "experiment=stage2",
            "solver.lr=tag(log,interval(1e-5,1e-3))",
            "solver.iterations=interval(10,90)",
            "loss=ce,ldam",
            "data.support_draw=0,1",
            "seed=range(0,2)",
        ]
    )
    assert space.fixed == ["experiment=stage2"]
    assert space.repeats == {"data.support_draw": ["0", "1"], "seed": ["0", "1"]}
    chosen = {"solver.lr": 2e-4, "solver.iterations": 17, "loss": "ldam"}
    trial = optuna.trial.FixedTrial(chosen)
    assert {key: choose(trial) for key, choose in space.parameters.items()} == {
        "solver.lr": "0.0002",
        "solver.iterations": "17",
        "loss": "ldam",
    }
    assert trial.distributions["solver.lr"].log


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["experiment=stage2", "seed=0,1"], "nothing to choose"),
        (["seed=interval(0,3)", "loss=ce,ldam"], "list them"),
        (["loss"], "loss"),
    ],
)
def test_what_is_no_search_is_explained(arguments, said):
    with pytest.raises(ConfigError, match=said):
        parse_space(arguments)
