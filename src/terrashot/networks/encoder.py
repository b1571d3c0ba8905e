"""The encoder: any timm backbone with feature maps at several strides, or a plain ViT."""

import difflib
import warnings
from typing import TypeAlias

import segmentation_models_pytorch as smp
import timm
from segmentation_models_pytorch.encoders.timm_universal import TimmUniversalEncoder
from torch import nn

from terrashot.errors import ConfigError, one_line
from terrashot.networks.vit import ViTEncoder, is_plain_vit

Encoder: TypeAlias = TimmUniversalEncoder | ViTEncoder
"""Gives the image and its stages; ``out_channels`` are theirs, ``model`` is timm's."""


def build_encoder(
    name: str,
    depth: int = 5,
    output_stride: int = 32,
    drop_path: float = 0.0,
    channels: int = 3,
    group: str = "backbone",
) -> Encoder:
    """Build timm model ``name`` with random weights as an encoder.

    The encoder is segmentation_models_pytorch's universal one: it returns ``depth + 1`` maps, the
    image first, then strides 2, 4, ... ConvNeXt has no stride-2 stage: an empty map stands in its
    place, so its fourth stage is there only with ``depth=5``. A plain vision transformer is a
    ``ViTEncoder``, which returns the image and its tokens, whatever depth and output stride.

    Args:
        name: a timm architecture without tag, for example ``resnet50``.
        depth: number of stages, 1 to 5.
        output_stride: 32, or 8 or 16 for a dilated encoder.
        drop_path: stochastic depth rate; 0 leaves the model's own default.
        channels: of the images.
        group: the settings that name it, for messages.

    Raises:
        ConfigError: no such timm model, or one that gives neither a pyramid of feature maps nor a
            plain grid of tokens.
    """
    check_name(name, group)
    options = {"drop_path_rate": drop_path} if drop_path else {}
    try:
        with warnings.catch_warnings():
            # timm warns that a model without weights is random: it is meant to be, here.
            warnings.simplefilter("ignore", UserWarning)
            if is_plain_vit(name):
                return ViTEncoder(name, drop_path, channels, group)
            encoder = smp.encoders.get_encoder(
                f"tu-{name}",
                in_channels=channels,
                depth=depth,
                weights=None,
                output_stride=output_stride,
                **options,
            )
    # timm refuses what it cannot do with whatever error comes first, so all of them count.
    except (
        ValueError,
        TypeError,
        AssertionError,
        AttributeError,
        IndexError,
        KeyError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        asked = [f"{depth} stages"]
        asked += [f"output stride {output_stride}"] if output_stride != 32 else []
        asked += [f"drop_path {drop_path}"] if drop_path else []
        raise ConfigError(
            f"{group}.name={name} cannot be an encoder with {', '.join(asked)} (timm says: "
            f"{one_line(error)}); it must have feature maps at strides 4 to 32 or be a plain "
            "vision transformer for images of any size. Choose a convolutional or hierarchical "
            "backbone (mobilenetv2_100, resnet50, efficientnet_b4, convnext_tiny, ...), a plain "
            "one (vit_small_patch16_dinov3, vit_small_patch14_reg4_dinov2, ...), or another "
            "decoder."
        ) from error
    _drop_unused_blocks(encoder)
    return encoder


def check_name(name: str, group: str = "backbone") -> None:
    """Raise a ConfigError with close matches if ``name`` is no timm architecture.

    Args:
        name: What stands in the settings.
        group: Where it stands there.
    """
    if "." in name and timm.is_model(name):
        architecture, tag = name.split(".", 1)
        raise ConfigError(
            f"{group}.name={name} holds a weight tag; write {group}.name={architecture} "
            f"{group}.weights={tag}, since a network is rebuilt without downloading weights."
        )
    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=4, cutoff=0.5)
        hint = f"Did you mean {', '.join(close)}? " if close else ""
        raise ConfigError(
            f"{group}.name={name} is no timm model. {hint}"
            'python -c "import timm; print(timm.list_models())" lists all of them.'
        )


def _drop_unused_blocks(encoder: TimmUniversalEncoder) -> None:
    """Remove the stages behind the deepest feature map.

    timm's EfficientNet family keeps and runs them although nobody reads their output, which wastes
    time and, as parameters without gradient, stops distributed training.
    """
    model = encoder.model
    blocks = getattr(model, "blocks", None)
    stages = [info.get("stage") for info in model.feature_info.get_dicts()]
    if isinstance(blocks, nn.Sequential) and all(isinstance(s, int) for s in stages):
        model.blocks = blocks[: max(stages)]
