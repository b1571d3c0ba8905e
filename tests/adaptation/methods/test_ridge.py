import pytest
import torch

from terrashot.adaptation.methods.ridge import Ridge
from terrashot.errors import ConfigError


def test_the_head_solves_the_penalised_least_squares(scene):
    penalty, weight = 0.05, 0.5
    found = Ridge(penalty=penalty, background_weight=weight, sharpness=1.0)
    head = found.head(scene.snapshot, scene.support)
    x = torch.cat([f.flatten(1) for f in scene.features], dim=1)
    labels = torch.cat([label.flatten() for label in scene.labels])
    deviation = x.std(dim=1, correction=0)
    frozen = scene.snapshot.weight @ x + scene.snapshot.bias[:, None]
    targets = torch.zeros(5, len(labels)).double()
    targets[:3] = frozen.softmax(dim=0) * (labels == 0)
    targets[labels, torch.arange(len(labels))] += (labels > 0).double()
    omega = torch.where(labels == 0, weight, 1.0).double()
    w, b = head.weight.clone().requires_grad_(), head.bias.clone().requires_grad_()
    error = omega * (w @ x + b[:, None] - targets).square()
    loss = error.sum() / omega.sum() + penalty * (w * deviation).square().sum()
    gradients = torch.autograd.grad(loss, [w, b])
    assert max(float(g.abs().max()) for g in gradients) < 1e-10


def test_sharpness_leaves_the_likeliest_class_alone(scene):
    maps = []
    for sharpness in (1.0, 30.0):
        head = Ridge(sharpness=sharpness).head(scene.snapshot, scene.support)
        maps.append(head.logits(scene.query).argmax(dim=0))
    assert maps[0].equal(maps[1])


@pytest.mark.parametrize("name", ["penalty", "background_weight", "sharpness"])
def test_settings_must_be_above_zero(name):
    with pytest.raises(ConfigError, match=f"method.{name}"):
        Ridge(**{name: 0.0})
