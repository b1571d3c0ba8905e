"""Norms of a single value: what torch refuses, and tiny images and global pooling come to."""

import torch
from torch import nn
from torch.nn import functional as F


class SingleValueBatchNorm2d(nn.BatchNorm2d):
    """Batch norm that takes its running statistics where a batch has one value a channel.

    torch raises an error there, which would forbid training with one image a device.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``x`` [B, C, h, w]."""
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        return super().forward(x)


class SingleValueGroupNorm(nn.GroupNorm):
    """Group norm with as many groups as channels, which is left with its bias by a map of 1 x 1.

    torch's module raises an error there, also when nothing is trained, which would forbid images
    of 32 x 32 pixels and below.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise ``x`` [B, C, h, w]."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def allow_single_values(module: nn.Module) -> None:
    """Replace, in place, the norms that may be given a single value.

    These are batch norms that follow a pooling to 1x1 in a Sequential, and group norms of one
    channel a group. Call it on a freshly initialised module; the names in the state dict stay the
    same.
    """
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.GroupNorm and child.num_groups == child.num_channels:
                norm = SingleValueGroupNorm(child.num_groups, child.num_channels, child.eps)
                setattr(parent, name, norm)
    for block in list(module.modules()):
        if not isinstance(block, nn.Sequential) or len(block) == 0:
            continue
        pool = block[0]
        if isinstance(pool, nn.AdaptiveAvgPool2d) and pool.output_size in (1, (1, 1)):
            _replace(block)


def _replace(module: nn.Module) -> None:
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            norm = SingleValueBatchNorm2d(child.num_features, child.eps, child.momentum)
            setattr(module, name, norm)
        else:
            _replace(child)
