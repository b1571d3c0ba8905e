import json

import numpy as np
import pytest
from tests.fixtures.runs import stage2_results as results_of


def test_stage_2_learns_the_novel_classes_that_the_base_model_cannot_know(stage2):
    results = results_of(stage2())
    assert results["queries"] == 5
    assert results["base_model"]["test/novel_miou"] == 0.0
    assert results["metrics"]["test/novel_miou"] > 0.05
    kept = results["metrics"]["test/base_miou"] - results["base_model"]["test/base_miou"]
    assert kept > -0.1
    assert sum(map(sum, results["confusion"])) == 5 * 64 * 64


def test_base_only_scores_what_the_base_model_scores(stage2):
    results = results_of(stage2("method=base_only"))
    for key, value in results["base_model"].items():
        assert results["metrics"][key] == pytest.approx(value)


METHODS = [
    "terrashot_query",
    "terrashot_joint",
    "classtrans",
    "classtrans_paper",
    "diam",
    "linear",
    "partial_label",
    "ridge",
    "imprinting",
]


@pytest.mark.filterwarnings("ignore:.*diverged on this query")  # the published step on any features
@pytest.mark.parametrize("method", METHODS)
def test_every_method_runs_from_its_config(stage2, method):
    results = results_of(stage2(f"method={method}", "adaptation.feature_stride=8"))
    assert results["method"] == method
    assert results["metrics"]["test/weighted_miou"] is not None


@pytest.mark.parametrize(
    "options",
    [
        ["method=classtrans", "solver=fast", "solver.iterations=30"],
        ["method=classtrans", "adaptation.storage=bfloat16", "solver.iterations=30"],
        ["method=classtrans", "transition=full", "transduction=self_training", "loss=ce"],
        ["transduction=label_shift_em", "similarity=prototype_cosine", "loss=ldam"],
    ],
    ids=["fast", "half precision", "full transition", "label shift"],
)
def test_options_of_the_groups_go_together(stage2, options):
    assert results_of(stage2(*options))["metrics"]["test/novel_miou"] > 0.02


def test_joint_self_training_learns_from_all_queries_and_says_so(stage2, capsys):
    alone = results_of(stage2())
    joint = results_of(stage2("adaptation.joint={rounds: 1, share: 0.6}"))
    assert (alone["protocol"], joint["protocol"]) == ("per query", "joint")
    assert joint["confusion"] != alone["confusion"]
    (found,) = joint["joint"]
    assert found["pixels"] > 0
    assert sum(found["shares"].values()) == pytest.approx(1)
    with pytest.raises(AssertionError):
        stage2("adaptation.joint={turns: 1}")
    assert "rounds, share, pixels" in capsys.readouterr().err


def test_the_similarity_is_drawn(stage2):
    logs = stage2("method=classtrans", "solver.iterations=2")
    assert (logs / "stage2" / "latest" / "figures" / "similarity.png").is_file()


def test_several_queries_in_a_pass_are_each_mapped_as_if_alone(stage2):
    settings = ["method=classtrans", "solver.iterations=10", "adaptation.panels=2"]
    alone = results_of(stage2(*settings, "adaptation.queries_per_pass=1"))
    together = results_of(stage2(*settings))
    assert together["queries"] == alone["queries"]
    one, two = (np.array(r["confusion"]) for r in (alone, together))
    assert np.abs(one - two).sum() <= 1e-3 * one.sum()  # rounding may move a pixel between classes


@pytest.mark.parametrize(("method", "sizes"), [("classtrans", [4, 1]), ("terrashot", [1] * 5)])
def test_only_methods_that_learn_from_the_query_take_several_in_a_pass(
    stage2, monkeypatch, method, sizes
):
    from terrashot.adaptation.methods.gradient import GradientMethod

    passes = []
    original = GradientMethod.adapt_together

    def counted(self, queries):
        passes.append(len(queries))
        return original(self, queries)

    monkeypatch.setattr(GradientMethod, "adapt_together", counted)
    stage2(f"method={method}", "solver.iterations=2")
    assert passes == sizes


def test_an_interrupted_evaluation_goes_on_with_the_queries_that_are_left(
    stage2, run_here, monkeypatch
):
    from terrashot.adaptation.methods.gradient import GradientMethod

    logs = stage2("solver.iterations=5")
    whole = results_of(logs)
    adapted = []
    original = GradientMethod.adapt_together

    def stop_at_the_third(self, *arguments, **named):
        adapted.append(1)
        if len(adapted) == 3:
            raise RuntimeError("the power went out")
        return original(self, *arguments, **named)

    monkeypatch.setattr(GradientMethod, "adapt_together", stop_at_the_third)
    with pytest.raises(RuntimeError, match="power"):
        run_here(
            logs,
            "experiment=stage2",
            "checkpoint=" + whole["checkpoint"],
            "logger=csv",
            "solver.iterations=5",
        )
    (run,) = [
        p
        for p in (logs / "stage2").iterdir()
        if json.loads((p / "run.json").read_text())["status"] == "failed"
    ]
    assert len(list((run / "queries").glob("*.json"))) == 2

    from terrashot.app.main import main  # resume takes no other settings

    assert main(run_here.configs, ["experiment=stage2", f"paths.logs={logs}", "resume=latest"]) == 0
    assert len(adapted) == 3 + 3
    again = json.loads((run / "results.json").read_text())
    assert again["confusion"] == whole["confusion"]
    assert again["metrics"]["test/weighted_miou"] == whole["metrics"]["test/weighted_miou"]


def test_features_of_the_cache_give_the_very_same_numbers_and_read_no_image(
    run_here, trained, tmp_path, monkeypatch
):
    logs = tmp_path / "logs"
    checkpoint = f"checkpoint={trained / 'stage1' / 'latest'}"
    run = [
        "experiment=stage2",
        checkpoint,
        "logger=csv",
        "solver.iterations=5",
        "data.eval_size=80",
        "inference=plain",
    ]
    assert run_here(logs, *run, "adaptation.feature_cache=0") == 0
    without = results_of(logs)
    assert not (logs / "feature_cache").exists()
    assert run_here(logs, *run) == 0
    first = results_of(logs)
    assert len(list((logs / "feature_cache").iterdir())) == 8 + 5  # support and query tiles

    from terrashot.data import tiles
    from terrashot.networks.segmenter import Segmenter

    def refuse(*_):
        raise AssertionError("neither image nor network is needed")

    monkeypatch.setattr(tiles, "read_tile", refuse)
    monkeypatch.setattr(Segmenter, "maps", refuse)
    assert run_here(logs, *run, "adaptation.panels=0") == 0
    second = results_of(logs)
    monkeypatch.undo()
    assert run_here(logs, *run, "adaptation.panels=2") == 0  # pictures read what they show
    pictures = (logs / "stage2" / "latest" / "figures" / "test").glob("*.png")
    assert len(list(pictures)) == 2
    for results in (first, second, results_of(logs)):
        assert results["confusion"] == without["confusion"]
        assert results["base_model"] == without["base_model"]
        assert results["seconds_per_query"] > results["adaptation_seconds_per_query"] > 0


def test_flipped_views_come_from_the_cache_as_well(stage2, monkeypatch):
    run = ["inference=flips", "solver.iterations=5", "data.eval_size=72"]
    without = results_of(stage2(*run, "adaptation.feature_cache=0"))
    logs = stage2(*run)
    assert len(list((logs / "feature_cache").iterdir())) == 8 + 4 * 5

    from terrashot.networks.segmenter import Segmenter

    monkeypatch.setattr(Segmenter, "maps", None)
    assert results_of(stage2(*run))["confusion"] == without["confusion"]
    plain = results_of(stage2("inference=plain", "solver.iterations=5", "data.eval_size=72"))
    assert plain["confusion"] != without["confusion"]
    assert plain["base_model"] == without["base_model"]


def test_a_stride_that_is_no_multiple_of_the_networks_is_refused(stage2, capsys):
    with pytest.raises(AssertionError):
        stage2("adaptation.feature_stride=6")
    assert "multiple" in capsys.readouterr().err


@pytest.mark.usefixtures("offline_wandb")
def test_the_wandb_run_holds_the_miou_history_the_classes_and_the_panels(
    run_here, trained, tmp_path, offline_run
):
    logs = tmp_path / "logs"
    checkpoint = f"checkpoint={trained / 'stage1' / 'latest'}"
    overrides = ["experiment=stage2", checkpoint, "solver.iterations=5", "tags=[trial]"]
    overrides += ["postprocess=clean"]
    assert run_here(logs, *overrides) == 0
    results = results_of(logs)
    (folder,) = (logs / "stage2" / "latest" / "wandb").glob("offline-run-*")
    run = offline_run(folder)
    assert run.tags == ["trial"]
    assert run.config["solver"]["iterations"] == 5
    assert len(run.values("running/weighted_miou")) == 5  # a point a query
    assert run.values("running/novel_miou")[-1] == pytest.approx(
        results["metrics"]["test/novel_miou"], abs=1e-5
    )
    for name in ["test/base_miou", "test/novel_miou", "test/iou/parking space"]:
        assert run.values(name)[-1] == pytest.approx(results["metrics"][name], abs=1e-5)
    table = {row["class"]: row["iou"] for row in run.table("test/classes")}
    assert table["parking space"] == pytest.approx(
        results["metrics"]["test/iou/parking space"], abs=1e-5
    )
    steps = run.table("test/postprocess")
    assert [row["rule"] for row in steps] == ["terrashot", "+ holes", "+ size"]
    assert steps[-1]["weighted mIoU"] == pytest.approx(results["metrics"]["test/weighted_miou"])
    assert run.media("test/confusion")
    panels = run.media("test/panels")[-1]
    assert panels["count"] == 5
    masks = panels["all_masks"][0]
    assert set(masks) == {"prediction", "ground_truth"}
