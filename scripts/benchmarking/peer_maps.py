"""What the peers that map a scene have in common: the network, and how they are measured."""

from collections.abc import Callable
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
from torch import nn

from benchmarking.memory import forget_high_water
from benchmarking.peer_tiles import share_head
from benchmarking.turns import Turns


def trained_network(job: dict[str, Any]) -> nn.Module:
    """The U-Net of the comparison with the weights that all sides map with."""
    network = smp.Unet(f"tu-{job['backbone']}", encoder_weights=None, classes=job["classes"])
    share_head(network, job["channels"], job["classes"])
    network.load_state_dict(torch.load(job["weights"], weights_only=True))
    return network


def map_in_turns(job: dict[str, Any], turns: Turns, run: Callable[[int, int], np.ndarray]) -> None:
    """Map the scene until the turns end; first once in one piece, for the seams.

    Args:
        job: ``size`` of the scene, ``window`` and ``overlap``.
        turns: When it is this side's turn.
        run: Maps the scene with that window and overlap: classes ``[H, W]``.
    """
    whole = run(-(-job["size"] // 32) * 32, 0)
    seams = float((run(job["window"], job["overlap"]) != whole).mean())
    del whole
    forget_high_water()
    while True:
        turns.tick(seams=seams)
        run(job["window"], job["overlap"])
