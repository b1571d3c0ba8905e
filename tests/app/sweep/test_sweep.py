"""A sweep's messages where a launcher is missing or fails."""

import importlib.util
from types import SimpleNamespace

import pytest

from terrashot.app.config.compose import compose_raw
from terrashot.app.sweep import sweep
from terrashot.errors import ConfigError, StoppedError


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


def stopped(*_):
    raise StoppedError("stopped") from SystemExit(1)


@pytest.mark.parametrize(("job", "ends"), [("7", SystemExit), (None, StoppedError)])
def test_a_slurm_job_that_was_put_back_in_line_hands_over_no_result(monkeypatch, job, ends):
    config = SimpleNamespace(launcher={}, sweep=SimpleNamespace(dir="sweep"))
    monkeypatch.setattr(sweep.HydraConfig, "get", lambda: config)
    monkeypatch.setattr(sweep, "run_sweep_job", stopped)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job is not None:
        monkeypatch.setenv("SLURM_JOB_ID", job)
    with pytest.raises(ends):
        sweep._launched(SimpleNamespace(sweep=SimpleNamespace(job="j1")))


def test_a_cluster_without_gpus_has_a_launcher(repository):
    for name, gpus in {"slurm": 1, "slurm_cpu": None}.items():
        config = compose_raw(repository / "configs", ["experiment=stage1", f"launcher={name}"])
        assert config.hydra.launcher.gpus_per_node == gpus
        assert config.hydra.launcher.max_num_timeout == 3


@pytest.mark.parametrize("given", ["hydra/sweeper=optuna", "+hydra.sweeper.max_batch_size=2"])
def test_g5_another_sweeper_of_hydra_is_refused_not_ignored(repository, tmp_path, given):
    fixed = ["-m", "experiment=stage1", f"paths.logs={tmp_path}", "seed=0,1"]
    with pytest.raises(ConfigError, match=r"no sweeper of Hydra has a say.*terrashot search"):
        sweep.run_sweep(repository / "configs", [*fixed, given], SimpleNamespace())
    assert not any(tmp_path.iterdir())
