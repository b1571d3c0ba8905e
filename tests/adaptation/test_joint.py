import pytest
import torch

from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.methods.ridge import Ridge
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import ConfigError


def run(scene, **settings):
    method = Ridge()
    method.fit_support(scene.snapshot, scene.support)
    taken = []

    def refit(features, labels):
        taken.append((features, labels))
        support = SupportPixels(
            [*scene.features, *features], [*scene.labels, *labels], 3, 2,
            tile_classes=[3, 3, 4, 4, *[None] * len(features)],
        )  # fmt: skip
        method.fit_support(scene.snapshot, support)

    valid = torch.ones(10, 10, dtype=torch.bool)
    valid[:5] = False
    before = method.adapt(scene.query)
    joint = JointSelfTraining(**settings)
    joint.run(
        lambda: iter([(scene.query, valid), (scene.query, ~valid)]),
        lambda features, valid: method.adapt(features),
        refit,
    )
    return before, method.adapt(scene.query), taken


def test_confident_pixels_of_all_queries_become_support(scene):
    before, after, taken = run(scene, rounds=2, confidence=0.7, pixels=3)
    assert len(taken) == 2
    for features, labels in taken:
        assert len(features) == 2
        for tile, label in zip(features, labels, strict=True):
            assert tile.shape == (12, 1, label.shape[1])
            assert label.flatten().bincount().max() <= 3
    assert not torch.equal(before.parameters["novel_weight"], after.parameters["novel_weight"])


def test_only_valid_pixels_are_taken(scene):
    _, _, taken = run(scene, rounds=1, confidence=0.01, pixels=1000)
    lower, upper = taken[0][0]
    assert lower.shape[2] == upper.shape[2] == 50
    found = {tuple(column) for column in lower[:, 0].T.tolist()}
    wanted = {tuple(column) for column in scene.query[:, 5:].flatten(1).T.tolist()}
    assert found == wanted


def test_nothing_is_taken_where_the_head_is_never_sure(scene):
    before, after, taken = run(scene, rounds=1, confidence=1.0)
    assert taken == [([], [])]
    assert torch.equal(before.parameters["novel_weight"], after.parameters["novel_weight"])


@pytest.mark.parametrize("bad", [{"rounds": 0}, {"confidence": 0.0}, {"pixels": 0}])
def test_impossible_settings_are_errors(bad):
    with pytest.raises(ConfigError, match=f"adaptation.joint.{next(iter(bad))} is"):
        JointSelfTraining(**bad)
