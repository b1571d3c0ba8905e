"""The encoder of windows from settings, with the weights that it starts from."""

from terrashot.app.settings import Settings
from terrashot.networks.backbone_weights import load_encoder_weights
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder


def build_window_encoder(settings: Settings) -> tuple[WindowEncoder, str]:
    """The encoder, and what to say of its weights.

    Raises:
        CheckpointError: the weights are missing or do not fit.
        ConfigError: no such backbone.
    """
    backbone = settings.backbone or {}
    encoder = WindowEncoder(
        {"backbone": backbone, "mean": settings.data.mean, "std": settings.data.std}
    )
    report = load_encoder_weights(
        encoder.encoder,
        str(backbone["name"]),
        backbone.get("weights"),
        backbone.get("source", "timm"),
        backbone.get("clip_model"),
        statistics=(settings.data.mean, settings.data.std),
    )
    return encoder, f"{backbone['name']}, {report.summary()}"
