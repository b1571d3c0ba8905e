"""What a support set must be like: clear errors where it is not."""

from collections.abc import Iterable, Iterator, Sequence, Sized

import torch
from torch import Tensor

from terrashot.errors import DataError
from terrashot.taxonomy import IGNORE


def check_labels(maps: list[Tensor], num_classes: int) -> None:
    """Refuse an empty support and labels that are no class."""
    if not maps:
        raise DataError(
            "support: there are no support tiles, but there must be at least one for each "
            "novel class."
        )
    for number, label in enumerate(maps):
        bad = label[((label < 0) | (label >= num_classes)) & (label != IGNORE)]
        if bad.numel():
            raise DataError(
                f"support: tile {number} holds label {int(bad[0])}, but labels go from 0 to "
                f"{num_classes - 1}, or are {IGNORE} for ignore. Mend the label or "
                "choose the taxonomy that it was drawn with."
            )


def check_classes(
    counts: Tensor, num_base: int, num_tiles: int, names: list[str] | None, stride: int | None
) -> None:
    """Refuse a novel class without a pixel."""
    for index in range(num_base, len(counts)):
        if counts[index] == 0:
            name = f"{index} ('{names[index]}')" if names else str(index)
            at = f" at feature stride {stride}" if stride else ""
            raise DataError(
                f"support: class {name} has no labelled pixel{at} in any of the "
                f"{num_tiles} support tiles, but each novel class needs at least one. "
                "Lower adaptation.feature_stride if the class is lost by downsampling, or "
                "check the support tiles that the list file names for this class."
            )


def check_tile_classes(found: Sequence[int | None], tiles: int, novel: range) -> None:
    """Refuse tiles said to be labelled for classes that are not novel."""
    if len(found) != tiles or any(c is not None and c not in novel for c in found):
        raise DataError(
            f"support: the tiles were labelled for the classes {list(found)}, but there are "
            f"{tiles} tiles and the novel classes are {list(novel)}; each tile needs one of "
            "them, or none."
        )


def paired(
    features: Iterable[Tensor] | Tensor, maps: list[Tensor]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Tiles with their labels, and an error where one runs out before the other."""
    if isinstance(features, Sized) and len(features) != len(maps):
        raise _unpaired(str(len(features)), len(maps))
    number = 0
    for number, tile in enumerate(features, start=1):
        if number > len(maps):
            break
        yield tile, maps[number - 1]
    if number != len(maps):
        raise _unpaired(f"more than {len(maps)}" if number > len(maps) else str(number), len(maps))


def check_shape(number: int, tile: Tensor, label: Tensor, channels: int) -> None:
    """Refuse features that do not fit their labels, or the channels of the tiles before."""
    expected = (channels, *label.shape)
    if tuple(tile.shape) != expected:
        raise DataError(
            f"support: tile {number} has features of shape {tuple(tile.shape)} and labels of "
            f"shape {tuple(label.shape)}; expected features {expected}. Bring the labels to "
            "feature resolution and use one network for all tiles."
        )


def all_finite(features: Tensor) -> bool:
    """Whether no value of ``[C, ...]`` is NaN or infinite."""
    return bool(torch.isfinite(torch.stack(features.aminmax())).all())  # NaN is passed on by both


def _unpaired(features: str, labels: int) -> DataError:
    return DataError(
        f"support: there are {features} feature maps and {labels} label maps, but each support "
        "tile needs one of both."
    )
