"""A sweep's messages where a launcher is missing or fails."""

import importlib.util

import pytest

from terrashot.app.sweep import sweep
from terrashot.errors import ConfigError


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "slurm"])
def test_a_launcher_that_is_not_installed_is_named_with_its_extra(monkeypatch, launcher):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"terrashot\[sweeps\]"):
        sweep._check_plugins(["experiment=stage2", f"launcher={launcher}"])
    sweep._check_plugins(["experiment=stage2", "launcher=local"])


@pytest.mark.parametrize(
    ("launcher", "threads"),
    [
        ({"n_jobs": 2}, 4),
        ({"n_jobs": 3}, 2),
        ({"n_jobs": -1}, 1),
        ({"n_jobs": 16}, 1),
        ({"cpus_per_task": 6}, 6),
        ({}, 8),
    ],
)
def test_jobs_side_by_side_share_the_cores(launcher, threads):
    assert sweep.threads_of_job(launcher, cores=8) == threads
