"""SimNet: from two units to the probability that they are of one class, and its file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from terrashot.errors import CheckpointError, one_line
from terrashot.model.checkpoints import CheckpointKind, read_checkpoint
from terrashot.papers.simtrans.network.pair_head import PairHead
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder

KEY = "terrashot_sim_net"
PREFIX = "network."
SIM_NET = CheckpointKind(
    name="SimNet",
    key=KEY,
    part="network",
    how=(
        "Give the run folder or the .ckpt file of `python run.py experiment=simnet units=windows` "
        "(or units=pixels)."
    ),
    prefix=PREFIX,
    resumable=True,
)
WINDOWS, PIXELS = "windows", "pixels"


class SimNet(nn.Module):
    """What makes a feature of a unit, and the head that compares two.

    Args:
        head: Compares.
        encoder: Turns windows into features; None where units are features already.
        anchor_classes: Base classes of which features are kept, for the correction of weights.
        anchors: Features kept of each of them.
    """

    anchors: Tensor

    def __init__(
        self,
        head: PairHead,
        encoder: WindowEncoder | None = None,
        anchor_classes: int = 0,
        anchors: int = 0,
    ) -> None:
        super().__init__()
        self.head = head
        self.encoder = encoder
        self.register_buffer("anchors", torch.zeros(anchor_classes, anchors, head.channels))

    @property
    def units(self) -> str:
        """``windows`` or ``pixels``."""
        return PIXELS if self.encoder is None else WINDOWS

    @property
    def description(self) -> dict[str, Any]:
        """Plain values that ``build_sim_net`` takes back."""
        return {
            "head": self.head.description,
            "encoder": None if self.encoder is None else self.encoder.description,
            "anchors": list(self.anchors.shape[:2]),
        }

    def embed(self, units: Tensor) -> Tensor:
        """Features ``[B, C]`` of windows ``[B, 3, S, S]`` or of pixels ``[B, C]``."""
        return units if self.encoder is None else self.encoder(units)


@dataclass(frozen=True)
class TrainedSimNet:
    """A SimNet from a file, frozen, with what it was trained on.

    Args:
        network: In eval mode, without gradients.
        path: The file.
        about: Plain values: ``units``, ``data``, ``taxonomy``, ``held_out``, and for pixels
            ``stage1`` (digest of the stage-1 checkpoint) and ``feature_stride``.
    """

    network: SimNet
    path: Path
    about: dict[str, Any]


def build_sim_net(description: Mapping[str, Any]) -> SimNet:
    """Build the network of ``description``, with random weights."""
    encoder = description["encoder"]
    classes, anchors = description["anchors"]
    return SimNet(
        PairHead(**description["head"]),
        None if encoder is None else WindowEncoder(encoder),
        classes,
        anchors,
    )


def load_sim_net(path: Path, units: str) -> TrainedSimNet:
    """Read the SimNet of a checkpoint.

    Args:
        path: A file that ``experiment=simnet`` wrote.
        units: What it has to compare, ``windows`` or ``pixels``.

    Raises:
        CheckpointError: no such file, no SimNet, or one for other units.
    """
    about, state = read_checkpoint(path, SIM_NET)
    network = build_sim_net(about["network"])
    if network.units != units:
        raise CheckpointError(
            f"{path} holds a SimNet that compares {network.units}, but one for {units} is needed "
            f"here. Train it with `python run.py experiment=simnet units={units}`."
        )
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its weights do not fit the network that it describes "
            f"({one_line(error)}). The file was changed; train SimNet again."
        ) from error
    return TrainedSimNet(network.eval().requires_grad_(False), path, about)
