"""Sweeps through run.py: one table, finished jobs skipped, interrupted ones continued."""

import csv
import json
import os
import re
import signal
import time

import pytest


def runs_of(logs, experiment="ablation_transition"):
    return sorted(p for p in (logs / experiment).iterdir() if not p.is_symlink())


def info_of(run):
    path = run / "run.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def only_sweep(logs):
    (folder,) = (logs / "sweeps").iterdir()
    return folder


def table_of(logs):
    with (only_sweep(logs) / "ablation.csv").open() as file:
        return {row["transition"]: row for row in csv.DictReader(file)}


@pytest.fixture
def sweep(run_here, trained, tmp_path, capsys):
    """Run a sweep of two options and two draws in this process; returns code, logs, output."""

    def run(*overrides, seed="0"):
        logs = tmp_path / "logs"
        fixed = [
            f"checkpoint={trained / 'stage1' / 'latest'}", "logger=csv", "solver.iterations=3",
            "data.support_draw=0,1", f"seed={seed}", "transition=none,rank_one",
        ]  # fmt: skip
        code = run_here(logs, "-m", "experiment=ablation_transition", *fixed, *overrides)
        said = capsys.readouterr()
        return code, logs, " ".join((said.out + said.err).split())

    return run


def test_a_sweep_ends_in_a_table_and_started_again_it_runs_what_is_missing(sweep):
    code, logs, said = sweep()
    assert code == 0
    assert "4 of 4 jobs are finished" in said
    assert "finished already" not in said
    first = runs_of(logs)
    assert len(first) == 4
    table = table_of(logs)
    assert list(table) == ["none", "rank_one"]
    for option, row in table.items():
        assert row["n"] == "2"
        name = {"none": "NoTransition", "rank_one": "RankOneTransition"}[option]
        scores = [
            json.loads((run / "results.json").read_text())["metrics"]["test/weighted_miou"]
            for run in first
            if name in (run / "config.yaml").read_text()
        ]
        assert len(scores) == 2
        assert float(row["weighted_mean"]) == pytest.approx(sum(scores) / 2, abs=1e-6)
    assert table["rank_one"]["difference_n"] == "2"
    assert "| none | 2 |" in (only_sweep(logs) / "ablation.md").read_text()
    assert {info_of(run)["sweep"] for run in first} == {only_sweep(logs).name}
    page = (only_sweep(logs) / "report.html").read_text(encoding="utf-8")
    links = re.findall(r'href="([^"]+/report.html)"', page)
    assert sorted((only_sweep(logs) / link).resolve().parent for link in links) == first
    from terrashot.app.sweep.plan import load_sweep
    from terrashot.app.sweep.report import write_sweep_report

    write_sweep_report(load_sweep(only_sweep(logs)))
    assert (only_sweep(logs) / "report.html").read_text(encoding="utf-8") == page

    code, logs, said = sweep()
    assert code == 0
    assert "4 of 4 jobs were finished already" in said
    assert runs_of(logs) == first

    # A wider sweep has jobs of a narrow one in it.
    code, logs, said = sweep("data.support_draw=0", "transition=none", seed="0,1")
    assert code == 0
    assert "1 of 2 jobs were finished already" in said
    assert len(runs_of(logs)) == 5

    code, logs, said = sweep("data.support_draw=0", "transition=none", "sweep.fresh=true")
    assert code == 0
    assert "already" not in said
    assert len(runs_of(logs)) == 6


def test_an_interrupted_job_goes_on_with_its_other_queries_and_a_failed_one_is_named(
    sweep, monkeypatch
):
    from terrashot.adaptation.methods.gradient import GradientMethod

    adapted = []
    original = GradientMethod.adapt_together

    def stop_at_the_fourth_pass(self, *arguments, **named):
        adapted.append(1)
        if len(adapted) == 4:
            raise RuntimeError("the power went out")
        return original(self, *arguments, **named)

    monkeypatch.setattr(GradientMethod, "adapt_together", stop_at_the_fourth_pass)
    code, logs, said = sweep("data.support_draw=0", "transition=none,rank_one")
    assert code == 1
    assert "no result: data.support_draw=0" not in said  # it does not vary
    assert "no result: transition=rank_one" in said
    assert "the power went out" in said
    assert "1 of 2 jobs are finished" in said
    assert table_of(logs)["rank_one"]["n"] == "0"
    page = (only_sweep(logs) / "report.html").read_text(encoding="utf-8")
    assert "No result: transition=rank_one" in page
    assert "the power went out" in page
    code, logs, said = sweep("data.support_draw=0", "transition=none,rank_one")
    assert code == 0
    assert "1 of 2 jobs were finished already" in said
    assert len(adapted) == 4 + 1  # a pass of four of the five queries was done
    assert len(runs_of(logs)) == 2
    assert table_of(logs)["rank_one"]["n"] == "1"


def test_every_job_is_checked_before_the_first_one_starts(sweep):
    for overrides, said in [
        (["transition=none,rank_two"], "there is no such option"),
        (["data.split=test,vall"], "data.split is 'vall'"),
        (["resume=latest"], "a multirun that is started again"),
        (["data.support_draw=0,-1"], "data.support_draw is -1"),
    ]:
        code, logs, output = sweep(*overrides)
        assert code == 1
        assert said in output
        assert not (logs / "sweeps").exists()


def test_networks_are_compared_by_their_name(run_here, trained, tmp_path, capsys):
    logs = tmp_path / "logs"
    run = ["-m", "experiment=ablation_backbone", "logger=csv", "solver.iterations=2"]
    assert run_here(logs, *run) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "checkpoint=RUN1,RUN2" in said
    (stage1,) = (p for p in (trained / "stage1").iterdir() if not p.is_symlink())
    both = f"checkpoint={stage1},{stage1 / 'checkpoints' / 'last.ckpt'}"
    assert run_here(logs, *run, both, "data.support_draw=0") == 0
    text = (only_sweep(logs) / "ablation.csv").read_text()
    assert text.count("mobilenetv2_050 + fpn") == 2


@pytest.mark.usefixtures("offline_wandb")
def test_the_table_is_a_wandb_run_in_the_group_of_the_jobs(sweep, offline_run):
    code, logs, _ = sweep("data.support_draw=0", "logger=default")
    assert code == 0
    folder = only_sweep(logs)
    (path,) = (folder / "wandb").glob("offline-run-*")
    table = offline_run(path)
    assert table.group == folder.name
    assert [row["transition"] for row in table.table("ablation")] == ["none", "rank_one"]
    for run in runs_of(logs):
        (path,) = (run / "wandb").glob("offline-run-*")
        assert offline_run(path).group == folder.name


@pytest.mark.slow
def test_a_killed_sweep_started_again_does_the_missing_jobs_only(start_process, trained, tmp_path):
    logs = tmp_path / "logs"
    checkpoint = f"checkpoint={(trained / 'stage1' / 'latest').resolve()}"
    command = [
        "-m", "experiment=ablation_transition", checkpoint, "logger=csv",
        "transition=none,rank_one", "data.support_draw=0,1,2", "seed=0,1",
    ]  # fmt: skip
    process = start_process(logs, *command, "solver.iterations=60")
    deadline = time.monotonic() + 1200
    while time.monotonic() < deadline:
        started = (logs / "ablation_transition").is_dir()
        done = (
            [r for r in runs_of(logs) if info_of(r).get("status") == "finished"] if started else []
        )
        if len(done) >= 2:
            break
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {r for r in runs_of(logs) if info_of(r).get("status") == "finished"}
    assert 2 <= len(finished) < 12
    before = {run: (run / "results.json").stat().st_mtime_ns for run in finished}
    broken = [r for r in runs_of(logs) if r not in finished and info_of(r)]

    process = start_process(logs, *command, "solver.iterations=60")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    assert f"{len(finished)} of 12 jobs were finished already" in " ".join(output.split())
    assert len([r for r in runs_of(logs) if info_of(r)]) == 12
    assert all((run / "results.json").stat().st_mtime_ns == t for run, t in before.items())
    for run in broken:
        assert info_of(run)["resumed"]
    assert all(row["n"] == "6" for row in table_of(logs).values())


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_launcher_of_processes_gives_the_table_of_one_process(
    start_process, sweep, trained, tmp_path, launcher
):
    code, one, _ = sweep()
    assert code == 0
    many = tmp_path / "many" / "logs"
    many.parent.mkdir()
    checkpoint = f"checkpoint={(trained / 'stage1' / 'latest').resolve()}"
    process = start_process(
        many, "-m", "experiment=ablation_transition", checkpoint, "logger=csv",
        "solver.iterations=3", "data.support_draw=0,1", "seed=0", "transition=none,rank_one",
        f"launcher={launcher}",
    )  # fmt: skip
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    for option, row in table_of(one).items():
        for column, value in table_of(many)[option].items():
            if column.endswith(("_mean", "_sd", "_n")) and value:
                assert float(value) == pytest.approx(float(row[column]), abs=2e-3), column
    runs = runs_of(many)
    assert len(runs) == 4
    assert len({info_of(run)["pid"] for run in runs}) > 1
    assert {info_of(run)["threads"] for run in runs} == {1}
    assert all("experiment=ablation_transition" in info_of(run)["command"] for run in runs)
