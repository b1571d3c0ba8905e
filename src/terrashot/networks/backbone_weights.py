"""Loading weights into the encoder of a network: all of them, or an error."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from timm.models import adapt_input_conv
from torch import Tensor, nn

from terrashot.errors import CheckpointError
from terrashot.image_spec import IMAGENET_MEAN
from terrashot.networks.checkpoint_file import read_tensors
from terrashot.networks.encoder_file import check_header
from terrashot.networks.key_match import KeyMatch, match_keys, names_of_whole_model
from terrashot.networks.position_weights import with_grid
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.weight_report import WeightReport, shorten
from terrashot.networks.weight_tags import DEFAULT_TAG, tagged_tensors

_FILE_ENDINGS = {".pth", ".pt", ".ckpt", ".bin", ".safetensors", ".torch"}
# Counters that files of old torch versions lack; they do not change what the network computes.
_COUNTER = "num_batches_tracked"


def load_backbone_weights(
    segmenter: Segmenter,
    weights: str | bool | None,
    source: str = "timm",
    clip_model: str | None = None,
) -> WeightReport:
    """Load ``weights`` into the encoder; decoder and head keep theirs.

    Args:
        segmenter: its encoder is changed in place, or not at all on an error.
        weights: None for random weights; a file (timm's layout, also wrapped or with a common
            prefix, or an open_clip checkpoint, whose visual trunk is taken); or a tag to download,
            True for timm's default one.
        source: who knows the tag, ``timm`` or ``open_clip``.
        clip_model: open_clip's name of the model, for its tags.

    Raises:
        CheckpointError: no such file, no download, less than every tensor of the encoder, or an
            encoder that was pretrained on images normalised otherwise.
        ConfigError: unknown tag or source.
    """
    description = segmenter.description
    return load_encoder_weights(
        segmenter.encoder,
        description["backbone"]["name"],
        weights,
        source,
        clip_model,
        statistics=(description["mean"], description["std"]),
    )


def load_encoder_weights(
    encoder: nn.Module,
    name: str,
    weights: str | bool | None,
    source: str = "timm",
    clip_model: str | None = None,
    *,
    statistics: tuple[Sequence[float], Sequence[float]],
    group: str = "backbone",
) -> WeightReport:
    """The same for an encoder outside a segmenter, whose tensors have the names of timm's ``name``.

    ``statistics`` are the channel means and deviations that the encoder's images are normalised
    with; a file that says which ones it was made for must agree. ``group`` are the settings that
    name the weights, for messages.

    Raises:
        CheckpointError: as ``load_backbone_weights``.
        ConfigError: as ``load_backbone_weights``.
    """
    # The feature extractor of timm inside segmentation_models_pytorch's encoder.
    model = encoder.get_submodule("model")
    own = model.state_dict()
    if not weights:
        return WeightReport("random weights", 0, len(own), missing=list(own))
    if weights is not True and is_path(weights):
        path = Path(weights).expanduser()
        origin, tensors = weights, read_tensors(path)
        check_header(path, name, statistics, group)
    else:
        tag = DEFAULT_TAG if weights is True else weights
        origin, tensors = tagged_tensors(name, tag, source, clip_model, group)
    match = match_keys(model, names_of_whole_model(name), tensors)
    match, moved = with_grid(match, model)
    match, repeated = _with_bands(match, own)
    adapted = "; ".join(said for said in (repeated, moved) if said) or None
    missing = [key for key in match.missing if not key.endswith(_COUNTER)]
    if missing or match.misshapen or match.foreign:
        raise _misfit(origin, name, len(own), match, missing, group)
    with torch.no_grad():
        model.load_state_dict(match.found, strict=False)
    return WeightReport(origin, len(match.found), len(own), match.missing, match.unused, adapted)


def _with_bands(match: KeyMatch, own: Mapping[str, Tensor]) -> tuple[KeyMatch, str | None]:
    """The weights of a first convolution for colours, brought to the bands of the images.

    timm's rule: the weights for red, green and blue are repeated over the bands and divided by
    their number, so that activations keep their size; for one band they are summed up.

    Returns:
        the match, and what to say of it; None where the bands are the weights' own.
    """
    changed = [
        key
        for key in match.misshapen
        if own[key].ndim == 4
        and match.found[key].shape[1] == len(IMAGENET_MEAN)
        and match.found[key].shape[0] == own[key].shape[0]
        and match.found[key].shape[2:] == own[key].shape[2:]
    ]
    if len(changed) != 1 or changed != match.misshapen:
        return match, None
    key = changed[0]
    bands = own[key].shape[1]
    weight = adapt_input_conv(bands, match.found[key])
    found = {**match.found, key: weight}
    said = f"{key} repeated from 3 colours to {bands} band(s)"
    return replace(match, found=found, misshapen=[]), said


def is_path(weights: str) -> bool:
    """Whether weights are named by a file, not by a tag."""
    path = Path(weights).expanduser()
    return path.is_file() or os.sep in weights or path.suffix in _FILE_ENDINGS


def _misfit(
    origin: str, name: str, total: int, match: KeyMatch, missing: list[str], group: str
) -> CheckpointError:
    fitting = len(match.found) - len(match.misshapen)
    faults = []
    if missing:
        faults.append(f"missing {shorten(missing)}")
    if match.misshapen:
        faults.append(f"of another shape {shorten(match.misshapen)}")
    if match.foreign:
        faults.append(f"unknown to the encoder {shorten(match.foreign)}")
    return CheckpointError(
        f"The backbone weights {origin} do not fit {group}.name={name}: {fitting} of {total} "
        f"tensors match; {'; '.join(faults)}. All of the encoder is expected: set "
        f"{group}.name to the timm model that the weights were made for, or give other weights."
    )
