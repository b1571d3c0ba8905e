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


@pytest.fixture(scope="module")
def sim_nets(unbroken_and_resumed, tmp_path_factory):
    """A small SimNet for windows, trained in one go, and killed and resumed."""
    return unbroken_and_resumed(tmp_path_factory.mktemp("sim_net"), "experiment=simnet", *SIM_NET)


def test_a_killed_and_resumed_sim_net_equals_an_unbroken_one(sim_nets):
    unbroken, resumed = sim_nets
    assert results(resumed) == results(unbroken)


def test_a_killed_and_resumed_weak_shot_run_equals_an_unbroken_one(
    unbroken_and_resumed, sim_nets, tmp_path
):
    options = [*WEAK_SHOT, f"weak_shot.simnet={sim_nets[0]}"]
    unbroken, resumed = unbroken_and_resumed(tmp_path, "experiment=weak_shot", *options)
    assert results(resumed) == results(unbroken)
