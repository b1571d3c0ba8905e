"""Which precision a frozen network computes in, and how that is switched on."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from terrashot.errors import ConfigError

FULL, HALF = "32-true", "bf16-mixed"


def resolve_precision(precision: str, accelerator: str) -> str:
    """``auto`` becomes bf16-mixed where the hardware computes it natively, 32-true otherwise."""
    if precision != "auto":
        return precision
    if accelerator == "cpu":
        # Of earlier PyTorch nothing is known: it computes in full.
        known: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        native = bool(known.get("avx512_bf16", False))
    elif accelerator == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = False
    return HALF if native else FULL


def map_precision(precision: str, accelerator: str) -> str:
    """The same for maps: a processor computes them in full where nothing else is asked for.

    Half precision gives the odd pixel another class; on processors, of which some have it and
    some do not, a map would then depend on the machine that went on with it.
    """
    if precision == "auto" and accelerator == "cpu":
        return FULL
    return resolve_precision(precision, accelerator)


def network_context(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """What a network runs in outside of a trainer.

    Raises:
        ConfigError: a precision that only a trainer knows.
    """
    if precision == FULL:
        return nullcontext()
    if precision == HALF:
        return torch.autocast(device.type, torch.bfloat16)
    raise ConfigError(f"precision is '{precision}'; choose auto, {FULL} or {HALF}.")
