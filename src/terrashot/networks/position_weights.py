"""Position embeddings of a vision transformer, brought to another grid of patches."""

import math
from dataclasses import replace
from typing import Any

from timm.layers import resample_abs_pos_embed
from torch import nn

from terrashot.networks.key_match import KeyMatch

_KEY = "pos_embed"


def with_grid(match: KeyMatch, model: nn.Module) -> tuple[KeyMatch, str | None]:
    """Resample the position embeddings of a file where its grid is not the model's.

    A file of 384-pixel images then fits a model for 224 pixels. What belongs to class and register
    tokens stays as it is; grids of files are square.

    Args:
        match: Of the file.
        model: Timm's model.

    Returns:
        the match, and what to say of it; None where there is nothing to do or nothing that helps.
    """
    if _KEY not in match.misshapen:
        return match, None
    vit: Any = model
    found, wanted = match.found[_KEY], vit.pos_embed
    extra = 0 if vit.no_embed_class else vit.num_prefix_tokens
    rows, columns = vit.patch_embed.grid_size
    if found.ndim != 3 or found.shape[::2] != wanted.shape[::2]:
        return match, None
    side = math.isqrt(max(0, found.shape[1] - extra))
    if not side or side**2 + extra != found.shape[1]:
        return match, None
    resampled = resample_abs_pos_embed(found, [rows, columns], [side, side], extra)
    misshapen = [name for name in match.misshapen if name != _KEY]
    said = f"{_KEY} resampled from {side} x {side} to {rows} x {columns} patches"
    return replace(match, found={**match.found, _KEY: resampled}, misshapen=misshapen), said
