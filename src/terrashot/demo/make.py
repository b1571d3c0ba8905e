"""Making the demo set: all tiles, lists and the marker, written whole or not at all."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from terrashot.data.support_pool import POOL_FILE
from terrashot.demo.classes import NOVEL, TAXONOMY, Land
from terrashot.demo.plan import TilePlan, plan_tiles
from terrashot.demo.scene import develop_scene, draw_scene
from terrashot.demo.writer import PIXEL_SIZE, tile_transform, write_tile
from terrashot.errors import DataError
from terrashot.taxonomy import Taxonomy

GENERATOR_VERSION = 3
TILE_SIZE = 384
MARKER = "demo.json"
_REGIONS = {"train": 0, "val": 1, "test": 2}
_ATTEMPTS = 200


def make_demo(root: Path, seed: int = 0) -> None:
    """Write the demo set into ``root`` unless it stands there already.

    The layout is the few-shot challenge's own: ``trainset``, ``valset`` and ``testset`` with
    ``images`` and ``labels``, ``train.txt``, ``stage1_val.txt``, ``val.json``, ``test.json``,
    ``support_pool.json``.
    ``demo.json`` marks a whole set and says how it was made. The set is built in a folder beside
    ``root`` and renamed, so that an interrupted run leaves nothing that looks complete.

    Args:
        root: the dataset's folder; a demo set of another seed or version in it is replaced.
        seed: the same seed gives the same files, byte for byte.

    Raises:
        DataError: ``root`` holds something that is no demo set.
    """
    root = Path(os.path.abspath(root))
    if _is_made(root, seed):
        return
    _refuse_foreign(root)
    root.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{root.name}.making-"
    _sweep(root.parent, prefix)
    building = Path(tempfile.mkdtemp(dir=root.parent, prefix=prefix))
    try:
        _build(building, seed)
        umask = os.umask(0)
        os.umask(umask)
        building.chmod(0o777 & ~umask)
        _move_in(building, root, seed)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _is_made(root: Path, seed: int) -> bool:
    try:
        marker = json.loads((root / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(marker, dict):
        return False
    return marker.get("generator_version") == GENERATOR_VERSION and marker.get("seed") == seed


def _refuse_foreign(root: Path) -> None:
    """Never replace a folder that this generator did not write."""
    if not root.exists() or (root / MARKER).is_file():
        return
    if not root.is_dir() or any(root.iterdir()):
        raise DataError(
            f"the demo set cannot be made in {root}: something stands there that is no demo set "
            f"(it has no {MARKER}). Expected a folder that is missing, empty, or a demo set. "
            "Name another folder with data.root=..., or move away what is there."
        )


def _sweep(parent: Path, prefix: str) -> None:
    """Remove what killed runs left; a young folder may belong to a run still at work."""
    for folder in parent.glob(f"{prefix}*"):
        if time.time() - folder.stat().st_mtime > 3600:
            shutil.rmtree(folder, ignore_errors=True)


def _move_in(building: Path, root: Path, seed: int) -> None:
    """Put the finished folder in its place; whoever comes second leaves the first one's."""
    if root.exists():
        if _is_made(root, seed):
            return
        # Moved into the new folder's own temporary neighbour, so that one rename ends the old set.
        old = Path(tempfile.mkdtemp(dir=root.parent, prefix=f".{root.name}.making-"))
        root.rename(old / root.name)
        shutil.rmtree(old, ignore_errors=True)
    try:
        building.rename(root)
    except OSError:
        if not _is_made(root, seed):
            raise


def _build(folder: Path, seed: int) -> None:
    tiles = plan_tiles()
    for split in _REGIONS:
        for kind in ("images", "labels"):
            (folder / f"{split}set" / kind).mkdir(parents=True)
    counts = {
        role: np.zeros(len(Land), np.int64)
        for role in ("train", "stage1_val", "val_query", "test_query")
    }
    for index, tile in enumerate(tiles):
        image, labels = _draw(tile, index, seed)
        place = int(tile.name[-7:-4])
        transform = tile_transform(_REGIONS[tile.split], place, TILE_SIZE)
        target = folder / f"{tile.split}set"
        write_tile(target / "images" / tile.name, image, transform)
        write_tile(target / "labels" / tile.name, _visible_labels(tile, labels), transform)
        role = f"{tile.split}_query" if tile.role == "query" else tile.role
        if role in counts:
            counts[role] += np.bincount(labels.ravel(), minlength=len(Land))
    _write_lists(folder, tiles)
    names = Taxonomy.from_dict(TAXONOMY).names
    marker = {
        "generator_version": GENERATOR_VERSION,
        "seed": seed,
        "tiles": len(tiles),
        "tile_size": TILE_SIZE,
        "pixel_size_m": PIXEL_SIZE,
        # Shares in the scenes, the novel classes included where the label files hide them.
        "class_shares": {
            role: dict(zip(names, (count / max(count.sum(), 1)).round(5).tolist(), strict=True))
            for role, count in counts.items()
        },
    }
    _write_json(folder / MARKER, marker)


def _draw(tile: TilePlan, index: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw scenes until one has what the tile needs."""
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, index, attempt])
        painter = draw_scene(rng, TILE_SIZE, TILE_SIZE, tile.theme)
        if tile.accepts(painter.canvas.labels()):
            return develop_scene(painter)
    raise AssertionError(f"no scene of {_ATTEMPTS} fits {tile}")


def _visible_labels(tile: TilePlan, labels: np.ndarray) -> np.ndarray:
    """What the label file of the tile tells: queries all, training no novel, support its own."""
    if tile.role == "query":
        return labels
    if tile.role in ("support", "pool"):
        return np.where(labels == tile.novel, labels, 0).astype(np.uint8)
    return np.where(np.isin(labels, [int(n) for n in NOVEL]), 0, labels).astype(np.uint8)


def _write_lists(folder: Path, tiles: list[TilePlan]) -> None:
    for role in ("train", "stage1_val"):
        lines = [t.name for t in tiles if t.role == role]
        (folder / f"{role}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for split in ("val", "test"):
        own = [t for t in tiles if t.split == split]
        support = _by_class(own, "support")
        queries = [t.name for t in own if t.role == "query"]
        _write_json(folder / f"{split}.json", {"support_set": support, "query_set": queries})
    _write_json(folder / POOL_FILE, _by_class(tiles, "support", "pool", split="test"))


def _by_class(
    tiles: Sequence[TilePlan], *roles: str, split: str | None = None
) -> dict[str, object]:
    """Names of the tiles of these roles by class id."""
    return {
        str(int(n)): [
            t.name for t in tiles if t.novel == n and t.role in roles and split in (None, t.split)
        ]
        for n in NOVEL
    }


def _write_json(path: Path, value: dict[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
