"""From a plain description to SG-One with random weights."""

from collections.abc import Mapping
from typing import Any

from terrashot.errors import ConfigError
from terrashot.image_spec import RGB, ImageSpec
from terrashot.networks.backbone_weights import load_encoder_weights
from terrashot.networks.build import build_segmenter, described
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.weight_report import WeightReport
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.papers.sg_one.network.trunk import DecoderTrunk, Trunk
from terrashot.papers.sg_one.network.vgg16 import VGG16Trunk

VGG16 = "sg_one_vgg16"
_PUBLISHED_GUIDANCE = 512


def build_sg_one(description: Mapping[str, Any]) -> SGOneNetwork:
    """Build the network of ``description``, with random weights.

    The description is that of ``build_segmenter`` without ``num_classes``, and
    ``guidance_channels`` and ``exit_padding``, see ``GatedHead``. The backbone ``sg_one_vgg16`` is
    the published network, 18,992,194 parameters; it has a segmentation branch of its own, so its
    ``decoder`` is None.

    Raises:
        ConfigError: parts that do not go together, and as ``build_segmenter``.
    """
    backbone = description.get("backbone") or {}
    guidance = description.get("guidance_channels") or _PUBLISHED_GUIDANCE
    if backbone.get("name") != VGG16:
        segmenter = build_segmenter({**description, "num_classes": 2})
        trunk: Trunk = DecoderTrunk(segmenter)
        plain = {k: v for k, v in segmenter.description.items() if k != "num_classes"}
    else:
        if description.get("decoder") is not None:
            raise ConfigError(
                f"backbone={VGG16} has a segmentation branch of its own, but there is also a "
                "decoder. Add decoder=null, or choose another backbone."
            )
        spec = ImageSpec.from_description(description)
        check_published(spec)
        trunk = VGG16Trunk(spec.mean, spec.std)
        plain = {"backbone": {"name": VGG16}, "decoder": None, **described(spec)}
    heads = {"guidance_channels": guidance, "exit_padding": description.get("exit_padding") or 0}
    return SGOneNetwork(trunk, guidance, {**plain, **heads})


def check_published(spec: ImageSpec) -> None:
    """Raise a ConfigError where the published network can't take such images."""
    if spec.channels != len(RGB):
        raise ConfigError(
            f"backbone={VGG16} is the published network for red, green and blue, but the images "
            f"have {spec.channels} channel(s). Choose another backbone, which takes any number, or "
            "three bands with data.bands."
        )


def sg_one_on(segmenter: Segmenter, guidance_channels: int) -> SGOneNetwork:
    """SG-One whose trunk is a trained segmenter's encoder and decoder; the segmenter is copied."""
    described = {k: v for k, v in segmenter.description.items() if k != "num_classes"}
    network = build_sg_one({**described, "guidance_channels": guidance_channels})
    state = {k: v for k, v in segmenter.state_dict().items() if not k.startswith("head.")}
    assert isinstance(network.trunk, DecoderTrunk)
    network.trunk.segmenter.load_state_dict(state, strict=True)
    return network


def load_sg_one_weights(
    network: SGOneNetwork,
    weights: str | bool | None,
    source: str = "timm",
    clip_model: str | None = None,
) -> WeightReport:
    """Load pretrained weights into the encoder, all of it or an error.

    The published trunk takes torchvision's or timm's VGG16, 26 tensors.

    Raises:
        CheckpointError: no such file, no download, less than every tensor of the encoder, or an
            encoder that was pretrained on images normalised otherwise.
        ConfigError: unknown tag or source.
    """
    name = network.description["backbone"]["name"]
    known_as = "vgg16" if name == VGG16 else name
    statistics = (network.description["mean"], network.description["std"])
    return load_encoder_weights(
        network.trunk.encoder, known_as, weights, source, clip_model, statistics=statistics
    )
