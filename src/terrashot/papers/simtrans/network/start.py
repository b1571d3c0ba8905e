"""The encoder of windows with the weights that a run starts it from."""

from collections.abc import Mapping, Sequence
from typing import Any

from terrashot.networks.backbone_weights import load_encoder_weights
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder


def start_encoder(
    backbone: Mapping[str, Any], mean: Sequence[float], std: Sequence[float]
) -> tuple[WindowEncoder, str]:
    """The encoder, and what to say of its weights.

    Args:
        backbone: The group ``backbone``: ``name``, ``weights``, ``source``, ``clip_model``.
        mean: Channel means of the images in 0..1.
        std: Their standard deviations.

    Raises:
        CheckpointError: the weights are missing or do not fit.
        ConfigError: no such backbone.
    """
    encoder = WindowEncoder({"backbone": backbone, "mean": mean, "std": std})
    report = load_encoder_weights(
        encoder.encoder,
        str(backbone["name"]),
        backbone.get("weights"),
        backbone.get("source", "timm"),
        backbone.get("clip_model"),
        statistics=(mean, std),
    )
    return encoder, f"{backbone['name']}, {report.summary()}"
