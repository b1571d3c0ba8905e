"""All transitions, and random values for one."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from terrashot.adaptation.transition.base import Transition
from terrashot.adaptation.transition.full import FullTransition
from terrashot.adaptation.transition.none import NoTransition
from terrashot.adaptation.transition.rank_one import RankOneTransition
from terrashot.adaptation.transition.shared import SharedTransition

BASE, NOVEL, CHANNELS, PIXELS = 3, 2, 6, 9
CLASSES = BASE + NOVEL

TRANSITIONS = {
    "none": NoTransition(),
    "rank_one": RankOneTransition(),
    "shared rows": SharedTransition("rows"),
    "shared columns": SharedTransition("columns"),
    "full": FullTransition(rank=3),
    "full of rank 1": FullTransition(rank=1),
}


@dataclass
class Case:
    """Random parameters, map values, scores and a gradient of one transition."""

    transition: Transition
    parameters: dict[str, Tensor]
    maps: Tensor
    scores: Tensor
    gradient: Tensor

    def logits(self) -> Tensor:
        shape = self.gradient.shape
        return self.transition.logits(self.parameters, self.maps, self.scores).expand(shape)

    def backward(self, out: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        return self.transition.backward(self.parameters, self.maps, self.scores, self.gradient, out)

    def query(self, index: int) -> "Case":
        """One entry of a batched case."""
        return Case(
            self.transition,
            {name: value[index] for name, value in self.parameters.items()},
            self.maps[index],
            self.scores if self.scores.ndim == 2 else self.scores[index],
            self.gradient[index],
        )


def make_case(transition: Transition, *leading: int, shared: bool = False, seed: int = 0) -> Case:
    """A case with leading dimensions, whose scores are ``shared`` by all entries or not."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    start = transition.initial(BASE, CLASSES, CHANNELS, generator)
    rows = sum(transition.map_rows(BASE, CLASSES).values())
    return Case(
        transition,
        {name: draw(*leading, *value.shape) for name, value in start.items()},
        draw(*leading, rows, PIXELS),
        draw(*(() if shared else leading), BASE, PIXELS),
        draw(*leading, CLASSES, PIXELS),
    )


@pytest.fixture(params=TRANSITIONS, ids=str)
def transition(request: pytest.FixtureRequest) -> Transition:
    return TRANSITIONS[request.param]


@pytest.fixture
def case_of():
    return make_case
