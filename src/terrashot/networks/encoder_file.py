"""The file that hands a pretrained encoder to stage 1: tensors by name, and plain values."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from terrashot.errors import CheckpointError
from terrashot.networks.checkpoint_file import read_content, write_content
from terrashot.networks.key_match import whole_model_names

KEY = "terrashot_encoder"
# mean and std are typed with four digits; two datasets differ by far more.
_TOLERANCE = 1e-4


def save_encoder(
    path: Path, encoder: nn.Module, description: Mapping[str, Any], about: Mapping[str, Any]
) -> None:
    """Write an encoder's weights under timm's names, without prefix, and a header.

    Args:
        path: the file, written whole or not at all.
        encoder: the encoder of a network (``terrashot.networks.encoder``).
        description: the network's: ``backbone.name``, ``mean`` and ``std``.
        about: further plain values for the header: how it was pretrained.
    """
    name = str(description["backbone"]["name"])
    model = encoder.get_submodule("model")
    names = whole_model_names(model, name)
    tensors = {names[key]: value.detach().cpu() for key, value in model.state_dict().items()}
    header = encoder_header(description, about)
    write_content(path, {KEY: header, "state_dict": tensors})


def encoder_header(description: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values by which stage 1 knows whether an encoder fits."""
    return {
        "format": 1,
        "arch": str(description["backbone"]["name"]),
        "in_chans": len(description["mean"]),
        "mean": list(description["mean"]),
        "std": list(description["std"]),
        **about,
    }


def read_header(path: Path) -> dict[str, Any] | None:
    """The header of an encoder file; None for any other file of weights.

    Raises:
        CheckpointError: as ``read_content``.
    """
    if path.suffix == ".safetensors":
        return None
    content = read_content(path)
    header = content.get(KEY) if isinstance(content, dict) else None
    return header if isinstance(header, dict) else None


def check_header(
    path: Path,
    name: str,
    statistics: tuple[Sequence[float], Sequence[float]],
    group: str = "backbone",
) -> None:
    """Check that an encoder file was made for this network and for these means and deviations.

    A file without a header (timm's own, for example) is taken as it is.

    Raises:
        CheckpointError: another architecture, or other channel means or deviations.
    """
    header = read_header(path)
    if header is None:
        return
    if header.get("arch") != name:
        raise CheckpointError(
            f"The backbone weights {path} are of the encoder {header.get('arch')}, but "
            f"{group}.name is {name}. Set {group}.name={header.get('arch')}, or give weights of "
            f"{name}."
        )
    for key, wanted in zip(("mean", "std"), statistics, strict=True):
        found = header.get(key) or []
        same = len(found) == len(wanted) and all(
            math.isclose(a, b, abs_tol=_TOLERANCE) for a, b in zip(found, wanted, strict=True)
        )
        if not same:
            raise CheckpointError(
                f"The backbone weights {path} were pretrained on images normalised with "
                f"{key} {_short(found)}, but data.{key} is {_short(wanted)}: the encoder would see "
                f"other values than it learned from. Set data.mean={_typed(header.get('mean'))} "
                f"data.std={_typed(header.get('std'))}, or pretrain on this data."
            )


def _short(values: Sequence[float]) -> str:
    return "[" + ", ".join(f"{v:.4f}" for v in values) + "]"


def _typed(values: Sequence[float] | None) -> str:
    """A list as it is typed on the command line, without spaces."""
    return "[" + ",".join(f"{v:.4f}" for v in values or []) + "]"
