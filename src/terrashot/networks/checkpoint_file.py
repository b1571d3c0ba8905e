"""Reading and writing files of tensors, and the tensors of a weight file, whatever wraps them."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from terrashot.errors import CheckpointError, one_line
from terrashot.files import atomic_write

# What training scripts wrap a state dict in; the last three are VISSL's, beside "model".
_WRAPPERS = ("state_dict", "model", "encoder", "classy_state_dict", "base_model", "trunk")
_GIVE = (
    "Give the path of a .pth, .pt, .ckpt, .bin, .torch or .safetensors file; a relative path "
    "starts at the folder you are in."
)
_AGAIN = "Download or copy it again."
_STRIP = (
    "Where you trust it, load it yourself and save only its state dict: "
    "torch.save(model.state_dict(), path)."
)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a ``.safetensors`` file or of a file that ``torch.save`` wrote.

    A state dict may be wrapped in ``state_dict``, ``model`` or ``encoder``, or lie where VISSL
    keeps its trunk (``classy_state_dict``).

    Raises:
        CheckpointError: missing, cut off, or not a file of weights.
    """
    return _unwrap(path, read_content(path))


def read_content(path: Path, what: str = "weight file", how: str = "", mmap: bool = False) -> Any:  # noqa: ANN401 - whatever stands in the file
    """What stands in a file of tensors and plain values; no code of it is run (``weights_only``).

    The one place that opens such a file, for foreign weights and for all that terrashot writes.

    Args:
        path: The file.
        what: What is expected, for messages.
        how: A sentence that says how to get one; empty: one for weights of any origin.
        mmap: Read only what is asked for, where most of the file is not needed.

    Raises:
        CheckpointError: missing, cut off, or not a file of tensors.
    """
    if not path.is_file():
        state = "is a folder" if path.is_dir() else "does not exist"
        raise CheckpointError(f"The {what} {path} {state}. {how or _GIVE}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        # Files of torch before 1.6 are no zip archives, and can't be mapped.
        mmap = mmap and zipfile.is_zipfile(path)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (
        RuntimeError,  # torch's reader on a zip archive that is cut off
        EOFError,
        OSError,
        ValueError,
        KeyError,
        pickle.UnpicklingError,
        SafetensorError,
    ) as error:
        size = f"{path} ({path.stat().st_size} bytes) can't be read as a {what}"
        if "Weights only load failed" in str(error) and "GLOBAL" in str(error):
            raise CheckpointError(
                f"{size}: it holds Python objects beside tensors, which is refused since loading "
                f"them could run any code. {how or _STRIP}"
            ) from error
        raise CheckpointError(
            f"{size}: it is cut off, or no file of PyTorch or safetensors ({one_line(error)}). "
            f"{how or _AGAIN}"
        ) from error


def write_content(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values to a file; it appears whole or not at all."""
    with atomic_write(path) as temporary:
        torch.save(content, temporary)


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
            "was expected, alone, under 'state_dict', 'model' or 'encoder', or as VISSL keeps it "
            "(classy_state_dict). Save it with torch.save(model.state_dict(), path)."
        )
    return tensors
