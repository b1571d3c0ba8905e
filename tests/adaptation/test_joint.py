import pytest
import torch

from terrashot.adaptation.joint import JointSelfTraining, surest
from terrashot.adaptation.methods.ridge import Ridge
from terrashot.adaptation.support.pixels import SupportPixels
from terrashot.errors import ConfigError


class FixedHead:
    """A head that gives the classes it is told, with the sureness it is told."""

    diverged = False

    def __init__(self, labels, classes=4):
        self.probabilities = torch.full((classes, len(labels)), 0.01)
        self.probabilities[labels, torch.arange(len(labels))] = 0.9

    def logits(self, features):
        return self.probabilities.log().unsqueeze(1)


def run(scene, **settings):
    """Two base classes with background, two novel ones."""
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

    joint = JointSelfTraining(**settings)
    sample = scene.query.flatten(1).unsqueeze(1)
    before = method.adapt(scene.query)
    head = joint.run(sample, 3, method.adapt, refit)
    return joint, sample, before, head, taken


def test_the_surest_share_of_each_class_is_taken_and_none_of_background():
    labels = torch.tensor([0, 1, 1, 1, 2, 2, 0, 1])
    sureness = torch.tensor([0.99, 0.2, 0.6, 0.4, 0.1, 0.3, 0.98, 0.5])
    # 2 of the 4 pixels of class 1, though all of class 2 are less sure; 1 of 2.
    assert surest(sureness, labels, 0.5).tolist() == [2, 5, 7]
    assert surest(sureness, labels, 0.01).tolist() == [2, 5]  # never less than one
    assert surest(sureness, labels, 1.0).tolist() == [1, 2, 3, 4, 5, 7]


def test_equally_sure_pixels_come_in_their_order():
    assert surest(torch.full((6,), 0.5), torch.ones(6).long(), 0.5).tolist() == [0, 1, 2]


def test_each_round_takes_its_pixels_anew_and_fits(scene):
    joint, sample, before, after, taken = run(scene, rounds=2, share=0.5, limit=100)
    assert len(taken) == len(joint.history) == 2
    for ([features], [labels]), found in zip(taken, joint.history, strict=True):
        assert features.shape == (12, 1, labels.shape[1])
        assert torch.equal(labels.flatten().bincount(minlength=5), found.pixels)
        assert int(found.pixels[0]) == 0
        columns = {tuple(column) for column in sample[:, 0].T.tolist()}
        assert {tuple(column) for column in features[:, 0].T.tolist()} <= columns
    assert not torch.equal(before.parameters["novel_weight"], after.parameters["novel_weight"])


def outcome(predictions, rounds=3, limit=4.0):
    """Rounds of heads with given classes: which one stays, what the method was last fitted to."""
    heads = [FixedHead(torch.tensor(labels)) for labels in predictions]
    coming = iter(heads)
    fitted = []
    joint = JointSelfTraining(rounds=rounds, share=1.0, limit=limit)
    sample = torch.zeros(2, 1, len(predictions[0]))
    head = joint.run(sample, 2, lambda _: next(coming), lambda _, labels: fitted.append(labels))
    stays = heads.index(head)
    return joint, stays, [labels[0].tolist()[0] if labels else [] for labels in fitted]


def test_a_class_that_runs_over_brings_the_head_before_it_back():
    start, good = [1, 1, 1, 1, 1, 1, 1, 2], [1, 1, 1, 1, 1, 1, 2, 2]
    over = [2, 2, 2, 2, 2, 1, 1, 1]
    joint, stays, fitted = outcome([start, good, over])
    assert stays == 1
    assert fitted == [start, good, start]  # the fit to `good` made the head that ran over
    assert [found.stopped for found in joint.history] == [None, None, 2]


def test_a_class_that_is_found_in_the_background_has_not_run_over():
    start, found = [0, 0, 0, 0, 1, 1, 1, 2], [2, 2, 2, 2, 1, 1, 1, 2]
    joint, stays, _ = outcome([start, found, found], rounds=2)
    assert stays == 2
    over = [2, 2, 2, 2, 2, 1, 1, 2]  # six in place of one, of which background explains four
    joint, stays, _ = outcome([start, over], rounds=1, limit=1.5)
    assert stays == 0
    assert joint.history[-1].stopped == 2


def test_a_class_that_vanishes_ends_the_rounds_too():
    start, gone = [1, 1, 2, 2, 2, 3, 3, 3], [1, 1, 1, 1, 1, 3, 3, 3]
    joint, stays, fitted = outcome([start, gone])
    assert stays == 0
    assert fitted == [start, []]
    assert joint.history[-1].stopped == 2


def test_the_head_of_the_last_round_is_looked_at_too():
    start, over = [1, 1, 1, 1, 1, 1, 1, 2], [2] * 8
    joint, stays, fitted = outcome([start, over], rounds=1)
    assert stays == 0
    assert fitted == [start, []]
    assert joint.history[-1].stopped == 2


@pytest.mark.parametrize(
    "bad", [{"rounds": 0}, {"share": 0.0}, {"share": 1.1}, {"pixels": 0}, {"limit": 1.0}]
)
def test_impossible_settings_are_errors(bad):
    with pytest.raises(ConfigError, match=f"adaptation.joint.{next(iter(bad))} is"):
        JointSelfTraining(**bad)
