"""How sure a head may be: each support tile is scored by a head that has not seen it."""

import copy
import warnings

from torch import Tensor

from terrashot.adaptation.inference import Inference
from terrashot.adaptation.support.folds import support_folds
from terrashot.adaptation.temperature import Calibration, TemperatureFit, allowed_classes
from terrashot.errors import TerrashotError
from terrashot.model.support_fit import SupportFit

_PIXELS = 1 << 18
"""About so many support pixels a head without a tile is fitted to."""


def left_out_calibration(
    fit: SupportFit,
    query: Tensor,
    inference: Inference | None = None,
    align_corners: bool | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit the temperature of an adapted head, with at most five further heads.

    A head without some tiles is fitted as the one of all tiles was, from the same start: to begin
    where that one ended would let it know what it is to be asked. Its map of a tile that was left
    out is made as maps are, over the same views, and held against the labels of people at their
    own resolution. Label 0 there means "anything but the class of this tile".

    Args:
        fit: The fitted method; stays as it is.
        query: What the method adapted to beside its support ``[C, h, w]``.
        inference: How maps are made; None: as they come.
        align_corners: Of the upsampling; None: as stage 1 upsampled its logits.
        seed: Of everything random.
    """
    support, network, tiles = fit.pixels, fit.network, fit.tiles
    folds = support_folds(support, _PIXELS)
    if not folds:
        return Calibration(
            None, "each novel class has a single support tile, so that none can be left out"
        )
    how = inference or Inference()
    stride = network.segmenter.stride
    align = network.segmenter.align_corners if align_corners is None else align_corners
    found, scored, outside = TemperatureFit(), 0, 0
    for fold in folds:
        # The solver's own state goes along, but the head of all tiles is there already.
        method = copy.copy(fit.method)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd about the support was said before
                fit.fit_other(method, fold.rest())
                head = method.adapt(query, seed=seed)
        except TerrashotError:
            continue
        if head.diverged:
            continue
        for tile in fold.tiles:
            mask = tiles.mask(tile).to(network.device)
            size = (mask.shape[0], mask.shape[1])
            views = [network.support(tiles, tile, view) for view in how.views()]
            _, probabilities = how.predict_map(head, views, size, stride, align, True)
            assert probabilities is not None
            own = allowed_classes(mask.flatten(), support.num_classes, tiles.class_ids[tile])
            found.add(probabilities.flatten(1), own)
            outside += int((mask < support.num_base).sum())
            scored += 1
    temperature = found.temperature
    if temperature is None:
        return Calibration(None, "no head without a support tile could be fitted")
    if not outside:
        return Calibration(
            None,
            "the labels show where the novel classes are and nowhere that they are not, so that "
            "false alarms would count for nothing",
        )
    return Calibration(temperature, f"{scored} support tiles, each left out once")
