"""The segmenter: encoder and decoder give dense features, a 1x1 convolution gives logits."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from terrashot.image_spec import ImageSpec
from terrashot.networks.encoder import Encoder
from terrashot.networks.upsampling import enlarged, upsample

# Every encoder halves the image five times at most.
PAD_MULTIPLE = 32


class Segmenter(nn.Module):
    """Encoder + decoder + linear head on images of any size.

    Images come in 0..1, with the channels of ``spec``, and are normalised here, so whoever has the
    network cannot normalise wrongly. Build one with ``build_segmenter``.

    Args:
        encoder: returns a list of feature maps.
        decoder: takes this list, returns one map [B, channels, H / stride, W / stride], or a list
            of such, the finest first, that have so many channels together.
        channels: channels of the features.
        stride: stride of the features against the image, a divisor of 32.
        num_classes: outputs of the head, background included.
        spec: channels of the images, with their means and standard deviations in 0..1.
        description: plain values from which ``build_segmenter`` builds the same network.
        align_corners: of the upsampling of logits (see ``upsampling.upsample``).
        parts: channels of the parts that the features are made of, the decoder's own map first;
            empty: one part. Scaling gives each part, not each channel, the same say.
        second: takes the image that the encoder takes and the height of the finest map; its maps
            come behind the decoder's (see ``SecondEncoder``). None: there is none.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        encoder: Encoder,
        decoder: nn.Module,
        channels: int,
        stride: int,
        num_classes: int,
        spec: ImageSpec,
        description: dict[str, Any],
        align_corners: bool = False,
        parts: tuple[int, ...] = (),
        second: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.second = second
        self.head = nn.Conv2d(channels, num_classes, kernel_size=1)
        # Small weights, so that all classes start equally likely: decoder features can be large,
        # and hundreds of steps would go into unlearning confident nonsense.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]
        self.channels = channels
        self.parts = parts or (channels,)
        self.stride = stride
        self.num_classes = num_classes
        self.spec = spec
        self.description = description
        self.align_corners = align_corners
        # Not in the state dict: the description holds them, and one truth is enough.
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, -1, 1, 1), persistent=False)

    def features(self, image: Tensor) -> Tensor:
        """Dense features of ``image`` [B, C, H, W]: [B, channels, ceil(H/stride), ceil(W/stride)].

        The image is padded below and to the right with the mean colour, up to multiples of 32; the
        features of the padding are cut off again.
        """
        return self.join(self.maps(image), (image.shape[-2], image.shape[-1]))

    def maps(self, image: Tensor) -> list[Tensor]:
        """What the features of ``image`` [B, C, H, W] are joined from.

        Returns:
            Maps [B, C_i, h_i, w_i] of the padded image, their channels in the order of the
            features. The first has the network's stride, others may be coarser.
        """
        height, width = image.shape[-2:]
        x = (image - self.mean) / self.std
        x = F.pad(x, (0, -width % PAD_MULTIPLE, 0, -height % PAD_MULTIPLE))
        if _gains_by_channels_last(x):
            x = x.contiguous(memory_format=torch.channels_last)
        found = self.decoder(self.encoder(x))
        maps = [found] if isinstance(found, Tensor) else list(found)
        return maps if self.second is None else [*maps, *self.second(x, maps[0].shape[-2])]

    def join(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Features [B, channels, ceil(H/stride), ceil(W/stride)] from maps of an image.

        Args:
            maps: See ``maps``; of a batch, or of one image without the first dimension.
            size: Height and width of the image without its padding.
        """
        finest = (maps[0].shape[-2], maps[0].shape[-1])
        spread = [enlarged(each, finest) for each in maps]
        joined = spread[0] if len(spread) == 1 else torch.cat(spread, dim=-3)
        height, width = (-(-side // self.stride) for side in size)
        return joined[..., :height, :width]

    def forward(self, image: Tensor) -> Tensor:
        """Logits [B, num_classes, H, W] of ``image`` [B, C, H, W] in 0..1."""
        height, width = image.shape[-2:]
        return self.upsample(self.head(self.features(image)), height, width)

    def upsample(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Bring ``maps`` [B, K, h, w] from the features' stride to the image's size."""
        return upsample(maps, (height, width), self.stride, self.align_corners)


def _gains_by_channels_last(x: Tensor) -> bool:
    """Whether convolutions of ``x`` are faster with the channels side by side in memory.

    They are, with half precision above all, but where a single thread computes in float32: there
    PyTorch has another routine for those of 1 x 1, to which the usual order is better.
    """
    alone = x.device.type == "cpu" and torch.get_num_threads() == 1
    return not alone or torch.is_autocast_enabled("cpu")
