"""One tile at a time: files, bands, sizes, label ids."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from terrashot.data.checks.report import Finding, Level
from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import PART_FOLDERS
from terrashot.data.moments import Moments
from terrashot.data.raster import Raster
from terrashot.data.reading import (
    check_label_ids,
    check_same_place,
    read_georeference,
    read_placed_label,
    read_tile,
)
from terrashot.data.tile_names import SUFFIXES, one_form
from terrashot.errors import DataError
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy


@dataclass(frozen=True)
class TileFiles:
    """A listed tile: name, folder, roles, class ids it supports, its files where they exist."""

    name: str
    folder: str
    roles: tuple[str, ...]
    classes: tuple[int, ...]
    image: Path | None
    label: Path | None


@dataclass
class TileFacts:
    """What reading a tile told; fields stay empty where it could not be read."""

    tile: TileFiles
    findings: list[Finding] = field(default_factory=list)
    size: str | None = None
    crs: str | None = None
    pixel_size: str | None = None
    digest: bytes | None = None
    moments: Moments = field(default_factory=Moments)  # of the pixels with data, in 0..1
    counts: np.ndarray | None = None  # pixels by label id [256]


class FileIndex:
    """The image and label files of the split folders by stem, from one listing a folder."""

    def __init__(self, root: Path) -> None:
        self.files: dict[tuple[str, str], dict[str, Path]] = {}
        for folder in PART_FOLDERS:
            for kind in ("images", "labels"):
                path = root / folder / kind
                found = sorted(path.iterdir()) if path.is_dir() else []
                self.files[folder, kind] = {
                    one_form(f.stem): f for f in found if f.suffix.lower() in SUFFIXES
                }

    def find(self, folder: str, name: str) -> tuple[str, Path | None, Path | None]:
        """Folder, image and label of a name: in ``folder``, else in another one, as the loader."""
        others = [f for f in PART_FOLDERS if f != folder]
        for candidate in (folder, *others):
            image = self.files[candidate, "images"].get(name)
            if image is not None:
                return candidate, image, self.files[candidate, "labels"].get(name)
        return folder, None, self.files[folder, "labels"].get(name)


def inspect(
    tile: TileFiles, taxonomy: Taxonomy, spec: ImageSpec, codes: LabelCodes | None
) -> TileFacts:
    """Read the tile's files and judge them."""
    facts = TileFacts(tile)
    found = _image(facts, spec)
    image, raster = found or (None, None)
    ids = {*range(taxonomy.num_classes), IGNORE}
    label = _label(facts, codes, ids, raster)
    if image is not None and label is not None and image.shape[1:] != label.shape:
        _add(
            facts,
            "error",
            "sizes differ",
            f"image {_size(image)}, label {_size(label)}: they must cover the same pixels.",
        )
    if label is not None:
        facts.counts = np.bincount(label.reshape(-1), minlength=256)
        _judge_ids(facts, label, taxonomy)
        _judge_support(facts, facts.counts, taxonomy)
    return facts


def _add(facts: TileFacts, level: Level, kind: str, message: str, path: Path | None = None) -> None:
    within = facts.tile.name if path is None else f"{path.parent.name}/{path.name}"
    subject = str(Path(facts.tile.folder, within))
    facts.findings.append(Finding(level, kind, subject, message))


def _image(facts: TileFacts, spec: ImageSpec) -> tuple[np.ndarray, Raster] | None:
    path = facts.tile.image
    if path is None:
        message = f"is listed ({', '.join(facts.tile.roles)}) but has no file in images/."
        _add(facts, "error", "missing image", message)
        return None
    try:
        found = read_tile(path, spec)
        georeference = read_georeference(path)
    except DataError as error:
        _add(facts, "error", "bad image", _tail(error, path), path)
        return None
    image, raster = found.pixels, found.raster
    for note in raster.notes:
        _add(facts, "note", "left out of the file", note, path)
    empty = int((~found.valid).sum())
    if empty:
        message = f"{empty} pixel(s) hold no data ({raster.mask}): they are neither learned from "
        message += "nor scored."
        _add(facts, "note", "empty pixels", message, path)
    facts.size = _size(image)
    values = image[:, found.valid].astype(np.float32) / (255 if image.dtype == np.uint8 else 1)
    facts.moments = Moments.of(values)
    if np.ptp(image):  # tiles of one value are alike and yet no copies
        facts.digest = hashlib.blake2b(image.tobytes() + str(image.shape).encode()).digest()
    crs, transform = georeference.crs, georeference.transform
    if crs:
        facts.crs = crs.to_string()
        if len(facts.crs) > 40:  # no authority's code: a whole WKT
            facts.crs = f"{facts.crs[:37]}..."
        step = abs(transform.a)
        if crs.is_projected:
            facts.pixel_size = f"{step * crs.linear_units_factor[1]:.3g} m"
        else:
            facts.pixel_size = f"{step:.3g}°"
    return image, raster


def _label(
    facts: TileFacts, codes: LabelCodes | None, ids: set[int], image: Raster | None
) -> np.ndarray | None:
    path = facts.tile.label
    if path is None:
        # Query labels may be withheld; how many there are is judged over the whole split.
        # A missing image says enough about its tile.
        needed = not all(role.endswith("query") for role in facts.tile.roles)
        if needed and facts.tile.image is not None:
            message = f"is listed ({', '.join(facts.tile.roles)}) but has no file in labels/."
            _add(facts, "error", "missing label", message)
        return None
    try:
        label, place = read_placed_label(path, codes=codes, known=ids)
    except DataError as error:
        _add(facts, "error", "bad label", _tail(error, path), path)
        return None
    try:
        if image is not None and label.shape == (image.height, image.width):
            check_same_place(image, path, place)
    except DataError as error:
        _add(facts, "error", "label lies elsewhere", _tail(error, path), path)
    return label


def _judge_ids(facts: TileFacts, label: np.ndarray, taxonomy: Taxonomy) -> None:
    path = facts.tile.label
    if path is None:
        return
    try:
        check_label_ids(label, {*range(taxonomy.num_classes), IGNORE}, path)
    except DataError as error:
        _add(facts, "error", "label ids", _tail(error, path), path)
    if {"train", "stage1_val"} & set(facts.tile.roles):
        novel = [i for i in taxonomy.novel_ids if (label == i).any()]
        if novel:
            message = f"a stage-1 tile has the novel id(s) {_ids(novel)}: stage 1 knows base "
            message += "classes only, so the loader turns them into background (0)."
            _add(facts, "note", "novel ids in stage 1", message, path)


def _judge_support(facts: TileFacts, counts: np.ndarray, taxonomy: Taxonomy) -> None:
    own = facts.tile.classes
    if not own:
        return
    lacking = [i for i in own if not counts[i]]
    if lacking:
        message = f"a support tile of class {_ids(lacking)} without a pixel of it: choose another "
        message += "tile or correct its label."
        _add(facts, "error", "support without its class", message, facts.tile.label)
    # The loader lets a support tile show one class: a second one would have to be guessed away.
    foreign = [i for i in range(1, taxonomy.num_classes) if counts[i] and own != (i,)]
    if foreign and not (len(own) > 1 and lacking):
        message = f"a support tile of class {_ids(list(own))} has labels {_ids(foreign)}; expected "
        message += "its own class alone, all else 0 or ignored. Set the others to 0."
        _add(facts, "error", "foreign labels in support", message, facts.tile.label)


def _ids(ids: list[int]) -> str:
    return ", ".join(map(str, ids))


def _size(array: np.ndarray) -> str:
    """Width x height."""
    return f"{array.shape[-1]}x{array.shape[-2]}"


def _tail(error: DataError, path: Path) -> str:
    """The message without the path it opens with, which the finding names already."""
    return str(error).removeprefix(str(path)).strip()
