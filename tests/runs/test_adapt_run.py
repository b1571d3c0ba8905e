import json

import pytest
import torch

from terrashot.model.adapted_file import load_adapted_model


def results_of(logs, experiment="adapt"):
    return json.loads((logs / experiment / "latest" / "results.json").read_text())


@pytest.fixture
def run(run_here, trained, tmp_path):
    """Run an experiment on the trained network; returns the logs folder."""

    def run(*overrides, experiment="adapt", code=0):
        logs = tmp_path / "logs"
        checkpoint = f"checkpoint={trained / 'stage1' / 'latest'}"
        given = [f"experiment={experiment}", checkpoint, "logger=csv", "adaptation.panels=0"]
        assert run_here(logs, *given, *overrides) == code
        return logs

    return run


def test_an_inductive_method_maps_from_its_file_as_it_does_query_by_query(run):
    per_query = results_of(run(experiment="stage2"), "stage2")
    logs = run("adapt.calibrate=true")
    once = results_of(logs)
    assert once["confusion"] == per_query["confusion"]
    assert once["protocol"] == "adapt once"
    assert once["metrics"]["test/novel_miou"] > 0.05
    model = load_adapted_model(logs / "adapt" / "latest")
    info = model.provenance
    assert (info["method"], info["diverged"]) == ("terrashot", False)
    assert [len(names) for names in info["support"].values()] == [2, 2, 2, 2]
    assert info["stage1"]["name"].endswith("checkpoints/best.ckpt")
    assert len(info["stage1"]["sha256"]) == 64
    assert model.inference.flips == "hv"
    found = once["calibration"]
    assert model.calibration.temperature == found["temperature"]
    assert found["how"] == "8 support tiles, each left out once"
    pixels = sum(map(sum, once["confusion"]))
    assert sum(row[0] for row in found["plain"]["bins"]) == pixels
    assert sum(row[0] for row in found["calibrated"]["bins"]) == pixels
    assert set(per_query["calibration"]) == {"plain"}  # a head a query has no temperature
    assert per_query["calibration"]["plain"] == found["plain"]


def test_every_method_is_inductive_by_default_and_keeps_its_transition(run):
    logs = run("method=classtrans", "solver.iterations=20")
    model = load_adapted_model(logs / "adapt" / "latest")
    assert model.description["transition"]["name"] == "rank_one"
    assert model.head.own_layer_scale.abs().max() > 0
    assert (logs / "adapt" / "latest" / "figures" / "similarity.png").is_file()
    probabilities = model(torch.rand(1, 3, 64, 64))
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(1, 64, 64))


def test_the_head_that_learns_from_all_queries_is_the_one_that_maps_each_of_them(run):
    joint = results_of(run("method=terrashot_joint", experiment="stage2"), "stage2")
    logs = run("input=queries")
    once = results_of(logs)
    assert once["confusion"] == joint["confusion"]
    assert [joint["protocol"], once["protocol"]] == ["joint", "adapt once"]
    assert load_adapted_model(logs / "adapt" / "latest").provenance["method"] == "terrashot_joint"


def test_a_head_learns_from_unlabelled_tiles_together(run, tiny_root):
    options = ["method=diam", "solver.iterations=30", "adapt.evaluate=false"]
    alone = load_adapted_model(run(*options) / "adapt" / "latest")
    images = f"{tiny_root}/testset/images/query_*.tif"
    for given in ["queries", f"'{images}'"]:
        pooled = ["transduction=diam", f"input={given}", "adapt.pixels=500", "adapt.sample=4"]
        together = load_adapted_model(run(*options, *pooled) / "adapt" / "latest")
        assert not torch.allclose(alone.head.rows, together.head.rows, atol=1e-3)
        assert together.provenance["scenes"] == given.strip("'")


def test_without_scores_there_is_a_file_and_a_word_why(run, capsys):
    logs = run("adapt.evaluate=false", "input=queries")
    assert results_of(logs)["metrics"] == {}
    assert "not scored: adapt.evaluate=false" in capsys.readouterr().out
    found = load_adapted_model(logs / "adapt" / "latest").provenance
    assert found["joint"] == {"rounds": 4, "share": 0.6, "pixels": 65536, "limit": 4.0, "seed": 0}
    assert 1 <= len(found["rounds"]) <= 4


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["transduction=classtrans"], "transduction learns from unlabelled tiles"),
        (["transduction=label_shift_em"], "transduction learns from unlabelled tiles"),
        (["adaptation.joint={rounds: 1}"], "adaptation.joint learns from unlabelled tiles"),
        (["transduction=diam", "input=no/such/*.tif"], "no such file or folder"),
        (["transduction=classtrans_paper", "input=queries"], "support_validity"),
        (["input=queries", "transduction=diam", "adapt.pixels=0"], "adapt.pixels is 0"),
        (["trainer.devices=2", "strategy=ddp"], "one head in one process"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(run, capsys, overrides, words):
    logs = run("method=classtrans", *overrides, code=1)
    assert words in " ".join(capsys.readouterr().err.split())
    assert not (logs / "adapt").exists()


def test_an_interrupted_run_goes_on_with_the_file_it_has(run, run_here, tmp_path, monkeypatch):
    from terrashot.app.main import main
    from terrashot.tasks.adapted_evaluation import AdaptedEvaluation

    def stop(*_):
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(AdaptedEvaluation, "on_test_epoch_end", stop)
        with pytest.raises(RuntimeError, match="power"):
            run("solver.iterations=3")
    monkeypatch.setattr("terrashot.model.adapt_once.adapt_once", stop)
    (folder,) = (tmp_path / "logs" / "adapt").iterdir()
    assert (folder / "adapted.ckpt").is_file()
    overrides = ["experiment=adapt", f"paths.logs={tmp_path / 'logs'}", "resume=latest"]
    assert main(run_here.configs, overrides) == 0
    assert results_of(tmp_path / "logs")["queries"] == 5
