import json
import zipfile

import numpy as np
import pytest
import rasterio
from PIL import Image

from terrashot.cli import make_submission

PLACE = "terrashot.mapping.postprocess"
SIZE = "{_target_: " + PLACE + ".minimum_size.MinimumSize, pixels: 60}"


@pytest.fixture
def stage2(run_here, trained, tmp_path):
    def run(*overrides, logs=tmp_path / "logs", code=0):
        checkpoint = f"checkpoint={trained / 'stage1' / 'latest'}"
        fixed = ["experiment=stage2", checkpoint, "logger=csv", "solver.iterations=5"]
        assert run_here(logs, *fixed, "adaptation.panels=0", *overrides) == code
        return logs / "stage2" / "latest"

    return run


def test_each_rule_is_scored_and_the_maps_are_kept_where_the_tiles_lie(stage2, tiny_root, capsys):
    plain = json.loads((stage2() / "results.json").read_text())
    assert plain["postprocess"] == []
    assert plain["external_masks"] is False
    run = stage2(
        "postprocess=clean", "postprocess.rules.size.pixels=60", "adaptation.save_maps=true"
    )
    results = json.loads((run / "results.json").read_text())
    before, holes, size = results["postprocess"]
    assert [r["rule"] for r in (before, holes, size)] == ["terrashot", "+ holes", "+ size"]
    # The map before the rules is that of a run without any; the results are of the last one.
    for rule, whole in ((before, plain), (size, results)):
        expected = {k: whole["metrics"][k] for k in rule["metrics"]}
        assert rule["metrics"] == pytest.approx(expected, abs=2e-6)  # rounded twice, from float32
    assert results["confusion"] != plain["confusion"]
    assert sum(map(sum, results["confusion"])) == sum(map(sum, plain["confusion"]))
    assert "+ size" in capsys.readouterr().out

    assert make_submission.main([str(run)]) == 0
    with zipfile.ZipFile(run / "submission_test.zip") as archive:
        assert len(archive.namelist()) == results["queries"]
    (run / "maps" / "stranger.png").touch()
    assert make_submission.main([str(run)]) == 1
    assert "stranger" in capsys.readouterr().err
    (run / "maps" / "stranger.png").unlink()

    confusion = np.zeros_like(results["confusion"])
    queries = json.loads((tiny_root / "test.json").read_text())["query_set"]
    assert {p.stem for p in (run / "maps").iterdir()} == {q.rpartition(".")[0] for q in queries}
    for query in queries:
        tile = query.rpartition(".")[0]
        with rasterio.open(run / "maps" / f"{tile}.tif") as source:
            ids, palette = source.read(1), source.colormap(1)
            place = source.crs, source.transform
        with rasterio.open(tiny_root / "testset" / "images" / query) as source:
            assert (source.crs, source.transform) == place
        assert len(set(palette.values())) > 2
        with rasterio.open(tiny_root / "testset" / "labels" / query) as source:
            np.add.at(confusion, (source.read(1), ids), 1)
    np.testing.assert_array_equal(confusion, results["confusion"])


def test_an_interrupted_evaluation_goes_on_with_the_counts_of_each_rule(
    stage2, run_here, tmp_path, monkeypatch
):
    rules = ["postprocess=clean", "adaptation.save_maps=true"]
    whole = json.loads((stage2(*rules, logs=tmp_path / "whole") / "results.json").read_text())
    from terrashot.app.main import main
    from terrashot.tasks.query_maps import QueryMaps

    original, saved = QueryMaps.save, []

    def stop_at_the_third(self, *arguments):
        saved.append(1)
        if len(saved) == 3:
            raise RuntimeError("the power went out")
        original(self, *arguments)

    monkeypatch.setattr(QueryMaps, "save", stop_at_the_third)
    logs = tmp_path / "cut"
    with pytest.raises(RuntimeError, match="power"):
        stage2(*rules, logs=logs)
    (run,) = (logs / "stage2").iterdir()
    assert main(run_here.configs, ["experiment=stage2", f"paths.logs={logs}", "resume=latest"]) == 0
    again = json.loads((run / "results.json").read_text())
    assert again["postprocess"] == whole["postprocess"]
    assert again["confusion"] == whole["confusion"]
    assert len(list((run / "maps").iterdir())) == whole["queries"]


def test_results_with_external_masks_say_so(stage2, tiny_root, tmp_path, capsys):
    folder = tmp_path / "masks"
    folder.mkdir()
    rule = (
        "{_target_: "
        + PLACE
        + ".chain.PostProcess, rules: {cars: {_target_: "
        + PLACE
        + f".paste_masks.PasteMasks, folder: {folder}, class_name: parking space"
        + "}, small: "
        + SIZE
        + "}}"
    )
    stage2(f"+postprocess={rule}", code=1)
    assert "for 5 of 5 tiles" in capsys.readouterr().err
    for query in json.loads((tiny_root / "test.json").read_text())["query_set"]:
        with rasterio.open(tiny_root / "testset" / "labels" / query) as source:
            label = source.read(1)
        Image.fromarray((label == 4).astype(np.uint8)).save(folder / f"{query[:-4]}.png")
    run = stage2(f"+postprocess={rule}")
    results = json.loads((run / "results.json").read_text())
    assert results["external_masks"] is True
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "With external masks" in page
    assert "novel mean (external masks)" in page
    assert "+ cars" in page
    assert [r["external"] for r in results["postprocess"]] == [False, True, True]
    assert "test/weighted_miou with external masks" in capsys.readouterr().out


def test_rules_that_cannot_work_are_refused_before_the_run(stage2, capsys):
    stage2("postprocess=openearthmap", code=1)
    assert (
        "openearthmap_masks/cascadepsp/building_type_1, which does not exist"
        in capsys.readouterr().err
    )
    stage2("postprocess=clean", "+postprocess.rules.size.metres=3", code=1)
    assert "metres" in capsys.readouterr().err
