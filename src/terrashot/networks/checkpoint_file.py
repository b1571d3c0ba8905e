"""Reading the tensors of a weight file, whatever wraps them."""

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from terrashot.errors import CheckpointError

# What training scripts wrap a state dict in.
_WRAPPERS = ("state_dict", "model", "encoder")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a ``.safetensors`` file or of a file that ``torch.save`` wrote.

    A state dict may be wrapped in ``state_dict``, ``model`` or ``encoder``.

    Raises:
        CheckpointError: missing, cut off, or not a file of weights.
    """
    return _unwrap(path, read_content(path))


def read_content(path: Path) -> Any:  # noqa: ANN401 - whatever stands in the file
    """What stands in a file of weights; no code of it is run (``weights_only``).

    Raises:
        CheckpointError: missing, cut off, or not a file of weights.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(
            f"The weight file {path} {what}. Give the path of a .pth, .pt, .ckpt, .bin or "
            ".safetensors file; a relative path starts at the folder you are in."
        )
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (
        RuntimeError,  # torch's reader on a zip archive that is cut off
        EOFError,
        OSError,
        ValueError,
        KeyError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        if "Weights only load failed" in str(error) and "GLOBAL" in str(error):
            raise CheckpointError(
                f"The weight file {path} holds Python objects beside tensors, which is refused "
                "since loading them could run any code. Where you trust it, load it yourself and "
                "save only its state dict: torch.save(model.state_dict(), path)."
            ) from error
        raise CheckpointError(
            f"The weight file {path} ({path.stat().st_size} bytes) cannot be read: it is cut off "
            "or no file of torch or safetensors. Download or copy it again."
        ) from error


def _unwrap(path: Path, content: object) -> dict[str, Tensor]:
    while isinstance(content, dict):
        wrapper = next((w for w in _WRAPPERS if isinstance(content.get(w), dict)), None)
        if wrapper is None:
            break
        content = content[wrapper]
    tensors = (
        {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
        if isinstance(content, dict)
        else {}
    )
    if not tensors:
        raise CheckpointError(
            f"The file {path} holds no named tensors but a {type(content).__name__}; a state dict "
            "was expected, alone or under 'state_dict', 'model' or 'encoder'. Save it with "
            "torch.save(model.state_dict(), path)."
        )
    return tensors
