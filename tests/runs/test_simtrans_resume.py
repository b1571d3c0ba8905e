"""SimNet and weak-shot runs that were killed go on, and end as unbroken ones do."""

import json
import os
import signal
import subprocess
import time

import pytest
import torch

pytestmark = pytest.mark.slow

WINDOWS = ["backbone=timm", "backbone.name=mobilenetv2_050", "data.window=8", "logger=csv"]
SIM_NET = [
    *WINDOWS,
    "units.held_out=[tree]",
    "units.batch_size=16",
    "units.val_per_class=12",
    "trainer.limit_train_batches=4",
    "trainer.max_epochs=4",
]
WEAK_SHOT = [*WINDOWS, "weak_shot.base_windows=20", "trainer.max_epochs=4"]


@pytest.fixture(scope="module")
def sim_net(run_here, tmp_path_factory):
    """The finished run of a small SimNet for windows."""
    logs = tmp_path_factory.mktemp("sim_net") / "logs"
    assert run_here(logs, "experiment=simnet", *SIM_NET) == 0
    return (logs / "simnet" / "latest").resolve()


def results(run):
    return json.loads((run / "results.json").read_text())


@pytest.mark.parametrize("experiment", ["simnet", "weak_shot"])
def test_a_killed_and_resumed_run_equals_an_unbroken_one(
    experiment, sim_net, run_here, start_process, tmp_path
):
    if experiment == "simnet":
        options, whole = SIM_NET, sim_net
    else:
        options = [*WEAK_SHOT, f"weak_shot.simnet={sim_net}"]
        assert run_here(tmp_path / "whole", "experiment=weak_shot", *options) == 0
        whole = (tmp_path / "whole" / "weak_shot" / "latest").resolve()

    broken = tmp_path / "broken" / "logs"
    broken.parent.mkdir()
    process = start_process(broken, f"experiment={experiment}", *options)
    began = time.monotonic()
    while time.monotonic() - began < 200 and process.poll() is None:
        found = list(broken.glob(f"{experiment}/*/checkpoints/last.ckpt"))
        if found and torch.load(found[0], weights_only=True)["epoch"] >= 1:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    (run,) = (r for r in (broken / experiment).iterdir() if not r.is_symlink())
    assert not (run / "results.json").exists()
    command = [*process.args[:2], f"experiment={experiment}", f"paths.logs={broken}"]
    environment = {**os.environ, "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "resume=latest"], capture_output=True, text=True, cwd=broken.parent,
        timeout=300, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(run) == results(whole)
