"""A network's content in one line, where no file stands for it."""

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import nn


def network_digest(network: nn.Module, description: Mapping[str, Any]) -> str:
    """SHA-256 of the tensors of a network and of the plain values that describe it."""
    total = hashlib.sha256(repr(description).encode())
    for name, value in sorted(network.state_dict().items()):
        total.update(name.encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
