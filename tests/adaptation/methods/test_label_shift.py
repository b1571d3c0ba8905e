import pytest
import torch

from terrashot.adaptation.methods.label_shift import shift_of_biases, shifted_shares


def mixture(shares, pixels=20_000, sharpness=2.0, seed=0):
    """Probabilities of a calibrated classifier for equal shares, on pixels of other shares."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.multinomial(torch.tensor(shares), pixels, True, generator=generator)
    x = torch.randn(3, pixels, generator=generator, dtype=torch.float64)
    x[truth, torch.arange(pixels)] += sharpness
    return (sharpness * x).softmax(dim=0), truth


@pytest.mark.parametrize("shares", [[0.8, 0.1, 0.1], [0.05, 0.05, 0.9], [1 / 3, 1 / 3, 1 / 3]])
def test_expectation_maximisation_finds_the_shares(shares):
    probabilities, _ = mixture(shares)
    prior = torch.full((3,), 1 / 3, dtype=torch.float64)
    found = shifted_shares(probabilities, torch.ones(20_000).double(), prior)
    assert torch.allclose(found, torch.tensor(shares).double(), atol=0.02)


def test_the_shift_corrects_the_map():
    probabilities, truth = mixture([0.9, 0.05, 0.05], sharpness=1.0)
    prior = torch.full((3,), 1 / 3, dtype=torch.float64)
    shift = shift_of_biases(probabilities, torch.ones(20_000).double(), prior, 1.0)
    before = (probabilities.argmax(dim=0) == truth).double().mean()
    after = ((probabilities.log() + shift.unsqueeze(1)).argmax(dim=0) == truth).double().mean()
    assert after > before + 0.05
    half = shift_of_biases(probabilities, torch.ones(20_000).double(), prior, 0.5)
    assert torch.allclose(half, shift / 2)


def test_a_query_without_a_valid_pixel_shifts_nothing():
    probabilities, _ = mixture([0.5, 0.3, 0.2], pixels=10)
    prior = torch.full((3,), 1 / 3, dtype=torch.float64)
    assert shift_of_biases(probabilities, torch.zeros(10).double(), prior, 1.0).abs().max() == 0
