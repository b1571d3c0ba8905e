"""From a plain description to a segmenter with random weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from terrashot.errors import ConfigError
from terrashot.image_spec import ImageSpec
from terrashot.networks.decoders import (
    decoder_for,
    decoder_options,
    depth_of,
    output_stride_of,
)
from terrashot.networks.encoder import build_encoder
from terrashot.networks.encoder_stages import with_encoder_stages
from terrashot.networks.features import AUTO, DECODER, FEATURES, STAGES
from terrashot.networks.probe import PROBE_SIZE, probe
from terrashot.networks.second_encoder import SecondEncoder, with_second_encoder
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.widening import LEAST_STRIDE

# Where the weights come from says nothing about the network, so a description leaves it out.
_WEIGHT_KEYS = {"weights", "source", "clip_model"}


def build_segmenter(description: Mapping[str, Any]) -> Segmenter:
    """Build the segmenter of ``description``, with random weights.

    The description holds plain values: ``backbone`` (``name``, a timm architecture; ``drop_path``),
    ``decoder`` (``name`` and its options, see ``decoders.py``), ``num_classes`` (background
    included), and the channels of the images: ``mean`` and ``std`` in 0..1 (default: ImageNet's)
    and, for other images than 8-bit RGB, ``imagery`` (see ``ImageSpec``). With ``features: stages``
    the encoder's stages stand beside the decoder's map, with ``second`` (``name``, ``mean``,
    ``std``) those of a second encoder too. Keys of a backbone
    config that concern weights are allowed and ignored. ``Segmenter.description`` is the same with
    all defaults filled in.

    | decoder | encoder | stride | channels by default |
    |---|---|---|---|
    | upernet | 5 stages | 4 | 256, after ReLU |
    | upernet_classtrans | 5 stages | 4 | 256, after ReLU |
    | fpn | 5 stages | 4 | 128 |
    | unet | 5 stages | 1 | 16 |
    | pspnet | 3 stages (``encoder_depth``) | 8 (2 ** depth) | 512 |
    | deeplabv3plus | 5 stages, dilated to stride 16 or 8 | 4 | 256 |

    A plain vision transformer has one stage, of which a simple pyramid (``pyramid.py``) makes these
    maps.

    Raises:
        ConfigError: unknown backbone, decoder or option, or two that do not go together.
    """
    backbone = _backbone(description.get("backbone"))
    decoder = description.get("decoder")
    if not isinstance(decoder, Mapping):
        raise ConfigError(f"decoder is {decoder!r}; it should be a mapping with at least a 'name'.")
    options = decoder_options(decoder)
    num_classes = description.get("num_classes")
    if not isinstance(num_classes, int) or num_classes < 2:
        raise ConfigError(
            f"num_classes is {num_classes!r}; it should be the number of classes with background, "
            "2 or more."
        )
    spec = ImageSpec.from_description(description)

    encoder = build_encoder(
        backbone["name"],
        depth=depth_of(options),
        output_stride=output_stride_of(options),
        drop_path=backbone["drop_path"],
        channels=spec.channels,
    )
    on_top = decoder_for(encoder, decoder["name"], options)
    what = f"backbone {backbone['name']} with decoder {decoder['name']}"
    channels, stride = _map_of(nn.Sequential(encoder, on_top), what, spec.channels)
    plain = {
        "backbone": backbone,
        "decoder": {"name": decoder["name"], **options},
        "num_classes": num_classes,
        **described(spec),
    }
    segmenter = Segmenter(
        encoder,
        on_top,
        channels,
        stride,
        num_classes,
        spec,
        plain,
        align_corners=options.get("align_corners", False),
    )
    segmenter = with_features(segmenter, str(description.get("features", DECODER)))
    second = description.get("second")
    return (
        segmenter
        if second is None
        else with_second_encoder(segmenter, SecondEncoder(spec, **second))
    )


def with_features(segmenter: Segmenter, features: str) -> Segmenter:
    """The network with the features that ``adaptation.features`` names.

    A network that has them already is handed back.

    Raises:
        ConfigError: an unknown name, or one that does not go with the network.
    """
    if features not in FEATURES:
        raise ConfigError(
            f"adaptation.features is '{features}', but it must be one of {', '.join(FEATURES)}."
        )
    has_stages = segmenter.description.get("features") == STAGES
    if has_stages and features == DECODER:
        raise ConfigError(
            "adaptation.features is 'decoder', but the network's features hold the encoder's "
            "stages already. Start from the stage-1 checkpoint."
        )
    too_fine = features == AUTO and segmenter.stride < LEAST_STRIDE
    if features == DECODER or has_stages or too_fine:
        return segmenter
    return with_encoder_stages(segmenter)


def described(spec: ImageSpec) -> dict[str, Any]:
    """The channels of the images as plain values of a network's description."""
    imagery = spec.description
    plain: dict[str, Any] = {"mean": list(spec.mean), "std": list(spec.std)}
    return {**plain, "imagery": imagery} if imagery else plain


def _backbone(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not value.get("name"):
        raise ConfigError(
            f"backbone is {value!r}; it should be a mapping with at least 'name', a timm model. "
            "With backbone=timm, give it as backbone.name=NAME."
        )
    unknown = sorted(set(value) - {"name", "drop_path"} - _WEIGHT_KEYS)
    if unknown:
        raise ConfigError(
            f"backbone.{unknown[0]} is unknown; a backbone knows name, drop_path, weights, source "
            "and clip_model. Check the spelling."
        )
    drop_path = value.get("drop_path") or 0.0
    if not isinstance(drop_path, int | float) or not 0 <= drop_path < 1:
        raise ConfigError(f"backbone.drop_path={drop_path} should be a rate from 0 up to 1.")
    return {"name": str(value["name"]), "drop_path": float(drop_path)}


def _map_of(network: nn.Module, what: str, bands: int) -> tuple[int, int]:
    """Channels and stride of the features."""
    _, channels, *size = probe(network, what, bands)[0]
    stride = PROBE_SIZE[0] // size[0]
    if [side * stride for side in size] != list(PROBE_SIZE):
        raise ConfigError(
            f"{what} gives maps of {tuple(size)} for an image of {PROBE_SIZE}, which is no whole "
            "stride. Choose another backbone or decoder."
        )
    return channels, stride
