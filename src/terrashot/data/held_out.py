"""The list of held-out tiles that a data config brings, for a dataset that comes without one."""

from collections.abc import Sequence
from pathlib import Path

from terrashot.data.tile_names import listed_name, read_list_text, tile_name
from terrashot.errors import DataError
from terrashot.files import atomic_write

FILE = "stage1_val.txt"


def write_held_out(root: Path, names: Sequence[str]) -> bool:
    """Write ``stage1_val.txt`` where a dataset has none.

    Nothing is written where there is a list, or where ``train.txt`` lacks one of the tiles: the
    dataset is then another one than the config speaks of.

    Args:
        root: The dataset's folder.
        names: File names of the tiles that stage 1 validates on.

    Returns:
        Whether the list was written.

    Raises:
        DataError: the folder can't be written to.
    """
    path = root / FILE
    if path.exists() or not {tile_name(name) for name in names} <= _listed(root / "train.txt"):
        return False
    try:
        with atomic_write(path) as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path} does not exist, and the list of data.stage1_val can't be written there "
            f"({error}). Let the folder be written to once, or copy the dataset."
        ) from error
    return True


def _listed(train: Path) -> set[str]:
    """The tiles on a list; none where it is missing or damaged, which its reader will say."""
    try:
        lines = read_list_text(train).splitlines()
        return {tile_name(listed_name(line, "trainset")) for line in lines}
    except (OSError, ValueError):
        return set()
