"""Other support tiles of the same classes, drawn from ``support_pool.json``."""

import hashlib
import json
from collections.abc import Mapping, Set
from pathlib import Path

from terrashot.data.tile_names import listed_name, one_form, read_list_text, tile_name
from terrashot.errors import DataError

POOL_FILE = "support_pool.json"
POOL_FOLDER = "testset"
"""Where pool tiles are looked for first, whatever the split: a draw is the same files for both."""


def draw_support(
    root: Path, draw: int, shots: Mapping[int, int], excluded: Set[str]
) -> dict[int, list[str]]:
    """Choose support tiles from the pool: another draw, another choice.

    Each tile of the pool has a place in the order that a hash of draw, class and name gives; the
    first ones that are not excluded are taken. So a draw is the same on every machine, for every
    split, and whatever the order of the file.

    Args:
        root: the dataset's folder with ``support_pool.json``, ``{"<class id>": [file names]}``.
        draw: number of the draw, from 0.
        shots: tiles wanted of each class id.
        excluded: stems of the tiles that are scored; a pool may name some of them.

    Returns:
        File names by class id, as many as ``shots`` says.

    Raises:
        DataError: there is no pool, it is damaged, or it has too few tiles of a class.
    """
    pool = read_pool(root)
    chosen = {}
    for class_id, count in sorted(shots.items()):
        names = [n for n in pool.get(class_id, []) if tile_name(n) not in excluded]
        if len(names) < count:
            left_out = len(pool.get(class_id, [])) - len(names)
            raise DataError(
                f"{root / POOL_FILE} has {len(names)} tile(s) for class {class_id} once the "
                f"{left_out} query tile(s) of the split are left out, but the support set has "
                f"{count} tile(s) a class. Add labelled tiles of this class to the pool, or leave "
                "data.support_draw out."
            )
        chosen[class_id] = sorted(names, key=lambda name: _place(draw, class_id, name))[:count]
    return chosen


def read_pool(root: Path) -> dict[int, list[str]]:
    """File names by class id, each once.

    Raises:
        DataError: the file is missing or is no such list.
    """
    path = root / POOL_FILE
    expected = '{"<class id>": [file names], ...}'
    try:
        value = json.loads(read_list_text(path))
        if not all(isinstance(name, str) for names in value.values() for name in names):
            raise ValueError("a name in it is no text")
        pool = {
            int(class_id): list(dict.fromkeys(listed_name(n, POOL_FOLDER) for n in names))
            for class_id, names in value.items()
        }
    except FileNotFoundError:
        raise DataError(
            f"data.support_draw takes its tiles from {path}, which does not exist. Write it as "
            f"{expected}, tiles labelled like support tiles, or leave data.support_draw out (the "
            "support tiles of the split's JSON file)."
        ) from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is no pool of support tiles ({error}). Expected is {expected}. Correct the "
            "file, or leave data.support_draw out."
        ) from error
    return pool


def _place(draw: int, class_id: int, name: str) -> str:
    return hashlib.sha256(f"{draw}/{class_id}/{one_form(name)}".encode()).hexdigest()
