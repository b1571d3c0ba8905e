"""Tensors in a file of the safetensors format, without a copy of them and without a memory map.

The package safetensors writes to a path, with the system's reason for a failure in words only, or
to a copy in memory; it reads through a memory map, under which a file that another machine deletes
on a shared file system ends the process. The format is its own: 8 bytes for the length of a JSON
header, the header, the numbers (https://github.com/huggingface/safetensors).
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_TYPES = {"F32": torch.float32, "U8": torch.uint8}
_NAMES = {dtype: name for name, dtype in _TYPES.items()}
_ALIGNED = 8


def tensor_parts(tensors: Mapping[str, Tensor], notes: Mapping[str, str]) -> list[memoryview]:
    """What a file consists of, to be written one after the other.

    Args:
        tensors: contiguous, float32 or uint8, on the CPU; shared, not copied.
        notes: further texts by name.
    """
    header: dict[str, object] = {"__metadata__": dict(notes)}
    end, parts = 0, []
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.nbytes
        kind = _NAMES[tensor.dtype]
        header[name] = {"dtype": kind, "shape": [*tensor.shape], "data_offsets": [begin, end]}
        parts.append(tensor.numpy().reshape(-1).view(np.uint8).data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return [memoryview(len(text).to_bytes(8, "little") + text), *parts]


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, which share one piece of memory, and its notes.

    Raises:
        OSError: it can't be read.
        ValueError, KeyError, TypeError: it is damaged.
    """
    with path.open("rb") as file:
        content = np.empty(os.fstat(file.fileno()).st_size, dtype=np.uint8)
        if file.readinto(content.data) != len(content) or len(content) < 8:
            raise ValueError("it is cut off")
    start = 8 + int.from_bytes(content[:8].tobytes(), "little")
    header = json.loads(content[8:start].tobytes())
    notes = header.pop("__metadata__")
    found = {}
    for name, about in header.items():
        begin, end = about["data_offsets"]
        numbers = torch.from_numpy(content[start + begin : start + end])
        try:
            found[name] = numbers.view(_TYPES[about["dtype"]]).reshape(about["shape"])
        except RuntimeError as error:
            raise ValueError("its parts do not fit together") from error
    return found, notes
