import torch

from terrashot.adaptation.methods.imprinting import Imprinting, _best_threshold
from terrashot.adaptation.support.pixels import SupportPixels


def test_the_threshold_parts_own_from_other_pixels():
    own, other = torch.tensor([-3.0, -2.0, -1.0, 4.0]), torch.tensor([-2.5, 2.0, 3.0, 5.0])
    threshold = float(_best_threshold(own, other))
    assert -1.0 < threshold < 2.0
    assert float(_best_threshold(own, None)) == 4.0


def test_the_frozen_classes_stay_and_novel_weights_have_their_length(scene):
    head = Imprinting().head(scene.snapshot, scene.support)
    assert torch.equal(head.weight[:3], scene.snapshot.weight)
    assert torch.equal(head.bias[:3], scene.snapshot.bias)
    x = torch.cat([f.flatten(1) for f in scene.features], dim=1)
    lengths = (head.weight * x.std(dim=1, correction=0)).norm(dim=1)
    assert torch.allclose(lengths[3:], lengths[:3].mean().expand(2))


def test_a_tile_without_background_is_enough(scene):
    labels = [
        torch.full_like(label, own) for label, own in zip(scene.labels, [3, 3, 4, 4], strict=True)
    ]
    support = SupportPixels(scene.features, labels, 3, 2)
    head = Imprinting().head(scene.snapshot, support)
    assert torch.isfinite(head.weight).all()
