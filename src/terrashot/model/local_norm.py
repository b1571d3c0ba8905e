"""Group normalisation over a neighbourhood: a pixel's class then depends on no window's border."""

import torch
from torch import Tensor, nn

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
        # Looked at first, since an exported program holds no autocast.
        if torch.is_autocast_enabled(x.device.type):
            with torch.autocast(x.device.type, enabled=False):
                return self._normalised(x.float(), size)
        return self._normalised(x.float(), size)

    def _normalised(self, x: Tensor, size: int) -> Tensor:
        """The same with squares of ``size`` x ``size`` cells, float32."""
        pixels = x.permute(0, 2, 3, 1)  # [B, h, w, C]: how maps lie in memory, no copy
        each = self.num_channels // self.num_groups
        # Means as matrix products: they are added up in blocks, exactly enough in float32, and
        # touch memory far less often than running sums.
        group = torch.eye(self.num_groups, device=x.device).repeat_interleave(each, 0) / each
        mean = _box_mean(pixels @ group, size)  # [B, h, w, G]
        square = _box_mean(pixels.square() @ group, size)
        scale = (square - mean.square()).clamp_(min=0).add_(self.eps).rsqrt_().unsqueeze(-1)
        shift = -mean.unsqueeze(-1) * scale
        out = torch.addcmul(shift, pixels.unflatten(3, (-1, each)), scale)  # [B, h, w, G, C/G]
        if self.affine:
            weight, bias = (p.unflatten(0, (-1, each)) for p in (self.weight, self.bias))
            out = torch.addcmul(bias, out, weight)
        return out.flatten(3).permute(0, 3, 1, 2)


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
            if isinstance(child, nn.GroupNorm) and not isinstance(child, LocalGroupNorm):
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
    """Mean over ``size`` x ``size`` cells around each cell of ``maps`` [B, h, w, G]."""
    height, width = maps.shape[1:3]
    rows = _band(height, size, maps.device) @ maps.flatten(2)  # [B, h, w G]
    return _band(width, size, maps.device) @ rows.unflatten(2, (width, -1))


def _band(length: int, size: int, device: torch.device) -> Tensor:
    """The matrix [length, length] that takes the mean over ``size`` cells around each one."""
    side = min(size, length)
    cells = torch.arange(length, device=device)
    first = (cells - side // 2).clamp(0, length - side).unsqueeze(1)
    return ((cells >= first) & (cells < first + side)).float() / side
