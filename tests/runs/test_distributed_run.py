"""Two gloo processes on one CPU do what one process does."""

import json

import pytest

pytestmark = pytest.mark.slow

TWO = ["strategy=ddp", "trainer.devices=2", "logger=csv"]


def only_run(logs, experiment):
    (run,) = [p for p in (logs / experiment).iterdir() if not p.is_symlink()]
    return run


def test_stage_1_trains_with_two_processes(start_process, stage1_overrides, tmp_path):
    logs = tmp_path / "logs"
    process = start_process(
        logs, *stage1_overrides, *TWO, "trainer.max_epochs=2", "data.batch_size=2"
    )
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    run = only_run(logs, "stage1")
    results = json.loads((run / "results.json").read_text())
    assert sum(map(sum, results["confusion"])) == 4 * 64 * 64  # no tile twice, none left out
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
    assert (run / "checkpoints" / "best.ckpt").is_file()


def test_stage_2_scores_the_same_with_one_and_two_processes(start_process, trained, tmp_path):
    checkpoint = f"checkpoint={(trained / 'stage1' / 'latest').resolve()}"
    results = {}
    for name, extra in {"one": ["logger=csv"], "two": TWO}.items():
        logs = tmp_path / name / "logs"
        logs.parent.mkdir()
        rules = ["postprocess=clean", "adaptation.save_maps=true"]
        process = start_process(logs, "experiment=stage2", checkpoint, *rules, *extra)
        output, _ = process.communicate(timeout=1200)
        assert process.returncode == 0, output
        results[name] = json.loads((only_run(logs, "stage2") / "results.json").read_text())
    one, two = results["one"], results["two"]
    assert one["queries"] == two["queries"] == 5  # an odd number: the split is uneven
    assert one["confusion"] == two["confusion"]
    assert one["postprocess"] == two["postprocess"]
    assert len(list((only_run(tmp_path / "two" / "logs", "stage2") / "maps").iterdir())) == 5
    page = (only_run(tmp_path / "two" / "logs", "stage2") / "report.html").read_text("utf-8")
    assert all(f'"name": "query_{i}' in page for i in range(5))  # of either process
    for key, value in one["metrics"].items():
        if key != "test/seconds_per_query":
            assert two["metrics"][key] == pytest.approx(value, abs=1e-6), key
