"""What the machine is, and what bounds everything on it."""

from typing import Any

import torch

from benchmarking.machine import description, product_rate, read_rate
from gpu_check.part import Place, SkippedError


def hardware(place: Place) -> dict[str, Any]:
    """Names and versions; the measured rates of reading memory and of a large float32 product."""
    check_device(place.device)
    return {
        **description(place.device),
        "read_gb_per_second": read_rate(place.device) / 1e9,
        "float32_tflops": product_rate(place.device) / 1e12,
    }


def check_device(device: str) -> None:
    """Raise where the device is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SkippedError("no CUDA device is at hand; --device cpu runs the same parts without")
