"""What the machine is, and what bounds everything on it."""

import os
import platform
from typing import Any

import torch

from benchmarking.machine import product_rate, read_rate
from gpu_check.part import Place, SkippedError


def hardware(place: Place) -> dict[str, Any]:
    """Names and versions; the measured rates of reading memory and of a large float32 product."""
    check_device(place.device)
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": torch.cpu.get_capabilities().get("cpu_name", platform.processor()),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if place.device == "cuda":
        card = torch.cuda.get_device_properties(0)
        found |= {
            "card": card.name,
            "memory_gb": round(card.total_memory / 1e9, 1),
            "cuda": torch.version.cuda,
            "capability": f"{card.major}.{card.minor}",
            "bf16": torch.cuda.is_bf16_supported(including_emulation=False),
        }
    return {
        **found,
        "read_gb_per_second": read_rate(place.device) / 1e9,
        "float32_tflops": product_rate(place.device) / 1e12,
    }


def check_device(device: str) -> None:
    """Raise where the device is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise SkippedError("no CUDA device is at hand; --device cpu runs the same parts without")
