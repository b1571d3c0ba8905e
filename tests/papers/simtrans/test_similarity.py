import pytest
import torch

from terrashot.adaptation.head import LinearHead
from terrashot.adaptation.methods.start import base_bank, base_to_novel, novel_bank
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.errors import CheckpointError, ConfigError
from terrashot.papers.simtrans.bridges.similarity import SimNetSimilarity, class_similarity
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.sim_net import KEY, SimNet


def saved(path, channels):
    torch.manual_seed(0)
    network = SimNet(PairHead(channels, symmetric=True), None, 1, 1)
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    torch.save({"state_dict": state, KEY: {"network": network.description}}, path)
    return str(path)


def test_simtrans_t12_mean_log_odds_keep_what_probabilities_lose():
    odds = [
        [torch.tensor([[-2.0, -1.0, 0.0, 1.0]]).double()],
        [torch.tensor([[-4.0, -5.0, -3.0, -6.0]]).double()],
    ]
    present = torch.tensor([True, True])
    logit = class_similarity(odds, present, 1.0, "logit")
    assert torch.allclose(logit[:, 0], torch.tensor([0.982014, 0.017986]).double(), atol=1e-6)
    by_mean = class_similarity(odds, present, 1.0, "prob_l1")
    assert torch.allclose(by_mean[:, 0], torch.tensor([0.9560, 0.0440]).double(), atol=1e-4)
    absent = class_similarity(odds, torch.tensor([True, False, True]), 1.0, "prob_l1")
    assert absent[:, 0].tolist() == [by_mean[0, 0], 0.0, by_mean[1, 0]]


@pytest.mark.parametrize("mode", ["logit", "prob_l1"])
def test_columns_sum_to_one_and_features_are_compared_unscaled(tmp_path, mode):
    generator = torch.Generator().manual_seed(0)
    features = [torch.randn(4, 6, 6, generator=generator) for _ in range(2)]
    labels = [torch.zeros(6, 6).long() for _ in range(2)]
    labels[0][:3], labels[1][:3] = 3, 4
    support = SupportPixels(features, labels, 3, 2)
    head = LinearHead(torch.randn(3, 4, generator=generator), torch.zeros(3))
    estimator = SimNetSimilarity(saved(tmp_path / "a.ckpt", 4), samples=5, mode=mode)
    matrices = [
        base_to_novel(estimator, head, support, FeatureScale(torch.tensor(factor)))
        for factor in (1.0, 50.0)
    ]
    assert matrices[0].shape == (3, 2)
    assert torch.allclose(matrices[0].sum(dim=0), torch.ones(2).double())
    assert torch.equal(*matrices)


@pytest.mark.parametrize("samples", [1, 3, 5, 8, 99])
def test_pixels_are_drawn_evenly_over_all_blocks_of_a_class(tmp_path, samples, monkeypatch):
    monkeypatch.setattr(
        "terrashot.adaptation.support.blocks.block_lengths", lambda n, *_: [3, n - 3]
    )
    features = torch.rand(1, 4, 4, 4)
    labels = torch.zeros(1, 4, 4).long()
    labels[0, :2] = 1
    support = SupportPixels(features, labels, 1, 1)
    estimator = SimNetSimilarity(saved(tmp_path / "a.ckpt", 4), samples=samples)
    drawn = estimator._drawn(novel_bank(support).scaled(7.0), 0)
    own = features[0][:, labels[0] == 1].T
    step = max(1, 8 // samples)
    assert torch.equal(drawn, own[::step][:samples])


def test_the_base_bank_gives_the_pixels_that_its_sums_are_of():
    features = torch.randn(2, 4, 5, 5)
    labels = torch.zeros(2, 5, 5).long()
    labels[:, :2] = 3
    support = SupportPixels(features, labels, 3, 1)
    bank = base_bank(LinearHead(torch.randn(3, 4), torch.zeros(3)), support, False).scaled(2.0)
    for index in range(3):
        pixels = torch.cat(list(bank.pixels_of(index)), dim=1)
        assert pixels.shape[1] == int(bank.counts[index])
        assert torch.allclose(pixels.sum(dim=1), bank.sums[index], atol=1e-4)


def test_a_sim_net_of_other_features_is_refused(tmp_path):
    estimator = SimNetSimilarity(saved(tmp_path / "a.ckpt", 5))
    support = SupportPixels(torch.rand(1, 2, 2, 2), torch.tensor([[[0, 0], [2, 1]]]), 1, 2)
    bank = novel_bank(support)
    with pytest.raises(CheckpointError, match=r"length 5.*have 2"):
        estimator.estimate(bank, bank)


@pytest.mark.parametrize("bad", [{"mode": "mean"}, {"samples": 0}, {"temperature": 0.0}])
def test_impossible_settings_are_errors(tmp_path, bad):
    with pytest.raises(ConfigError, match="similarity"):
        SimNetSimilarity(saved(tmp_path / "a.ckpt", 4), **bad)
