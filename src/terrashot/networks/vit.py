"""Plain vision transformers of timm as encoders: one grid of tokens, of images of any size."""

import math

import timm
from timm.models import is_model_in_modules
from torch import Tensor, nn
from torch.nn import functional as F

from terrashot.errors import ConfigError

# Their positions follow the size of the image (`dynamic_img_size`); DeiT, DINOv2 and v3, CLIP,
# SigLIP and EVA are among them.
_MODULES = ("vision_transformer", "deit", "eva")
_STRIDES = (4, 8, 16, 32)


def is_plain_vit(name: str) -> bool:
    """Whether timm's model ``name`` is a vision transformer with one grid of tokens."""
    return is_model_in_modules(name, _MODULES)


class ViTEncoder(nn.Module):
    """A vision transformer whose only stage is the map of its last tokens.

    Class and register tokens take part and are left out of the map. Position embeddings are
    brought to the image's grid, as timm does it. The map has a stride that is a power of two,
    whatever the patch: where the patch is none (14 pixels), the image is scaled so that a patch
    covers as many pixels of it as the nearest one (16), which leaves weights and tokens as they
    were trained.

    Args:
        name: Timm architecture for which ``is_plain_vit`` holds.
        drop_path: Stochastic depth rate; 0 leaves the model's own default.
        channels: Of the images.
        group: The settings that name it, for messages.

    Attributes:
        out_channels: Of what ``forward`` gives.
        stride: Image pixels a token covers in each direction.

    Raises:
        ConfigError: patches of a size that no stride from 4 to 32 is near to.
    """

    def __init__(
        self, name: str, drop_path: float = 0.0, channels: int = 3, group: str = "backbone"
    ) -> None:
        super().__init__()
        options = {"drop_path_rate": drop_path} if drop_path else {}
        self.model = timm.create_model(
            name, pretrained=False, in_chans=channels, dynamic_img_size=True, **options
        )
        # The last block with its norm, but no classifier: parameters that nothing reads would
        # stop distributed training.
        self.model.prune_intermediate_layers(1, prune_norm=False)
        patch = self.model.patch_embed.patch_size
        self.patch = int(patch[0])
        self.stride = 2 ** round(math.log2(self.patch))
        if patch[0] != patch[1] or self.stride not in _STRIDES:
            raise ConfigError(
                f"{group}.name={name} has patches of {patch[0]} x {patch[1]} pixels, but decoders "
                "need square ones of about 4, 8, 16 or 32. Choose another vision transformer, for "
                "example vit_small_patch16_dinov3."
            )
        self.out_channels = [channels, int(self.model.embed_dim)]

    def forward(self, image: Tensor) -> list[Tensor]:
        """The image [B, C, H, W] and its tokens [B, D, ceil(H / stride), ceil(W / stride)]."""
        height, width = image.shape[-2:]
        x = F.pad(image, (0, -width % self.stride, 0, -height % self.stride))
        if self.patch != self.stride:
            rows, columns = (side // self.stride for side in x.shape[-2:])
            size = (rows * self.patch, columns * self.patch)
            x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        tokens = self.model.forward_intermediates(x, indices=1, norm=True, intermediates_only=True)
        return [image, tokens[0]]
