"""Mapping in one process without a trainer."""

from collections.abc import Callable

import torch

from terrashot.mapping.mapper import SceneMapper
from terrashot.mapping.stream import WindowStream
from terrashot.model.precision import network_context


def map_alone(
    mapper: SceneMapper,
    stream: WindowStream,
    device: torch.device,
    precision: str,
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Map all windows of a stream; the bytes are those that a trainer's process writes.

    Args:
        mapper: Maps; its network lies on the device.
        stream: What its ``share`` or ``part`` has returned.
        device: Where windows are computed.
        precision: ``32-true`` or ``bf16-mixed``.
        progress: Called with the batches done and those that there are.

    Raises:
        ConfigError: a precision that only a trainer knows.
        DataError: there is no space left.
    """
    try:
        with torch.no_grad(), network_context(precision, device):
            for number, batch in enumerate(stream, start=1):
                batch["images"] = batch["images"].to(device)
                batch["valid"] = batch["valid"].to(device)
                mapper.step(batch)
                if progress is not None:
                    progress(min(number, len(stream)), len(stream))
    finally:
        mapper.stop()
