"""Group normalisation over a neighbourhood: a pixel's class then depends on no window's border."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from terrashot.errors import ConfigError


class LocalGroupNorm(nn.GroupNorm):
    """``GroupNorm`` whose mean and variance are those of a square around each pixel.

    A network trained on crops has learned what its layers' statistics over a crop are. Over the
    windows of a scene, or over a whole scene, they are others: maps get worse as windows get
    larger, and differ where windows meet. Statistics over a square of the crops' size are the
    same whatever the window (test-time local converter, Chu et al., ECCV 2022,
    https://arxiv.org/abs/2112.04491). At a border the square is moved inwards.

    Args:
        norm: the trained layer, whose weights are shared.
        side: of the square, in pixels of the image.
    """

    def __init__(self, norm: nn.GroupNorm, side: int) -> None:
        super().__init__(norm.num_groups, norm.num_channels, norm.eps, norm.affine)
        self.weight, self.bias = norm.weight, norm.bias
        self.side = side
        self.image_width = 0  # of the image that the network looks at; set before each pass

    def forward(self, x: Tensor) -> Tensor:
        """Normalised features of ``x`` [B, C, h, w]."""
        stride = self.image_width / x.shape[-1]
        size = max(2, round(self.side / stride) // 2 * 2)
        if size >= max(x.shape[-2:]):
            return super().forward(x)
        groups = x.float().unflatten(1, (self.num_groups, -1))  # [B, G, C/G, h, w]
        mean = _box_mean(groups.mean(2), size)
        square = _box_mean(groups.square().mean(2), size)
        scale = (square - mean.square()).clamp_(min=0).add_(self.eps).rsqrt_()
        out = ((groups - mean.unsqueeze(2)) * scale.unsqueeze(2)).flatten(1, 2)
        if not self.affine:
            return out
        return out.mul_(self.weight[:, None, None]).add_(self.bias[:, None, None])


def normalise_locally(model: nn.Module, side: int | None) -> int:
    """Let the group normalisation of ``model`` look at squares of ``side`` pixels.

    Args:
        model: takes images [B, 3, H, W]; changed in place.
        side: of the squares; None leaves the model as it is.

    Returns:
        The number of layers that this concerns.

    Raises:
        ConfigError: squares of no size.
    """
    if side is None:
        return 0
    if side < 32:
        raise ConfigError(
            f"mapping.norm_side is {side}, but it must be 32 pixels or more, about the side of a "
            "training crop; null takes the whole window."
        )
    layers = []
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.GroupNorm:
                layer = LocalGroupNorm(child, side)
                setattr(parent, name, layer)
                layers.append(layer)

    def tell_width(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        for layer in layers:
            layer.image_width = inputs[0].shape[-1]

    if layers:
        model.register_forward_pre_hook(tell_width)
    return len(layers)


def _box_mean(maps: Tensor, size: int) -> Tensor:
    """Mean over ``size`` x ``size`` cells around each cell of ``maps`` [B, G, h, w]."""
    for dim in (2, 3):
        length = maps.shape[dim]
        side = min(size, length)
        # In double precision, since differences of long sums are taken.
        sums = maps.double().cumsum(dim)
        sums = functional.pad(sums, (1, 0) if dim == 3 else (0, 0, 1, 0))
        first = torch.arange(length, device=maps.device) - side // 2
        first = first.clamp_(0, length - side)
        total = sums.index_select(dim, first + side) - sums.index_select(dim, first)
        maps = (total / side).float()
    return maps
