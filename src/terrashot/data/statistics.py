"""Pixels a class over a set of labels, counted once and kept."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from terrashot.data.layout import Tile
from terrashot.data.reading import read_label
from terrashot.data.tiles import TileDataset
from terrashot.errors import DataError
from terrashot.files import write_json
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy


def label_counts(
    tiles: Sequence[Tile],
    taxonomy: Taxonomy,
    root: Path,
    *,
    base_only: bool = False,
    spec: ImageSpec | None = None,
) -> Tensor:
    """Count the labelled pixels of each class.

    The counts are kept in ``ROOT/.terrashot/label_counts_<hash>.json``, or in the cache folder
    where the root is read-only. The hash covers names, sizes and times of the label files, so
    changed labels are counted anew.

    Args:
        tiles: tiles; those without a label count nothing.
        taxonomy: the classes; pixels of ``IGNORE`` are not counted.
        root: the dataset's folder.
        base_only: count novel pixels as background, as stage 1 sees them.
        spec: the channels of the images, to leave out their empty pixels; None: images are not
            looked at.

    Returns:
        int64 [num_classes], or [num_base] with ``base_only``.

    Raises:
        DataError: a label is damaged or holds an unknown id.
    """
    labelled = [tile for tile in tiles if tile.label is not None]
    files = [tile.label for tile in labelled if tile.label is not None]
    codes = {tile.codes for tile in labelled} - {None}
    known = f"_{hashlib.sha256(repr(sorted(map(repr, codes))).encode()).hexdigest()[:8]}"
    seen = "" if spec is None else "_with_data"
    name = f"label_counts_{fingerprint(files)}{known if codes else ''}{seen}.json"
    places = [root / ".terrashot" / name, cache_folder() / name]
    counts = next((found for place in places if (found := _load(place)) is not None), None)
    allowed = {*range(taxonomy.num_classes), IGNORE}
    # Kept counts are by label id and serve any taxonomy; an id this one lacks is looked for
    # again, so that the error names the file.
    if counts is None or not set(np.flatnonzero(counts).tolist()) <= allowed:
        dataset = TileDataset(labelled, taxonomy, spec=spec)
        counts = np.zeros(256, dtype=np.int64)
        for index, tile in enumerate(labelled):
            if spec is None and tile.label is not None:
                label = read_label(tile.label, allowed, tile.codes)
            else:
                label = dataset.label(index)
            counts += np.bincount(label.reshape(-1), minlength=256)
        _save(places, counts)
    classes = counts[: taxonomy.num_classes].copy()
    if base_only:
        classes[0] += classes[taxonomy.num_base :].sum()
        classes = classes[: taxonomy.num_base]
    return torch.from_numpy(classes)


def cache_folder() -> Path:
    """The folder for what can be computed again: ``$TERRASHOT_CACHE`` or ~/.cache/terrashot."""
    return Path(os.environ.get("TERRASHOT_CACHE") or "~/.cache/terrashot").expanduser()


def fingerprint(files: Sequence[Path]) -> str:
    """A digest of names, sizes and times of files."""
    digest = hashlib.sha256()
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            raise DataError(
                f"{file} cannot be found ({error.strerror}), but the dataset lists it. Restore "
                "the file, or take its name off the list."
            ) from error
        digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _load(path: Path) -> np.ndarray | None:
    """Counts by label id [256], or None where they are not kept there."""
    counts = np.zeros(256, dtype=np.int64)
    try:
        for label_id, pixels in json.loads(path.read_text(encoding="utf-8")).items():
            counts[int(label_id)] = int(pixels)
    except (OSError, ValueError, TypeError, AttributeError, IndexError):
        return None  # missing or damaged: it is only a shortcut
    return counts


def _save(places: Sequence[Path], counts: np.ndarray) -> None:
    value = {str(i): int(counts[i]) for i in np.flatnonzero(counts)}
    for place in places:
        try:
            write_json(place, value)
            return
        except OSError:
            continue  # read-only or full: the next place, or count again next time
