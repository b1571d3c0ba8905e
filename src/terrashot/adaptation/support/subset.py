"""A small random share of the support that stands for all of it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import torch

from terrashot.adaptation.objective.support_pass import LabelledBlock, ScoredBlock

_FEWEST = 256
"""Pixels of a label that are always kept: a class of one car must not vanish."""


def thinned(
    blocks: Sequence[LabelledBlock], background: float, novel: float, seed: int
) -> list[LabelledBlock]:
    """Draw a share of the pixels of each label and tile class, weighted to stand for all.

    Args:
        blocks: Support pixels, those of one rule next to each other.
        background: Share of the pixels of label 0.
        novel: Share of all others.
        seed: Of the choice.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for rule, group in groupby(blocks, lambda block: (block.rule.label, block.rule.classes.start)):
        members = list(group)
        share = background if rule[0] == 0 else novel
        sizes = [member.block.pixels.shape[1] for member in members]
        wanted = min(sum(sizes), max(_FEWEST, math.ceil(share * sum(sizes))))
        pixels, scores, trust = [], [], dict[int, torch.Tensor]()
        for member, size in zip(members, sizes, strict=True):
            count = min(size, math.ceil(wanted * size / sum(sizes)))
            index = torch.randperm(size, generator=generator)[:count].sort().values
            index = index.to(member.block.pixels.device)
            pixels.append(member.block.pixels[:, index])
            scores.append(member.block.scores[:, index])
            if member.weights is not None:
                trust[len(scores) - 1] = member.weights[index]
        joined = ScoredBlock(torch.cat(pixels, dim=1), torch.cat(scores, dim=1))
        weight = members[0].coefficient * sum(sizes) / joined.pixels.shape[1]
        weights = None
        if trust:  # pixels that the method labelled itself have none
            weights = torch.cat(
                [trust.get(i, s.new_ones(s.shape[1])) for i, s in enumerate(scores)]
            )
        chosen.append(replace(members[0], block=joined, coefficient=weight, weights=weights))
    return chosen
