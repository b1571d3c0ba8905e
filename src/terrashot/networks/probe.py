"""The shapes that a network gives, from a pass without any arithmetic."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from terrashot.errors import ConfigError, one_line
from terrashot.networks.segmenter import PAD_MULTIPLE

# Not square and larger than one padding step: a backbone for one fixed size fails on it.
PROBE_SIZE = (2 * PAD_MULTIPLE, 3 * PAD_MULTIPLE)


def probe(network: nn.Module, what: str, channels: int) -> list[torch.Size]:
    """Shapes of what a network makes of an image of ``PROBE_SIZE``.

    Args:
        network: Gives a map or a list of maps.
        what: Its name, for messages.
        channels: Of the image.

    Raises:
        ConfigError: it does not run on such an image.
    """
    height, width = PROBE_SIZE
    state: dict[str, Tensor] = {
        **{name: p.detach().to("meta") for name, p in network.named_parameters()},
        **{name: b.to("meta") for name, b in network.named_buffers()},
    }
    network.eval()
    try:
        with torch.no_grad():
            image = torch.empty(1, channels, height, width, device="meta")
            maps: Tensor | Sequence[Tensor] = functional_call(network, state, (image,))
    except (AssertionError, RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ConfigError(
            f"{what} does not run on an image of {height} x {width} pixels ({one_line(error)}); "
            "a backbone must take images of any size, with maps at strides 2 or 4 to 32. Choose a "
            "convolutional one (mobilenetv2_100, resnet50, efficientnet_b4, convnext_tiny, ...) or "
            "a plain vision transformer (vit_small_patch16_dinov3, ...)."
        ) from error
    finally:
        network.train()
    return [m.shape for m in ([maps] if isinstance(maps, Tensor) else maps)]
