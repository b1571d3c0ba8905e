import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.model.precision import map_precision, network_context, resolve_precision


@pytest.mark.parametrize("native", [True, False])
def test_half_precision_is_the_default_where_the_hardware_has_it_but_not_for_maps_on_a_processor(
    monkeypatch, native
):
    found = {"avx512_bf16": native}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    half = "bf16-mixed" if native else "32-true"
    assert resolve_precision("auto", "cpu") == half
    assert resolve_precision("auto", "cuda") == half
    assert resolve_precision("auto", "mps") == "32-true"
    assert map_precision("auto", "cpu") == "32-true"
    assert map_precision("auto", "cuda") == half
    assert map_precision("bf16-mixed", "cpu") == "bf16-mixed"


def test_a_network_runs_in_the_precision_that_is_asked_for():
    layer, image = torch.nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2)
    cpu = torch.device("cpu")
    with network_context("32-true", cpu):
        assert layer(image).dtype == torch.float32
    with network_context("bf16-mixed", cpu):
        assert layer(image).dtype == torch.bfloat16
    with pytest.raises(ConfigError, match="precision is '8'"):
        network_context("8", cpu)
