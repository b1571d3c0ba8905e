import pytest
import torch

from terrashot.adaptation.batched_head import BatchedHead, head_from_state
from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.networks.upsampling import enlarged

BASE, NOVEL, CHANNELS = 3, 2, 7
TRANSITIONS = [NoTransition(), RankOneTransition(), FullTransition(rank=2)]


def head(transition):
    generator = torch.Generator().manual_seed(3)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    start = transition.initial(BASE, BASE + NOVEL, CHANNELS, generator)
    parameters = {
        "base_weight": draw(BASE, CHANNELS),
        "base_bias": draw(BASE),
        "novel_weight": draw(NOVEL, CHANNELS),
        "novel_bias": draw(NOVEL),
        **{name: draw(*value.shape) for name, value in start.items()},
    }
    scale = FeatureScale(draw(CHANNELS).abs() + 0.5, draw(CHANNELS))
    return AdaptedHead(parameters, transition, draw(BASE, CHANNELS), scale)


@pytest.mark.parametrize("transition", TRANSITIONS, ids=lambda t: type(t).__name__)
def test_a_batch_has_the_logits_of_its_tiles_whole_and_in_parts(transition):
    one = head(transition)
    fine, coarse = torch.randn(2, 4, 8, 6), torch.randn(2, 3, 4, 3)
    joined = torch.cat([fine, enlarged(coarse, (8, 6))], dim=1)
    expected = torch.stack([one.logits(tile) for tile in joined])
    batched = BatchedHead(one)
    torch.testing.assert_close(batched(joined), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(batched(fine, coarse), expected, rtol=1e-4, atol=1e-4)
    stored = BatchedHead(head_from_state(batched.state_dict(), transition))
    assert torch.equal(stored(joined), batched(joined))


def test_what_follows_from_the_head_is_not_in_its_file():
    assert not {"rows", "bias"} & set(BatchedHead(head(RankOneTransition())).state_dict())
