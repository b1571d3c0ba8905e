"""Whether a confidence of 80 % is right in 80 of 100 pixels."""

import torch
from torch import Tensor

BINS = 15
"""As Guo et al. (ICML 2017) report it."""


def reliability(confidence: Tensor, correct: Tensor, bins: int = BINS) -> Tensor:
    """What a reliability diagram is drawn from, float64 ``[bins, 3]``; sums of tiles add up.

    Args:
        confidence: Probability of the predicted class ``[N]``.
        correct: Whether it is the true one ``[N]``, bool.
        bins: Intervals of the same width, each with its upper and without its lower end.

    Returns:
        For each interval the number of pixels, the sum of their confidences, and how many of them
        are right.
    """
    values = confidence.double()
    place = ((values * bins).ceil().long() - 1).clamp(0, bins - 1)
    columns = [torch.ones_like(values), values, correct.double()]
    sums = [torch.bincount(place, weights=c, minlength=bins) for c in columns]
    return torch.stack(sums, dim=1).cpu()


def expected_calibration_error(counts: Tensor) -> float:
    """Mean distance between confidence and accuracy, 0 to 1; nan without a pixel.

    Source: Naeini, Cooper and Hauskrecht, AAAI 2015, equation of the ECE: over the intervals, the
    share of the pixels times how far their mean confidence is from their accuracy.

    Args:
        counts: Of ``reliability``.
    """
    pixels = float(counts[:, 0].sum())
    if not pixels:
        return float("nan")
    return float((counts[:, 1] - counts[:, 2]).abs().sum()) / pixels
