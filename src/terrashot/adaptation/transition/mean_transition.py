"""What a transition comes to on the pixels of a query, as one matrix."""

import torch
from torch import Tensor

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.transition.none import NoTransition


@torch.no_grad()
def mean_transition(head: AdaptedHead, features: Tensor) -> Tensor | None:
    """The mean over the pixels of the matrix from base scores to logits; None without one.

    Every transition is linear in the scores of the frozen base head once its maps are known: at a
    pixel, ``t = T(x) s``. Its columns are what it makes of the unit vectors.

    Args:
        head: adapted to the query.
        features: of the query, ``[C, h, w]``.

    Returns:
        ``[K, B]``: what one unit of a base class's score adds to each logit.
    """
    if isinstance(head.transition, NoTransition):
        return None
    pixels = features.to(head.snapshot_weight).flatten(1)  # [C, P]
    weight, bias = head.scale.to_raw(*head.transition.maps(head.parameters))
    maps = torch.addmm(bias.unsqueeze(1), weight, pixels)  # [M, P]
    num_base = head.snapshot_weight.shape[0]
    scores = pixels.new_zeros(num_base, pixels.shape[1])
    columns = []
    for base in range(num_base):
        scores[base] = 1
        columns.append(head.transition.logits(head.parameters, maps, scores).mean(dim=-1))
        scores[base] = 0
    return torch.stack(columns, dim=-1)
