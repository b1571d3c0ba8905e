"""What features are kept in."""

import torch

from terrashot.errors import ConfigError


def storage_type(name: str) -> torch.dtype:
    """The dtype that a name stands for.

    Raises:
        ConfigError: it stands for none.
    """
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}
    if name not in known:
        raise ConfigError(
            f"adaptation.storage is '{name}', but it must be one of {', '.join(known)}."
        )
    return known[name]
