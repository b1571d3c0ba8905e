"""The decoders by name, most of them segmentation_models_pytorch's, and their options."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segmentation_models_pytorch.base.initialization import initialize_decoder
from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3PlusDecoder
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import Tensor, nn

from terrashot.errors import ConfigError
from terrashot.networks.encoder import Encoder
from terrashot.networks.pyramid import OnPyramid, SimplePyramid, level_strides
from terrashot.networks.single_value_norm import allow_single_values
from terrashot.networks.upernet_classtrans import UPerNetClassTrans
from terrashot.networks.vit import ViTEncoder

Options = dict[str, Any]


@dataclass(frozen=True)
class DecoderKind:
    """A decoder: its options with their defaults, and how it is made from encoder channels.

    ``reads`` are the places of the encoder's maps that it looks at, the image's being 0.
    """

    defaults: Options
    make: Callable[[Sequence[int], Options], nn.Module]
    choices: dict[str, tuple[int, ...]] = field(default_factory=dict)
    reads: tuple[int, ...] = (2, 3, 4, 5)


def _upernet(channels: Sequence[int], options: Options) -> nn.Module:
    return UPerNetDecoder(channels, encoder_depth=5, decoder_channels=options["channels"])


def _upernet_classtrans(channels: Sequence[int], options: Options) -> nn.Module:
    return UPerNetClassTrans(channels, options["channels"], options["pooling_channels"])


class _Sum(nn.Module):
    """The sum of maps, without the copy of all of them that smp makes."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps of one shape, added up."""
        total = maps[0]
        for one in maps[1:]:
            total = total + one
        return total


def _fpn(channels: Sequence[int], options: Options) -> nn.Module:
    decoder = FPNDecoder(channels, encoder_depth=5, **options)
    decoder.merge = _Sum()
    return decoder


def _unet(channels: Sequence[int], options: Options) -> nn.Module:
    return UnetDecoder(channels, decoder_channels=options["channels"], n_blocks=5)


def _pspnet(channels: Sequence[int], options: Options) -> nn.Module:
    return PSPDecoder(channels, out_channels=options["channels"], dropout=options["dropout"])


def _deeplabv3plus(channels: Sequence[int], options: Options) -> nn.Module:
    return DeepLabV3PlusDecoder(
        channels,
        encoder_depth=5,
        out_channels=options["channels"],
        atrous_rates=options["atrous_rates"],
        output_stride=options["output_stride"],
        aspp_separable=True,
        aspp_dropout=options["dropout"],
    )


DECODERS = {
    "upernet": DecoderKind({"channels": 256}, _upernet),
    "upernet_classtrans": DecoderKind(
        {"channels": 256, "pooling_channels": 512, "align_corners": True}, _upernet_classtrans
    ),
    "fpn": DecoderKind(
        {"pyramid_channels": 256, "segmentation_channels": 128, "dropout": 0.2}, _fpn
    ),
    "unet": DecoderKind({"channels": [256, 128, 64, 32, 16]}, _unet),
    "pspnet": DecoderKind(
        {"channels": 512, "dropout": 0.2, "encoder_depth": 3},
        _pspnet,
        {"encoder_depth": (3, 4, 5)},
        reads=(-1,),
    ),
    "deeplabv3plus": DecoderKind(
        {"channels": 256, "atrous_rates": [12, 24, 36], "dropout": 0.5, "output_stride": 16},
        _deeplabv3plus,
        {"output_stride": (8, 16)},
        reads=(2, -1),
    ),
}


def decoder_options(decoder: Mapping[str, Any]) -> Options:
    """The options of a decoder with the defaults filled in, ``name`` left out.

    Raises:
        ConfigError: unknown decoder, unknown option, or a value of the wrong kind.
    """
    name = decoder.get("name")
    if name not in DECODERS:
        raise ConfigError(f"decoder.name={name} is unknown; choose one of {', '.join(DECODERS)}.")
    kind = DECODERS[name]
    given = {key: value for key, value in decoder.items() if key != "name"}
    for key, value in given.items():
        if key not in kind.defaults:
            raise ConfigError(
                f"decoder.{key} is no option of decoder {name}, which knows "
                f"{', '.join(kind.defaults)}. Remove it or choose another decoder."
            )
        _check_value(name, key, value, kind)
    return {**kind.defaults, **given}


def decoder_for(encoder: Encoder, name: str, options: Options) -> nn.Module:
    """Build decoder ``name`` on the maps of an encoder; on a pyramid where it has only one.

    Raises:
        ConfigError: a value that the decoder can't work with.
    """
    # The encoder is told its depth; PSPNet's decoder takes no such option.
    own = {key: value for key, value in options.items() if key != "encoder_depth"}
    if not isinstance(encoder, ViTEncoder):
        return build_decoder(name, encoder.out_channels, own)
    strides = level_strides(depth_of(options), output_stride_of(options))
    places = len(strides) + 2
    read = {place % places for place in DECODERS[name].reads}
    image, tokens = encoder.out_channels
    pyramid = SimplePyramid(image, tokens, encoder.stride, strides, read)
    return OnPyramid(pyramid, build_decoder(name, pyramid.out_channels, own))


def depth_of(options: Options) -> int:
    """Stages of the encoder that a decoder of these options reads."""
    return int(options.get("encoder_depth", 5))


def output_stride_of(options: Options) -> int:
    """Stride of the last of them."""
    return int(options.get("output_stride", 32))


def build_decoder(name: str, channels: Sequence[int], options: Options) -> nn.Module:
    """Build decoder ``name`` on encoder maps of ``channels``, weights drawn as smp draws them.

    Raises:
        ConfigError: a value that the decoder can't work with.
    """
    try:
        decoder = DECODERS[name].make(channels, options)
    except ValueError as error:  # for example a channel count that group norm can't divide
        raise ConfigError(
            f"decoder={name} can't be built with {options}: {error}. Change that option, or use "
            f"the defaults of configs/decoder/{name}.yaml."
        ) from error
    initialize_decoder(decoder)
    allow_single_values(decoder)
    return decoder


def _check_value(name: str, key: str, value: object, kind: DecoderKind) -> None:
    default = kind.defaults[key]
    if isinstance(default, bool):
        good, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, list):
        good = (
            isinstance(value, list | tuple)
            and len(value) == len(default)
            and all(isinstance(v, int) and v > 0 for v in value)
        )
        wanted = f"a list of {len(default)} positive whole numbers such as {default}"
    elif isinstance(default, float):
        good = isinstance(value, int | float) and 0 <= value < 1
        wanted = f"a rate from 0 up to 1 such as {default}"
    elif key in kind.choices:
        good = value in kind.choices[key]
        wanted = f"one of {', '.join(map(str, kind.choices[key]))}"
    else:
        good = isinstance(value, int) and not isinstance(value, bool) and value > 0
        wanted = f"a positive whole number such as {default}"
    if not good:
        raise ConfigError(f"decoder.{key}={value} of decoder {name} should be {wanted}.")
