import pytest
import torch

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.mean_transition import mean_transition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.adaptation.transition.shared import SharedTransition

BASE, CLASSES, CHANNELS = 3, 5, 6


def head_of(transition):
    """A head with random parameters; its classification part is zero."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    start = transition.initial(BASE, CLASSES, CHANNELS, generator)
    parameters = {name: draw(*value.shape) for name, value in start.items()}
    novel = CLASSES - BASE
    parameters |= {
        "base_weight": torch.zeros(BASE, CHANNELS, dtype=torch.float64),
        "base_bias": torch.zeros(BASE, dtype=torch.float64),
        "novel_weight": torch.zeros(novel, CHANNELS, dtype=torch.float64),
        "novel_bias": torch.zeros(novel, dtype=torch.float64),
    }
    scale = FeatureScale(torch.tensor(0.7, dtype=torch.float64), draw(CHANNELS))
    return AdaptedHead(parameters, transition, draw(BASE, CHANNELS), scale)


@pytest.mark.parametrize("transition", [RankOneTransition(), SharedTransition(), FullTransition(3)])
def test_at_one_pixel_the_matrix_makes_the_logits_from_the_base_scores(transition):
    head = head_of(transition)
    pixel = torch.randn(CHANNELS, 1, 1, dtype=torch.float64)
    matrix = mean_transition(head, pixel)
    scores = head.snapshot_weight @ pixel.flatten()
    assert matrix.shape == (CLASSES, BASE)
    assert torch.allclose(matrix @ scores, head.logits(pixel).flatten())


def test_over_several_pixels_it_is_their_mean():
    head = head_of(RankOneTransition())
    features = torch.randn(CHANNELS, 2, 3, dtype=torch.float64)
    each = [mean_transition(head, f[:, None, None]) for f in features.flatten(1).T]
    assert torch.allclose(mean_transition(head, features), torch.stack(each).mean(0))


def test_without_a_transition_there_is_no_matrix():
    assert mean_transition(head_of(NoTransition()), torch.zeros(CHANNELS, 1, 1)) is None
