"""The adapted model as a program for other software: ONNX and torch.export."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from terrashot.errors import ConfigError, TerrashotError, one_line
from terrashot.files import atomic_write
from terrashot.image_spec import ImageSpec
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.views import Views
from terrashot.networks.segmenter import PAD_MULTIPLE
from terrashot.taxonomy import IGNORE

SMALLEST, LARGEST = 64, 8192
"""Sides of an image that a program with free sides takes, in pixels."""
INPUTS, OUTPUTS = ("image",), ("classes", "probabilities")
METADATA_FILE = "metadata.json"
"""In a .pt2 archive, what stands in ``metadata_props`` of an ONNX file."""


class MapProgram(nn.Module):
    """From the pixels of a picture to its map: all preprocessing is inside.

    Args:
        model: The adapted model.
        views: ``plain``: the image as it is; ``flips`` or ``dihedral``: the mean over 4 or 8 views
            is part of the program, which then takes 4 or 8 times as long.
    """

    low: Tensor
    span: Tensor

    def __init__(self, model: AdaptedModel, views: str = "plain") -> None:
        super().__init__()
        self.model = model
        self.views = Views(views)
        scale = model.segmenter.spec.scale
        self.scaled = scale is not None
        low, high = (
            torch.tensor(v).view(1, -1, 1, 1) for v in zip(*(scale or [(0.0, 1.0)]), strict=True)
        )
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", high - low, persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Classes [B, H, W], uint8, and probabilities [B, K, H, W] of pictures [B, C, H, W].

        Pixels are the values of the files: uint8, or float32 for imagery of another type. What is
        no finite number becomes class 255, with probabilities of 0.
        """
        if not self.scaled:
            return self.map_unit(image.float() / 255)
        valid = torch.isfinite(image).all(dim=1)
        classes, probabilities = self.map_unit(self._unit(image) * valid[:, None])
        empty = torch.full_like(classes, IGNORE)
        return torch.where(valid, classes, empty), probabilities * valid[:, None]

    def map_unit(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The same of pictures in 0..1."""
        probabilities = self.views(self.model, image)
        classes = probabilities.argmax(dim=1).to(torch.uint8)
        calibrated = self.model.calibration.apply(probabilities.transpose(0, 1)).transpose(0, 1)
        return classes, calibrated

    def _unit(self, image: Tensor) -> Tensor:
        """In 0..1, as ``ImageSpec.pixels`` makes it."""
        unit = (image - self.low) / self.span
        return torch.nan_to_num(unit, nan=0.0, posinf=0.0, neginf=0.0).clamp(0, 1)


def export_program(program: MapProgram, size: int, free_sides: bool = True) -> ExportedProgram:
    """Capture the program with a free batch size.

    Args:
        program: What is exported, on the CPU.
        size: Height and width of the example, a multiple of 32.
        free_sides: Height and width are free multiples of 32 from 64 to 8192; else both are
            ``size``.

    Raises:
        ConfigError: the size is no multiple of 32, or the network can't do with free sides.
    """
    check_size(size)
    dims: dict[int, Any] = {0: Dim("batch", min=1, max=1024)}
    if free_sides:
        limits = {"min": SMALLEST // PAD_MULTIPLE, "max": LARGEST // PAD_MULTIPLE}
        dims[2] = PAD_MULTIPLE * Dim("rows", **limits)
        dims[3] = PAD_MULTIPLE * Dim("columns", **limits)
    # Not square and two images: equal numbers would be taken for one and the same.
    width = size + PAD_MULTIPLE if free_sides and size < LARGEST else size
    spec = program.model.segmenter.spec
    example = torch.zeros(2, spec.channels, size, width, dtype=input_type(spec))
    try:
        with torch.no_grad():
            return torch.export.export(program, (example,), dynamic_shapes=(dims,), strict=False)
    except Exception as error:  # torch raises whatever it stumbles over
        if not free_sides:
            raise
        raise ConfigError(
            f"This network can't be exported with free height and width ({one_line(error)}). "
            "Add --fixed-size: the program then takes images of --size x --size alone."
        ) from error


def check_size(size: int) -> None:
    """Raise a ConfigError where the strides of an encoder do not fit a side."""
    if size % PAD_MULTIPLE or not SMALLEST <= size <= LARGEST:
        raise ConfigError(
            f"--size is {size}, but it must be a multiple of {PAD_MULTIPLE} from {SMALLEST} to "
            f"{LARGEST}: there the encoder's strides fit."
        )


def input_type(spec: ImageSpec) -> torch.dtype:
    """Type of a program's pixels: bytes where the files have them, else float32."""
    return torch.uint8 if spec.scale is None else torch.float32


def save_torch(exported: ExportedProgram, path: Path, metadata: dict[str, str]) -> None:
    """Write a ``.pt2`` archive; ``torch.export.load`` reads it without this package."""
    with atomic_write(path) as temporary:
        extra = {METADATA_FILE: json.dumps(metadata)}
        torch.export.save(exported, temporary, extra_files=extra)


def save_onnx(
    exported: ExportedProgram,
    path: Path,
    metadata: dict[str, str],
    outputs: tuple[str, ...] = OUTPUTS,
) -> None:
    """Write one ONNX file with the metadata in its ``metadata_props``.

    Raises:
        ConfigError: the packages of the extra ``export`` are missing.
        TerrashotError: the network has an operator that ONNX does not know.
    """
    check_onnx()
    try:
        program = torch.onnx.export(
            exported, dynamo=True, input_names=INPUTS, output_names=outputs, verbose=False
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise TerrashotError(
            f"The network can't be written as ONNX ({one_line(error)}). --format torch can do "
            "without; --fixed-size may help."
        ) from error
    assert program is not None
    program.model.metadata_props.update(metadata)
    with atomic_write(path) as temporary:
        program.save(temporary, external_data=False)


def missing_for_onnx() -> list[str]:
    """What of the extra ``export`` is not installed."""
    return [n for n in ("onnx", "onnxscript", "onnxruntime") if not importlib.util.find_spec(n)]


def check_onnx(asked: str = "--format onnx") -> None:
    """Raise a ConfigError where a package of the extra ``export`` is missing.

    Args:
        asked: What needs it, as the user wrote it.
    """
    missing = missing_for_onnx()
    if missing:
        raise ConfigError(
            f"{asked} needs {', '.join(missing)}, which is not installed. Run "
            "`pip install 'terrashot[export]'` (or `make setup` in a checkout)."
        )


def describe_export(model: AdaptedModel, views: str) -> dict[str, str]:
    """What whoever runs the program has to know; values are text, JSON where they are lists."""
    classes = model.taxonomy.classes
    spec = model.segmenter.spec
    kind = str(input_type(spec)).removeprefix("torch.")
    bands = "RGB" if spec.is_plain else ", ".join(map(str, spec.bands))
    return {
        "taxonomy": model.taxonomy.name,
        "class_names": json.dumps([c.name for c in classes]),
        "class_colors": json.dumps([c.color for c in classes]),
        "novel_classes": json.dumps([c.name for c in model.taxonomy.novel]),
        "input": f"{kind} {bands} [batch, {spec.channels}, height, width]; sides are multiples of "
        f"{PAD_MULTIPLE}",
        "imagery": json.dumps({"bands": spec.bands, "type": spec.dtype, "scale": spec.scale}),
        "output": "classes uint8 [batch, height, width]; probabilities float32 [batch, class, "
        "height, width]",
        "views": views,
        "calibration": model.calibration.describe(),
        "provenance": json.dumps(model.provenance),
    }
