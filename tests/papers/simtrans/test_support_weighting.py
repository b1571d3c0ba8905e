import pytest
import torch

from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import CheckpointError, ConfigError
from terrashot.papers.simtrans.bridges.support_weighting import SimNetWeighting
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.sim_net import KEY, SimNet

SIDE, STRIDE, CHANNELS = 64, 4, 6
SHIFT = 64 // STRIDE
"""A mask moved by 64 px, in features of stride 4."""


def trained(path, steps=150):
    """A SimNet for clusters of features around unit vectors, trained on three of them."""
    torch.manual_seed(0)
    head = PairHead(CHANNELS, symmetric=True)
    optimizer = torch.optim.Adam(head.parameters(), lr=3e-3)
    for _ in range(steps):
        # Clusters at random places, so that new ones are compared as well as these.
        centres = torch.randn(6, CHANNELS)
        labels = torch.randint(0, 6, (48,))
        units = centres[labels] + 0.1 * torch.randn(48, CHANNELS)
        scores, _ = head(units)
        same = (labels.unsqueeze(0) == labels.unsqueeze(1)).flatten().long()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(scores, same).backward()
        optimizer.step()
    network = SimNet(head, None, 2, 16)
    network.anchors.copy_(CENTRES[:2].unsqueeze(1) + 0.1 * torch.randn(2, 16, CHANNELS))
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    torch.save({"state_dict": state, KEY: {"network": network.description}}, path)
    return str(path)


CENTRES = 2 * torch.eye(CHANNELS)[:5]
"""Of base classes 1 and 2, background, and novel classes 3 and 4."""


@pytest.fixture(scope="module")
def sim_net(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("sim_net") / "a.ckpt")


def scene(shifted=None, tiles=5):
    """Tiles with a square of a novel class on base ground; one mask may lie beside its square."""
    generator = torch.Generator().manual_seed(1)
    features, labels = [], []
    for label in (3, 4):
        for tile in range(tiles):
            truth = torch.randint(0, 2, (SIDE, SIDE), generator=generator)
            truth[10:30, 10:30] = label
            noise = 0.1 * torch.randn(SIDE, SIDE, CHANNELS, generator=generator)
            features.append((CENTRES[truth] + noise).permute(2, 0, 1))
            mask = torch.where(truth == label, truth, 0)
            if (label, tile) == shifted:
                mask = mask.roll(SHIFT, dims=1)
            labels.append(mask)
    return features, labels


def tile_means(support, label):
    weights = torch.cat([b.weights for b in support.blocks if b.label == label])
    tiles = support.tiles_of(label, label)
    return {int(t): float(weights[tiles == t].mean()) for t in tiles.unique()}


@pytest.mark.parametrize("correction", [True, False])
def test_simtrans_t13_a_shifted_mask_weighs_less_than_the_others(sim_net, correction):
    features, labels = scene(shifted=(3, 2))
    support = SupportPixels(features, labels, 3, 2)
    found = SimNetWeighting(sim_net, correction=correction).weigh(support)
    means = tile_means(found, 3)
    others = [mean for tile, mean in means.items() if tile != 2]
    assert means[2] < 0.7 * min(others)
    even = tile_means(found, 4)
    assert max(even.values()) - min(even.values()) < 0.1


def test_inside_a_shifted_mask_what_still_lies_on_the_class_counts_most(sim_net):
    features, labels = scene(shifted=(3, 2))
    support = SupportPixels(features, labels, 3, 2)
    found = SimNetWeighting(sim_net).weigh(support)
    weights = torch.cat([b.weights for b in found.blocks if b.label == 3])
    pixels = torch.cat([b.pixels for b in found.blocks if b.label == 3], dim=1)
    own = (pixels - CENTRES[3].unsqueeze(1)).norm(dim=0) < 1
    bad = support.tiles_of(3, 3) == 2
    assert 0 < int((bad & own).sum()) < int(bad.sum())
    assert float(weights[bad & own].mean()) > 2 * float(weights[bad & ~own].mean())


def test_weights_have_mean_one_over_the_tiles_and_stay_in_their_range(sim_net):
    features, labels = scene()
    found = SimNetWeighting(sim_net, minimum=0.1, maximum=3.0).weigh(
        SupportPixels(features, labels, 3, 2)
    )
    for label in (3, 4):
        weights = torch.cat([b.weights for b in found.blocks if b.label == label])
        assert float(weights.mean()) == pytest.approx(1, abs=0.05)
        assert float(weights.min()) >= 0.1
        assert float(weights.max()) <= 3
        assert not weights.requires_grad
    assert all(b.weights is None for b in found.blocks if b.label == 0)
    assert found.counts.equal(SupportPixels(features, labels, 3, 2).counts)


def test_one_tile_a_class_is_judged_by_itself(sim_net):
    features, labels = scene(tiles=1)
    found = SimNetWeighting(sim_net).weigh(SupportPixels(features, labels, 3, 2))
    assert all(bool(torch.isfinite(b.weights).all()) for b in found.blocks if b.label)


def test_pixels_that_a_method_labelled_itself_have_no_weight(sim_net):
    features, labels = scene(tiles=2)
    features.append(features[0][:, :1, :20])
    labels.append(torch.tensor([[3] * 10 + [4] * 10]))
    support = SupportPixels(features, labels, 3, 2, tile_classes=[3, 3, 4, 4, None], num_tiles=4)
    found = SimNetWeighting(sim_net).weigh(support)
    without = {(b.label, b.tile_class): b.weights is None for b in found.blocks if b.label}
    assert without == {(3, 3): False, (3, None): True, (4, 4): False, (4, None): True}


def test_the_same_seed_gives_the_same_weights(sim_net):
    features, labels = scene(tiles=2)
    support = SupportPixels(features, labels, 3, 2)
    weighting = SimNetWeighting(sim_net, anchors=8)
    one, two, other = (weighting.weigh(support, seed) for seed in (1, 1, 2))
    weights = [torch.cat([b.weights for b in s.blocks if b.label]) for s in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_of_features_with_stages_beside_it_compares_the_decoders_map(sim_net):
    features, labels = scene(tiles=2)
    wider = [torch.cat([f, 9 * torch.rand(3, *f.shape[1:])]) for f in features]
    weighting = SimNetWeighting(sim_net, anchors=8)
    alone = weighting.weigh(SupportPixels(features, labels, 3, 2))
    beside = weighting.weigh(SupportPixels(wider, labels, 3, 2, parts=(CHANNELS, 3)))
    for one, other in zip(alone.blocks, beside.blocks, strict=True):
        assert other.pixels.shape[0] == CHANNELS + 3
        assert (one.weights is None) == (other.weights is None)
        if one.weights is not None:
            torch.testing.assert_close(one.weights, other.weights)


@pytest.mark.parametrize(
    "bad", [{"anchors": 0}, {"minimum": 2.0}, {"maximum": 0.5}, {"rescale": "exp"}]
)
def test_impossible_settings_are_errors(sim_net, bad):
    with pytest.raises(ConfigError):
        SimNetWeighting(sim_net, **bad)


def test_a_sim_net_of_other_features_is_refused(sim_net):
    support = SupportPixels(torch.rand(1, 2, 2, 2), torch.tensor([[[0, 0], [1, 1]]]), 1, 1)
    with pytest.raises(CheckpointError, match=r"length 6.*have 2"):
        SimNetWeighting(sim_net).weigh(support)
