"""Whether an exported program draws the map that the model draws."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from terrashot.model.export import MapProgram
from terrashot.networks.segmenter import PAD_MULTIPLE

TIE = 1e-4
"""Two classes whose probabilities are this near are a tie: rounding decides between them."""

Runner = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Takes pixels [1, C, H, W], gives classes [1, H, W] and probabilities [1, K, H, W]."""


@dataclass(frozen=True)
class Agreement:
    """Pixels of one tile.

    Args:
        pixels: All of them.
        other: Those of another class than in eager.
        ties: Those of ``other`` whose two classes are a tie in eager.
        largest: Largest difference of a probability.
    """

    pixels: int
    other: int
    ties: int
    largest: float

    @property
    def share(self) -> float:
        """Share of the pixels of the same class, ties counted as others."""
        return 1 - self.other / self.pixels

    @property
    def passed(self) -> bool:
        """Whether every pixel that is no tie has its class."""
        return self.other == self.ties


def compare(
    program: MapProgram, runner: Runner, image: np.ndarray, side: int | None = None
) -> Agreement:
    """Map one tile by both.

    Args:
        program: The model.
        runner: What was made of it.
        image: pixels [C, H, W] of the program's type; mirrored beyond its sides up to what the
            runner takes.
        side: The one size that the runner takes; None: multiples of 32.
    """
    height, width = image.shape[1:]
    missing = [-n % PAD_MULTIPLE if side is None else side - n for n in (height, width)]
    beyond = [(0, 0), *((0, n) for n in missing)]
    batch = np.pad(image, beyond, mode="symmetric")[None]
    with torch.no_grad():
        classes, probabilities = (_cut(t, height, width) for t in program(torch.from_numpy(batch)))
    found, shares = runner(batch)
    own = _cut(torch.from_numpy(found), height, width).long()
    differs = own != classes.long()
    largest = (_cut(torch.from_numpy(shares), height, width) - probabilities).abs().max()
    lead = probabilities.gather(0, classes[None].long()) - probabilities.gather(0, own[None])
    ties = differs & (lead[0] < TIE)
    return Agreement(height * width, int(differs.sum()), int(ties.sum()), float(largest))


def torch_runner(path: Path) -> Runner:
    """Runs a ``.pt2`` file."""
    module = torch.export.load(path).module()

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            classes, probabilities = module(torch.from_numpy(image))
        return classes.numpy(), probabilities.numpy()

    return run


def onnx_runner(path: Path) -> Runner:
    """Runs an ONNX file with ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes, probabilities = session.run(None, {"image": image})
        return classes, probabilities

    return run


def deepness_runner(path: Path) -> Runner:
    """Runs a file for the plug-in Deepness as the plug-in does: bytes / 255 in, argmax after."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (probabilities,) = session.run(None, {"image": np.float32(image / 255.0)})
        return probabilities.argmax(axis=1).astype(np.uint8), probabilities

    return run


def _cut(maps: Tensor, height: int, width: int) -> Tensor:
    return maps[0, ..., :height, :width]
