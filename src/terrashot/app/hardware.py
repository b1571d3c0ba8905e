"""What the machine offers: accelerator and precision behind the word `auto`."""

import torch


def resolve_precision(precision: str, accelerator: str) -> str:
    """``auto`` becomes bf16-mixed where the hardware computes it natively, 32-true otherwise."""
    if precision != "auto":
        return precision
    if accelerator == "cpu":
        native = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    elif accelerator == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = False
    return "bf16-mixed" if native else "32-true"


def resolve_accelerator(accelerator: str) -> str:
    """``auto`` becomes cuda, mps or cpu, whichever is there first; ``gpu`` the one at hand."""
    if accelerator == "cpu":
        return "cpu"
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu" if accelerator == "auto" else accelerator


def device_count(accelerator: str) -> int | None:
    """How many devices of this kind the machine has; None where any number of processes goes."""
    if accelerator == "cuda":
        return torch.cuda.device_count()
    return 1 if accelerator == "mps" else None
