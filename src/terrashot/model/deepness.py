"""The adapted model for Deepness, a plug-in that maps inside QGIS without terrashot.

What it asks of a file (its documentation, "Model classes and requirements" and "Adding metadata to
ONNX model", and its ``ModelBase``, 2025): one float input ``[1, C, S, S]``, the bytes of the layer
divided by 255; one output ``[1, K, S, S]``, probabilities, whose argmax it maps after those below
``seg_thresh`` are set to 0; ``metadata_props`` whose values are JSON.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from terrashot.errors import ConfigError
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.export import MapProgram, check_size, describe_export, save_onnx

_OVERLAP = 25
"""Percent of a tile, as the windows of ``experiment=predict`` overlap."""


class DeepnessProgram(nn.Module):
    """A ``MapProgram`` as the plug-in calls it: 0..1 in, probabilities alone out.

    Args:
        program: The program.

    Raises:
        ConfigError: the network takes other imagery than the bytes that the plug-in reads.
    """

    def __init__(self, program: MapProgram) -> None:
        super().__init__()
        if program.scaled:
            spec = program.model.spec
            raise ConfigError(
                f"--format deepness: the network takes pixels of type {spec.dtype}, but the "
                "plug-in gives 8-bit ones, divided by 255. Map such scenes with "
                "experiment=predict, or use --format onnx, which takes the values of the files."
            )
        self.program = program
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities ``[B, K, S, S]`` of images ``[B, C, S, S]`` in 0..1."""
        return self.program.map_unit(image)[1]


def save_deepness(
    program: MapProgram, path: Path, size: int, views: str, resolution: float | None = None
) -> None:
    """Write one ONNX file for the plug-in.

    Args:
        program: The model.
        path: The file.
        size: Side S of a tile, a multiple of 32.
        views: What the program averages, for the metadata.
        resolution: Centimetres of a pixel; None: whoever maps says it.

    Raises:
        ConfigError: a size that can't be, other imagery, or the extra ``export`` is missing.
        TerrashotError: the network has an operator that ONNX does not know.
    """
    check_size(size)
    wrapped = DeepnessProgram(program)
    example = torch.zeros(1, program.model.spec.channels, size, size)
    with torch.no_grad():
        exported = torch.export.export(wrapped, (example,), strict=False)
    metadata = describe_export(program.model, views)
    metadata |= describe_for_deepness(program.model, size, resolution)
    save_onnx(exported, path, metadata, outputs=("probabilities",))


def describe_for_deepness(
    model: AdaptedModel, size: int, resolution: float | None = None
) -> dict[str, str]:
    """The metadata that the plug-in reads, JSON each.

    The documentation calls the side of a tile ``tiles_size``, the plug-in reads ``tile_size``:
    both are written. The network standardises by itself, so that mean and deviation are 0 and 1;
    no probability is set to 0, which would make unsure pixels background.
    """
    channels = model.spec.channels
    values = {
        "model_type": "Segmentor",
        "class_names": {str(c.index): c.name for c in model.taxonomy.classes},
        "tile_size": size,
        "tiles_size": size,
        "tiles_overlap": _OVERLAP,
        "standardization_mean": [0.0] * channels,
        "standardization_std": [1.0] * channels,
        "seg_thresh": 0.0,
        "seg_small_segment": 0,
        **({} if resolution is None else {"resolution": resolution}),
    }
    found = {key: json.dumps(value) for key, value in values.items()}
    bands = "RGB" if model.spec.is_plain else ", ".join(map(str, model.spec.bands))
    found["input"] = f"float32 {bands} [1, {channels}, {size}, {size}], bytes divided by 255"
    found["output"] = f"probabilities float32 [1, {model.num_classes}, {size}, {size}]"
    return found
