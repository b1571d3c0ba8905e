"""The report that a stage-2 run ends with."""

import re
import subprocess
import sys

import pytest
from tests.fixtures.runs import stage2_results as results_of


def test_a_run_ends_with_a_report_that_can_be_built_again(stage2, capsys):
    chosen = ["method=classtrans", "solver.iterations=2", "transition=shared"]
    logs = stage2(*chosen, for_papers=True)
    run = (logs / "stage2" / "latest").resolve()
    assert "report.html" in capsys.readouterr().out
    page = (run / "report.html").read_text(encoding="utf-8")
    weighted = results_of(logs)["metrics"]["test/weighted_miou"]
    assert f"{100 * weighted:.1f}<span" in page
    assert "Similarity of novel and base classes" in page
    assert "Transition matrix" in page
    assert (run / "figures" / "transition.pdf").is_file()
    assert (run / "tables" / "classes.tex").is_file()
    assert "Stage 1: loss" in page
    for name in [f"query_{i}" for i in range(5)]:
        assert f'"name": "{name}' in page

    from terrashot.app.run.folder import RunFolder
    from terrashot.app.run.report import write_run_report

    (run / "report.html").unlink()
    write_run_report(RunFolder(run))
    again = (run / "report.html").read_text(encoding="utf-8")
    assert re.sub("started.*?</div>", "", again) == re.sub("started.*?</div>", "", page)


def test_a_failing_report_loses_no_result_and_is_named(stage2, capsys, monkeypatch):
    def fail(material):
        raise ZeroDivisionError("no such share")

    monkeypatch.setattr("terrashot.app.run.report.run_page", fail)
    logs = stage2("method=base_only")
    run = (logs / "stage2" / "latest").resolve()
    assert results_of(logs)["queries"] == 5
    assert not (run / "report.html").exists()
    said = " ".join(capsys.readouterr().out.split())
    assert "report.html could not be written (ZeroDivisionError: no such share" in said
    assert "run.py report" in said
    assert "no such share" in (run / "report_error.txt").read_text()


@pytest.mark.slow
def test_a_folder_without_results_is_refused_and_named(tmp_path, repository):
    command = [sys.executable, str(repository / "run.py"), "report", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 1
    assert "has no results of a stage-2 run" in " ".join(done.stderr.split())
