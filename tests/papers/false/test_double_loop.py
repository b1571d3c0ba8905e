"""The matrix form equals FALSE written down as a loop over anchors and their negatives."""

import importlib.util

import pytest
import torch

from terrashot.papers.false.losses.calibrated_contrastive import CalibratedContrastive


@pytest.fixture
def benchmark(repository, monkeypatch):
    path = repository / "scripts" / "benchmark_similarity.py"
    monkeypatch.syspath_prepend(path.parent)  # as if it were run
    spec = importlib.util.spec_from_file_location("benchmark_similarity", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("scope", ["anchor", "batch"])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_loss_and_gradient_are_those_of_the_double_loop(benchmark, scope, alpha):
    generator = torch.Generator().manual_seed(2)
    first = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    second = first + 0.2 * torch.randn(7, 5, generator=generator, dtype=torch.float64)
    z = torch.nn.functional.normalize(torch.cat([first, second])).requires_grad_()
    loss = CalibratedContrastive(alpha=alpha, scope=scope)
    outcome = loss.compare(z, z, 0)
    assert outcome.selected.any()
    plain = benchmark.double_loop(z, loss)
    torch.testing.assert_close(outcome.loss, plain, rtol=1e-12, atol=0)
    gradients = [torch.autograd.grad(value, z)[0] for value in (outcome.loss, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-13)
