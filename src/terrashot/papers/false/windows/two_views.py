"""Two independent random views of one window, for contrastive pretraining."""

import math

import torch
from torch import Tensor
from torchvision.transforms import v2

from terrashot.errors import ConfigError

# Lowest and highest value of a setting; 0 and 1 for those that do not stand here.
_LIMITS = {
    "size": (16, 4096),
    "scale_min": (0.01, 1),
    "color_strength": (0, 1.25),  # hue turns by 0.2 of it at most, and half a turn is the limit
    "blur_sigma": (0.1, 50),
}


class TwoViews:
    """SimCLR's views for tiles seen from above: any of the eight turns and flips is as likely.

    Source: Chen et al. 2020 (SimCLR), appendix A. All draws come from torch's global generator.

    Args:
        size: side of a view in pixels.
        scale_min: a view shows at least this share of the window's area. SimCLR's 0.08 can show
            two kinds of land cover in one pair, which makes the pair a false positive.
        hflip_p: probability of a left-right flip.
        vflip_p: probability of an upside-down flip.
        rot90_p: probability of a turn by 90, 180 or 270 degrees.
        color_strength: of the colour distortion: brightness, contrast and saturation by 0.8 of it,
            hue by 0.2 of it.
        color_p: probability of the colour distortion.
        grey_p: probability of a grey view.
        blur_p: probability of a Gaussian blur.
        blur_sigma: largest blur in pixels of the view; the smallest is 0.1.

    Raises:
        ConfigError: a probability outside 0..1, or a size or a limit that makes no sense.
    """

    def __init__(
        self,
        size: int = 224,
        scale_min: float = 0.2,
        hflip_p: float = 0.5,
        vflip_p: float = 0.5,
        rot90_p: float = 0.75,
        color_strength: float = 1.0,
        color_p: float = 0.8,
        grey_p: float = 0.2,
        blur_p: float = 0.5,
        blur_sigma: float = 2.0,
    ) -> None:
        settings = {name: value for name, value in locals().items() if name != "self"}
        for name, value in settings.items():
            lowest, highest = _LIMITS.get(name, (0, 1))
            if not lowest <= value <= highest:
                raise ConfigError(
                    f"augmentation.{name} is {value}, but it must lie from {lowest} to {highest}. "
                    "See the comments in configs/augmentation/two_views.yaml."
                )
        self.size = size
        turns = v2.RandomChoice([v2.RandomRotation((degrees, degrees)) for degrees in _TURNS])
        part = 0.8 * color_strength
        jitter = v2.ColorJitter(part, part, part, 0.2 * color_strength)
        # Reflection at the border asks for a view larger than half the kernel.
        reach = min(math.ceil(3 * blur_sigma), size // 2 - 1)
        self._view = v2.Compose(
            [
                v2.RandomResizedCrop(size, scale=(scale_min, 1.0), antialias=True),
                v2.RandomHorizontalFlip(hflip_p),
                v2.RandomVerticalFlip(vflip_p),
                v2.RandomApply([turns], rot90_p),
                v2.RandomApply([jitter], color_p),
                v2.RandomGrayscale(grey_p),
                v2.RandomApply([v2.GaussianBlur(2 * reach + 1, (0.1, blur_sigma))], blur_p),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )
        self._whole = v2.Compose(
            [v2.Resize([size, size], antialias=True), v2.ToDtype(torch.float32, scale=True)]
        )

    def __call__(self, window: Tensor) -> Tensor:
        """Two views, float32 [2, 3, size, size] in 0..1, of a window uint8 [3, H, W]."""
        return torch.stack([self._view(window), self._view(window)])

    def whole(self, window: Tensor) -> Tensor:
        """The whole window at the size of a view, unchanged otherwise: float32 [3, size, size]."""
        resized: Tensor = self._whole(window)
        return resized


# Whole quarters: torchvision moves pixels then and interpolates nothing.
_TURNS = (90, 180, 270)
