import pytest
import torch

from terrashot.errors import ConfigError
from terrashot.mapping.request import WindowOptions, prepare_model
from terrashot.model import export
from terrashot.model.onnx_engine import OnnxModel


@pytest.mark.slow
def test_onnx_runtime_gives_the_probabilities_of_a_prepared_model(make_adapted):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
    pytest.importorskip("onnxscript", reason="the extra `export` is not installed")
    model = make_adapted("rank_one")
    prepare_model(model, WindowOptions(window=96, overlap=32, norm_side=32))
    engine = OnnxModel(model)
    generator = torch.Generator().manual_seed(0)
    for shape in ((1, 3, 96, 64), (2, 3, 64, 64), (1, 3, 96, 64)):  # the first one comes again
        images = torch.rand(shape, generator=generator)
        with torch.no_grad():
            expected = model(images)
        found = engine(images)
        assert (found.dtype, found.shape) == (torch.float32, expected.shape)
        # The random network's logits are some tens, so probabilities between two classes move by
        # a few 1e-4 with the order of float32 sums, which is another on each processor.
        assert torch.allclose(found, expected, atol=2e-3)
        assert (found - expected).abs().mean() < 1e-4
        assert (found.argmax(1) == expected.argmax(1)).float().mean() > 0.999


def test_without_the_packages_it_says_what_to_install(monkeypatch, make_adapted):
    monkeypatch.setattr(export.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"mapping\.engine=onnxruntime needs .*\[export\]"):
        OnnxModel(make_adapted("rank_one"))


def test_a_network_that_onnx_does_not_know_is_told_with_the_remedy(make_adapted, monkeypatch):
    pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")

    def fail(*_args, **_options):
        raise RuntimeError("No decompositions for aten.erfinv")

    monkeypatch.setattr(torch.export, "export", fail)
    with pytest.raises(ConfigError, match=r"aten\.erfinv\).*mapping\.engine=torch"):
        OnnxModel(make_adapted("rank_one"))(torch.zeros(1, 3, 64, 64))
