"""From an adapted head to a map: flips, smoothing, upsampling, for every method alike."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from terrashot.errors import ConfigError
from terrashot.networks.upsampling import upsample

Choice = TypeVar("Choice", str, int)
View = tuple[int, ...]
"""The dimensions along which an image is flipped: () for the image as it is."""

_VIEWS: dict[str, list[View]] = {
    "none": [()],
    "h": [(), (-1,)],
    "hv": [(), (-1,), (-2,), (-2, -1)],
}
# Rows of Pascal's triangle: the usual small Gaussian windows.
_GAUSSIAN = {3: (1.0, 2.0, 1.0), 5: (1.0, 4.0, 6.0, 4.0, 1.0)}


class PixelHead(Protocol):
    """Anything that says of features ``[C, h, w]`` the logits ``[K, h, w]``."""

    def logits(self, features: Tensor) -> Tensor:
        """Logits ``[K, h, w]``."""
        ...


class Inference:
    """How class probabilities become a map.

    Softmax at feature resolution, smoothing, upsampling, mean over the views, argmax. A head is
    adapted on the image as it is; flips only add views of the query to the prediction.

    Args:
        flips: ``none``; ``h``: also mirrored left to right; ``hv``: all four mirrorings.
        smoothing: Side of the window, in features, whose mean a probability becomes: 0, 3 or 5.
        window: ``box`` or ``gaussian`` weights in it.

    Raises:
        ConfigError: an unknown choice.
    """

    def __init__(self, flips: str = "none", smoothing: int = 0, window: str = "box") -> None:
        self.flips = _choice("flips", flips, list(_VIEWS))
        self.smoothing = _choice("smoothing", smoothing, [0, 3, 5])
        self.window = _choice("window", window, ["box", "gaussian"])

    def views(self) -> list[View]:
        """The views whose features are needed, the image as it is first; see ``flip``."""
        return list(_VIEWS[self.flips])

    @torch.no_grad()
    def predict_map(
        self,
        heads: PixelHead | Sequence[PixelHead],
        features_per_view: Sequence[Tensor],
        size: tuple[int, int],
        stride: int,
        align_corners: bool = False,
        return_probabilities: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Class map of one tile.

        Args:
            heads: One head for all views, or one a view.
            features_per_view: Features ``[C, h, w]`` at native stride of ``flip(image, view)`` for
                each of ``views()``.
            size: Height and width of the map.
            stride: Image pixels a feature covers in each direction.
            align_corners: See ``upsample``.
            return_probabilities: Also return the upsampled probabilities.

        Returns:
            Classes ``[H, W]``, uint8, and probabilities ``[K, H, W]`` or None.

        Raises:
            ValueError: not one feature map, or not one head, a view.
        """
        views = self.views()
        each = list(heads) if isinstance(heads, Sequence) else [heads] * len(views)
        if len(features_per_view) != len(views) or len(each) != len(views):
            raise ValueError(
                f"inference.flips={self.flips} has {len(views)} views, but there are "
                f"{len(features_per_view)} feature maps and {len(each)} heads"
            )
        # Where the size is no multiple of the stride, the last features reach beyond the image on
        # one side, in flipped views on the other: these can only be flipped back as pixels.
        covered = [side * stride for side in features_per_view[0].shape[1:]]
        early = align_corners or covered == list(size)
        total: Tensor | None = None
        for view, head, features in zip(views, each, features_per_view, strict=True):
            part = smooth(head.logits(features).softmax(dim=0), self.smoothing, self.window)
            if not early:
                part = upsample(part, size, stride, align_corners)
            part = flip(part, view)
            total = part if total is None else total.add_(part)
        assert total is not None
        probabilities = total.div_(len(views))
        if early:
            probabilities = upsample(probabilities, size, stride, align_corners)
        classes = probabilities.argmax(dim=0).to(torch.uint8)
        return classes, probabilities if return_probabilities else None


def flip(image: Tensor, view: View) -> Tensor:
    """A view of an image, mask or map ``[..., H, W]``; applied twice it is the image again."""
    return image.flip(view) if view else image


def smooth(probabilities: Tensor, size: int, window: str = "box") -> Tensor:
    """Mean of the probabilities ``[..., h, w]`` over a window of ``size`` x ``size`` around each.

    At the border the mean is over what lies inside, so that a pixel's probabilities still sum
    to 1 and no class is favoured there.
    """
    if size <= 1:
        return probabilities
    sides, margin = probabilities.shape[-2:], size // 2
    maps = probabilities.reshape(-1, 1, *sides)  # each by itself
    if window == "box":
        maps = functional.avg_pool2d(maps, size, stride=1, padding=margin, count_include_pad=False)
        return maps.view_as(probabilities)
    weights = maps.new_tensor(_GAUSSIAN[size])
    inside = torch.ones_like(maps[:1])
    for shape, padding in [((1, 1, size, 1), (margin, 0)), ((1, 1, 1, size), (0, margin))]:
        maps = functional.conv2d(maps, weights.view(shape), padding=padding)
        inside = functional.conv2d(inside, weights.view(shape), padding=padding)
    return (maps / inside).view_as(probabilities)


def _choice(name: str, value: Choice, choices: list[Choice]) -> Choice:
    if isinstance(value, bool) or value not in choices:
        known = ", ".join(map(str, choices))
        raise ConfigError(f"inference.{name} is '{value}', but it must be one of {known}.")
    return value
