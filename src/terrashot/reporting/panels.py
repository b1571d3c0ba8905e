"""The panel picture of one tile: image, truth, prediction, error."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from terrashot.evaluation.scores import gfss_scores
from terrashot.files import atomic_write
from terrashot.image_spec import ImageSpec
from terrashot.reporting.legend import GAP, INK, Entry, Legend, font
from terrashot.taxonomy import IGNORE, Taxonomy

WRONG = (214, 39, 40)
IGNORED = (128, 128, 128)
_TITLE = 30
_HEAD = 22


@dataclass(frozen=True)
class Panel:
    """One tile with its truth and its prediction.

    Attributes:
        name: The tile's name.
        image: uint8 [H, W, 3].
        truth: Class ids, uint8 [H, W].
        prediction: Class ids, uint8 [H, W].
    """

    name: str
    image: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray

    @classmethod
    def from_tensors(
        cls,
        name: str,
        image: Tensor,
        mask: Tensor,
        prediction: Tensor,
        spec: ImageSpec | None = None,
    ) -> "Panel":
        """From an image in 0..1 [C, H, W] and two maps of class ids [H, W], on any device.

        ``spec`` says which channels a person sees; None: 8-bit RGB.
        """
        return cls(
            name,
            (spec or ImageSpec()).picture(image),
            mask.detach().to(torch.uint8).cpu().numpy(),
            prediction.detach().to(torch.uint8).cpu().numpy(),
        )

    def shrunk(self, side: int) -> "Panel":
        """The panel with its longer side at most ``side`` pixels (maps by nearest neighbour)."""
        height, width = self.truth.shape
        scale = side / max(height, width)
        if scale >= 1:
            return self
        size = (max(1, round(width * scale)), max(1, round(height * scale)))

        def resize(array: np.ndarray, how: Image.Resampling) -> np.ndarray:
            return np.asarray(Image.fromarray(array).resize(size, how))

        return Panel(
            self.name,
            resize(self.image, Image.Resampling.BOX),
            resize(self.truth, Image.Resampling.NEAREST),
            resize(self.prediction, Image.Resampling.NEAREST),
        )


def error_map(panel: Panel) -> np.ndarray:
    """The image in pale grey where the prediction is right, red where wrong, uint8 [H, W, 3].

    Pixels without a truth (``IGNORE``) are mid-grey.
    """
    grey = panel.image.astype(np.float32).mean(axis=2, keepdims=True)
    pale = np.repeat(255 - 0.22 * (255 - grey), 3, axis=2).round().astype(np.uint8)
    pale[panel.truth != panel.prediction] = WRONG
    pale[panel.truth == IGNORE] = IGNORED
    return pale


def legend_entries(panel: Panel, taxonomy: Taxonomy) -> list[Entry]:
    """Name and colour of the classes that the truth or the prediction of the tile shows."""
    seen = set(np.unique(panel.truth)) | set(np.unique(panel.prediction))
    entries = [(c.name, c.rgb) for c in taxonomy.classes if c.index in seen]
    if IGNORE in seen:
        entries.append(("no label", IGNORED))
    return [*entries, ("wrong", WRONG)]


def tile_miou(panel: Panel, taxonomy: Taxonomy) -> float:
    """Mean IoU over the base and novel classes that the tile shows; nan without any."""
    size = taxonomy.num_classes
    labelled = panel.truth != IGNORE
    truth = panel.truth[labelled].astype(np.int64)
    pairs = truth * size + panel.prediction[labelled]
    counts = np.bincount(pairs, minlength=size * size)[: size * size].reshape(size, size)
    return gfss_scores(torch.from_numpy(counts), taxonomy).mean_miou


def panel_picture(panel: Panel, taxonomy: Taxonomy, side: int = 512) -> np.ndarray:
    """Draw ``image | truth | prediction | error`` with title and legend.

    Args:
        panel: The tile.
        taxonomy: Names and colours.
        side: Longest side of each of the four pictures in pixels.

    Returns:
        uint8 [H', W', 3].
    """
    score = tile_miou(panel, taxonomy)
    small = panel.shrunk(side)
    colors = taxonomy.palette()
    pictures = {
        "image": small.image,
        "truth": colors[small.truth],
        "prediction": colors[small.prediction],
        "error": error_map(small),
    }
    height, width = small.truth.shape
    step = max(width, 110) + GAP
    full_width = 4 * step + GAP
    legend = Legend(legend_entries(panel, taxonomy), full_width)
    full_height = _TITLE + _HEAD + height + legend.height
    canvas = Image.new("RGB", (full_width, full_height), "white")
    draw = ImageDraw.Draw(canvas)
    miou = "no class labelled" if np.isnan(score) else f"mean IoU {score:.3f}"
    draw.text((GAP, 7), panel.name, INK, font(15, bold=True))
    draw.text((full_width - GAP, 7), miou, INK, font(15), anchor="ra")
    for number, (label, picture) in enumerate(pictures.items()):
        left = GAP + number * step
        draw.text((left, _TITLE + 3), label, (100, 108, 117), font(12))
        canvas.paste(Image.fromarray(np.ascontiguousarray(picture)), (left, _TITLE + _HEAD))
    legend.draw(draw, _TITLE + _HEAD + height)
    return np.asarray(canvas)


def save_panel(picture: np.ndarray, path: Path) -> Path:
    """Write a picture (uint8 [H, W, 3]) as PNG, whole or not at all."""
    with atomic_write(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG")
    return path
