import pytest
import torch
from torch import nn

from terrashot.errors import CheckpointError, ConfigError
from terrashot.papers.simtrans.network.domain_classifier import DomainClassifier
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.sim_net import KEY, SimNet, build_sim_net, load_sim_net
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def lively(head: PairHead) -> PairHead:
    """With batch norms that have seen something."""
    head.train()
    for _ in range(3):
        head(torch.randn(8, head.channels))
    return head.eval()


def test_simtrans_t07_pairs_come_with_the_first_unit_running_fastest():
    first, second = [0, 1, 2, 0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1, 2, 2, 2]
    torch.manual_seed(0)
    head = PairHead(5)
    units = torch.randn(3, 5)
    pairs = torch.cat([units[first], units[second]], dim=1)
    assert torch.allclose(head.hidden(units, units), head.first(pairs), atol=1e-6)


def test_simtrans_t07_the_symmetric_head_gives_the_same_in_either_order():
    torch.manual_seed(0)
    units = torch.randn(6, 5)
    scores, _ = lively(PairHead(5, symmetric=True))(units)
    odds = (scores[:, 1] - scores[:, 0]).view(6, 6)
    assert torch.allclose(odds, odds.T, atol=1e-6)
    plain, _ = lively(PairHead(5))(units)
    odds = (plain[:, 1] - plain[:, 0]).view(6, 6)
    assert not torch.allclose(odds, odds.T, atol=1e-3)


def test_one_order_alone_puts_the_first_unit_first():
    torch.manual_seed(0)
    head = lively(PairHead(5))
    units = torch.randn(4, 5)
    one = head.similarity(units, units, both_orders=False)
    for i in range(4):
        for j in range(4):
            pair = torch.cat([units[i], units[j]])
            scores, _ = head.body(head.first(pair.unsqueeze(0)))
            expected = float(scores.softmax(dim=1)[0, 1])
            assert float(one[i, j]) == pytest.approx(expected, abs=1e-6)
    both = head.similarity(units, units)
    assert torch.allclose(both, (one + one.T) / 2, atol=1e-6)


@pytest.mark.parametrize("symmetric", [True, False])
def test_similarity_averages_both_orders_whatever_the_chunks(symmetric):
    torch.manual_seed(0)
    head = lively(PairHead(5, symmetric=symmetric))
    units, others = torch.randn(7, 5), torch.randn(4, 5)
    scores, _ = head.body(head.hidden(units, others))
    one = (scores[:, 1] - scores[:, 0]).view(4, 7).T  # [first, second]
    scores, _ = head.body(head.hidden(others, units))
    other = (scores[:, 1] - scores[:, 0]).view(7, 4)
    for chunk in (5, 1 << 16):
        assert torch.allclose(head.logits(units, others, chunk), (one + other) / 2, atol=1e-5)
        found = head.similarity(units, others, chunk)
        assert torch.allclose(found, (one.sigmoid() + other.sigmoid()) / 2, atol=1e-5)
    square = head.similarity(units, units)
    assert torch.allclose(square, square.T, atol=1e-6)


def test_similarities_are_refused_in_training_mode():
    with pytest.raises(RuntimeError, match="eval"):
        PairHead(5).similarity(torch.zeros(2, 5), torch.zeros(2, 5))


def test_simtrans_t08_sizes_are_the_published_ones():
    with torch.device("meta"):
        assert parameters(PairHead(2048, "4")) == 29_388_802
        assert parameters(PairHead(2048, "2")) == 33_595_394
        assert parameters(DomainClassifier(2048)) == 4_204_546
        assert PairHead(2048, "4").pair_channels == 2048
    with pytest.raises(ConfigError, match="head is"):
        PairHead(8, "3")


def test_input_is_standardised_where_asked():
    head = PairHead(3)
    features = torch.tensor([[1.0, 100, 5], [3.0, 300, 5]])
    head.standardise(features)
    seen = (features - head.shift) * head.scale
    assert torch.allclose(seen.mean(dim=0), torch.zeros(3), atol=1e-6)
    assert torch.isfinite(seen).all()
    assert float(seen[:, 2].abs().max()) == 0


def saved(path, network):
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    about = {"network": network.description, "units": network.units}
    torch.save({"state_dict": state, KEY: about}, path)
    return path


def test_a_file_gives_the_same_network_back_frozen(tmp_path):
    torch.manual_seed(0)
    network = SimNet(lively(PairHead(6, symmetric=True)), None, 2, 3).eval()
    network.anchors.normal_()
    found = load_sim_net(saved(tmp_path / "a.ckpt", network), "pixels")
    units = torch.randn(4, 6)
    assert torch.equal(
        found.network.head.similarity(units, units), network.head.similarity(units, units)
    )
    assert torch.equal(found.network.anchors, network.anchors)
    assert not found.network.training
    assert not any(p.requires_grad for p in found.network.parameters())


def test_windows_become_vectors_and_come_back_from_a_description():
    encoder = WindowEncoder({"backbone": {"name": "mobilenetv2_050", "weights": "x"}})
    network = SimNet(PairHead(encoder.channels), encoder)
    rebuilt = build_sim_net(network.description)
    rebuilt.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 32, 32)
    assert network.units == rebuilt.units == "windows"
    assert torch.equal(network.eval().embed(images), rebuilt.eval().embed(images))
    with pytest.raises(ConfigError, match="backbone"):
        WindowEncoder({"backbone": None})


@pytest.mark.parametrize("fault", ["missing", "cut", "other", "units", "changed"])
def test_files_that_are_no_sim_net_are_told(tmp_path, fault):
    path = saved(tmp_path / "a.ckpt", SimNet(PairHead(6), None, 1, 1))
    if fault == "missing":
        path = tmp_path / "b.ckpt"
    elif fault == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif fault == "other":
        torch.save({"state_dict": {}}, path)
    elif fault == "changed":
        content = torch.load(path)
        del content["state_dict"]["network.head.first.weight"]
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"simnet|SimNet"):
        load_sim_net(path, "windows" if fault == "units" else "pixels")
