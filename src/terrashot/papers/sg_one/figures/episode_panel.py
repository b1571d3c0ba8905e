"""The picture of one episode: support, query, truth, prediction, similarity."""

from dataclasses import dataclass
from functools import lru_cache

import matplotlib
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from terrashot.image_spec import ImageSpec

_INK = (36, 41, 47)
_MUTED = (100, 108, 117)
_SHOWN = np.array([217, 130, 43], dtype=np.float32)  # the class
_IGNORED = np.array([128, 128, 128], dtype=np.float32)
_GAP = 8
_TITLE = 30
_HEAD = 22


@dataclass(frozen=True)
class EpisodePanel:
    """One episode, ready to be drawn.

    Attributes:
        name: Class and tiles.
        support: uint8 [H, W, 3].
        support_mask: 1 the class, 0 not, other values ignored, uint8 [H, W].
        query: uint8 [H', W', 3].
        truth: As ``support_mask``, of the query.
        prediction: 1 the class, uint8 [H', W'].
        similarity: Cosines -1..1, float32 [h, w].
    """

    name: str
    support: np.ndarray
    support_mask: np.ndarray
    query: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    similarity: np.ndarray

    @classmethod
    def from_tensors(
        cls, name: str, tensors: dict[str, Tensor], spec: ImageSpec | None = None
    ) -> "EpisodePanel":
        """From one episode's tensors, named as in a sample, with prediction and similarity.

        ``spec`` says which channels a person sees; None: 8-bit RGB.
        """

        def image(key: str) -> np.ndarray:
            return (spec or ImageSpec()).picture(tensors[key])

        def mask(key: str) -> np.ndarray:
            return tensors[key].detach().to(torch.uint8).cpu().numpy()

        return cls(
            name,
            image("support_image"),
            mask("support_mask"),
            image("query_image"),
            mask("query_mask"),
            mask("prediction"),
            tensors["similarity"].detach().float().cpu().numpy(),
        )


def episode_picture(panel: EpisodePanel, side: int = 320) -> np.ndarray:
    """Draw ``support | query | truth | prediction | similarity`` in a row.

    The class is orange, ignored pixels are grey; the similarity map goes from blue (-1) over white
    (0) to red (1).

    Args:
        panel: The episode.
        side: Longest side of each of the five pictures in pixels.

    Returns:
        uint8 [H'', W'', 3].
    """
    scale = matplotlib.colormaps["RdBu_r"]((panel.similarity + 1) / 2)[..., :3]
    similarity = (255 * scale).round().astype(np.uint8)
    pictures = {
        "support": _tinted(panel.support, panel.support_mask),
        "query": panel.query,
        "truth": _tinted(panel.query, panel.truth),
        "prediction": _tinted(panel.query, panel.prediction),
        f"cosine {panel.similarity.min():.2f} to {panel.similarity.max():.2f}": similarity,
    }
    drawn = {
        label: _fitted(picture, side, panel.query.shape[:2] if picture is similarity else None)
        for label, picture in pictures.items()
    }
    width = sum(max(p.width, 130) + _GAP for p in drawn.values()) + _GAP
    height = _TITLE + _HEAD + max(p.height for p in drawn.values()) + _GAP
    canvas = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP, 7), panel.name, _INK, _font(15))
    left = _GAP
    for label, picture in drawn.items():
        draw.text((left, _TITLE + 3), label, _MUTED, _font(12))
        canvas.paste(picture, (left, _TITLE + _HEAD))
        left += max(picture.width, 130) + _GAP
    return np.asarray(canvas)


def _tinted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image, paler outside the class, orange on it, grey where ignored."""
    pixels = image.astype(np.float32)
    pixels[mask == 0] = 255 - 0.35 * (255 - pixels[mask == 0])
    pixels[mask == 1] = 0.45 * pixels[mask == 1] + 0.55 * _SHOWN
    pixels[mask > 1] = 0.3 * pixels[mask > 1] + 0.7 * _IGNORED
    return pixels.round().astype(np.uint8)


def _fitted(picture: np.ndarray, side: int, size: tuple[int, int] | None) -> Image.Image:
    """The picture with its longer side at ``side``; ``size``: height and width it stands for."""
    height, width = size or picture.shape[:2]
    scale = side / max(height, width)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    return Image.fromarray(picture).resize(fitted, Image.Resampling.BILINEAR)


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Pillow brings no font with accents or arrows; matplotlib does.
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
