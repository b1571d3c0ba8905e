"""SimNet and weak-shot runs that were killed go on, and end as unbroken ones do."""

import json

import pytest

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


def results(run):
    return json.loads((run / "results.json").read_text())


def test_killed_and_resumed_runs_equal_unbroken_ones(unbroken_and_resumed, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    sim_net, resumed = unbroken_and_resumed(tmp_path / "a", "simnet", *SIM_NET)
    assert results(resumed) == results(sim_net)
    options = [*WEAK_SHOT, f"weak_shot.simnet={sim_net}"]
    weak_shot, resumed = unbroken_and_resumed(tmp_path / "b", "weak_shot", *options)
    assert results(resumed) == results(weak_shot)
