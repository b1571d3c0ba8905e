"""The few-shot layout on disk: which tile is for training, validation, support and query."""

import json
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from terrashot.data.label_codes import LabelCodes
from terrashot.data.support_pool import POOL_FILE, POOL_FOLDER, draw_support
from terrashot.data.tile_names import SUFFIXES, listed_name, one_form, read_list_text, tile_name
from terrashot.errors import ConfigError, DataError

_FOLDERS = {"val": "valset", "test": "testset"}
PART_FOLDERS = ("trainset", "valset", "testset", ".")
"""Where tiles lie below the root; ``.``: a set that is not divided, in its images/ and labels/."""
_ROOT_CONTENT = (
    "trainset/, valset/ and testset/ (each with images/ and labels/), train.txt, stage1_val.txt, "
    "val.json and test.json"
)
_JSON_CONTENT = '{"support_set": {"<class id>": [file names], ...}, "query_set": [file names]}'


@dataclass(frozen=True)
class Tile:
    """One tile: its name (file name without suffix), image file, and label file if public.

    ``codes`` says what the label file holds where its pixels are no class ids.
    """

    name: str
    image: Path
    label: Path | None
    codes: LabelCodes | None = field(default=None, compare=False)


class FewShotLayout:
    """The splits of a dataset in the layout of the OpenEarthMap few-shot challenge.

    ``ROOT/{trainset,valset,testset}/{images,labels}/NAME.tif`` with the lists ``train.txt`` and
    ``stage1_val.txt`` (a file name a line) and ``val.json``, ``test.json`` (support and query
    names). Images and labels may be GeoTIFF, PNG or JPEG; a label has the stem of its image.
    A part is read, and the existence of all its files checked, when it is first asked for, so
    that stage 2 works without the training tiles. A name that a list repeats counts once.

    Args:
        root: the dataset's folder.
        split: ``test`` or ``val``: which support and query set to use.
        novel_ids: the class ids a support set may have and must have; None takes any.
        hint: how to get the data, shown when ``root`` is missing.
        support_draw: draws other support tiles from ``support_pool.json``; None takes those of
            the split's JSON file.
        codes: what the label files hold where their pixels are no class ids.
        val_in_training: whether tiles of ``stage1_val`` are trained on too.

    Raises:
        ConfigError: ``split`` is something else.
        DataError: the root is missing; on access, a list or a listed file is missing or wrong.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        novel_ids: Iterable[int] | None = None,
        hint: str = "",
        support_draw: int | None = None,
        codes: LabelCodes | None = None,
        val_in_training: bool = False,
    ) -> None:
        self.root = Path(root)
        self.codes = codes
        self.split = split
        self.val_in_training = val_in_training
        self.support_draw = support_draw
        self._novel_ids: Set[int] | None = None if novel_ids is None else set(novel_ids)
        self._folders: dict[Path, dict[str, Path]] = {}
        if split not in _FOLDERS:
            raise ConfigError(
                f"data.split is '{split}', but a dataset has the splits 'val' and 'test'. "
                "Write data.split=test or data.split=val."
            )
        if not self.root.is_dir():
            raise DataError(
                f"The data folder {self.root} does not exist. Expected there: {_ROOT_CONTENT}. "
                + (f"{hint.strip()} " if hint.strip() else "")
                + "If the data lies elsewhere, write data.root=FOLDER."
            )

    @cached_property
    def train(self) -> list[Tile]:
        """Labelled base-class tiles of stage 1, those of ``stage1_val`` left out.

        The challenge's train.txt holds all its validation tiles too: trained on, they would turn
        validation into a score on training data. ``val_in_training`` takes them all the same.
        """
        listed = self._names("train.txt")
        if self.val_in_training:
            return self._tiles(listed, "trainset", "train.txt", label_needed=True)
        names = self._without(listed, {tile.name for tile in self.stage1_val})
        return self._tiles(names, "trainset", "train.txt", label_needed=True)

    @cached_property
    def unlabelled_train(self) -> list[Tile]:
        """The images of ``train``, whether they have a label or not; no label is looked for.

        Tiles of ``stage1_val`` are left out here too, where there is such a list.
        """
        held_out: set[str] = set()
        if (self.root / "stage1_val.txt").is_file():
            held_out = {tile_name(name) for name in self._names("stage1_val.txt")}
        names = self._without(self._names("train.txt"), held_out)
        tiles = self._tiles(names, "trainset", "train.txt", label_needed=False)
        return [Tile(tile.name, tile.image, None) for tile in tiles]

    @cached_property
    def stage1_val(self) -> list[Tile]:
        """Labelled base-class tiles that stage 1 validates on."""
        names = self._names("stage1_val.txt")
        return self._tiles(names, "trainset", "stage1_val.txt", label_needed=True)

    @cached_property
    def support(self) -> dict[int, list[Tile]]:
        """The labelled tiles of each novel class id, ids ascending."""
        listed, file = self._split_lists[0], self._split_file
        ids = set(listed)
        if self._novel_ids is not None and ids != self._novel_ids:
            raise DataError(
                f"{self.root / file} has support tiles for the class ids {sorted(ids)}, but the "
                f"novel classes of the data config have the ids {sorted(self._novel_ids)}. Correct "
                "the ids in the file, or the novel classes in the data config (the val and the "
                "test split of a dataset can have different ones)."
            )
        folder = _FOLDERS[self.split]
        if self.support_draw is not None:
            shots = {i: len(names) for i, names in listed.items()}
            queries = {tile_name(name) for name in self._split_lists[1]}
            listed = draw_support(self.root, self.support_draw, shots, queries)
            folder, file = POOL_FOLDER, POOL_FILE
        return {i: self._tiles(listed[i], folder, file, label_needed=True) for i in sorted(listed)}

    @cached_property
    def query(self) -> list[Tile]:
        """The tiles to map and to score; the label is None where it is withheld."""
        names, file = self._split_lists[1], self._split_file
        if not names:
            raise DataError(
                f"{self.root / file} lists no query tile under 'query_set', so there is nothing to "
                "map and to score. List some; experiment=adapt alone can do without."
            )
        return self._tiles(names, _FOLDERS[self.split], file, label_needed=False)

    def _without(self, listed: list[str], held_out: Set[str]) -> list[str]:
        """The names on train.txt without those in ``held_out``."""
        names = [name for name in listed if tile_name(name) not in held_out]
        if not names:
            raise DataError(
                f"{self.root / 'train.txt'} leaves no training tile once the tiles of "
                "stage1_val.txt are taken out. List tiles for training that are not on "
                "stage1_val.txt."
            )
        return names

    @property
    def has_labelled_queries(self) -> bool:
        """Whether there is a query tile to score."""
        return bool(self._split_lists[1]) and any(tile.label for tile in self.query)

    @property
    def _split_file(self) -> str:
        return f"{self.split}.json"

    @cached_property
    def _split_lists(self) -> tuple[dict[int, list[str]], list[str]]:
        """Support names by class id and query names, as they stand in the JSON file."""
        path = self.root / self._split_file
        text = _read_list(path, f"a JSON object {_JSON_CONTENT}")
        try:
            value = json.loads(text)
            folder = _FOLDERS[self.split]
            support = {int(i): _strings(n, folder) for i, n in value["support_set"].items()}
            query = _strings(value["query_set"], folder)
            if not support or not all(support.values()):
                raise ValueError("a list of its support set is empty")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
            raise DataError(
                f"{path} is not a list of support and query tiles: {what}. Expected is "
                f"{_JSON_CONTENT}. Correct the file, or copy it from the dataset again."
            ) from error
        return support, query

    def _names(self, file: str) -> list[str]:
        """The file names on a text list."""
        path = self.root / file
        text = _read_list(path, "a text file with one file name a line")
        try:
            found = (listed_name(line, "trainset") for line in text.splitlines())
            names = list(dict.fromkeys(name for name in found if name))
        except ValueError as error:
            raise DataError(f"{path}: {error}. Write one file name a line.") from error
        if not names:
            raise DataError(
                f"{path} is empty, but one file name a line was expected. List the tiles of this "
                "split in it."
            )
        return names

    def _tiles(self, names: list[str], folder: str, file: str, *, label_needed: bool) -> list[Tile]:
        """Find the files of the listed names, first in ``folder``, then in the other ones."""
        # Support draws may name tiles of another split's folder, so those are looked through too.
        folders = [folder, *(f for f in PART_FOLDERS if f != folder)]
        tiles: dict[str, Tile] = {}
        missing: list[str] = []
        for name in names:
            stem = tile_name(name)
            for candidate in folders:
                image = self._find(candidate, "images", name)
                label = self._find(candidate, "labels", name)
                if image is not None and (label is not None or not label_needed):
                    tiles.setdefault(stem, Tile(stem, image, label, self.codes))
                    break
            else:
                image = self._find(folder, "images", name)
                missing.append(f"{folder}/{'images' if image is None else 'labels'}/{name}")
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise DataError(
                f"{len(missing)} of the {len(names)} files that {self.root / file} lists are "
                f"missing under {self.root}: {', '.join(missing[:5])}{more}. Expected are an "
                "image and a label of the same name (.tif, .png or .jpg) for each. Restore them "
                "(an unpacked archive may be incomplete), or take the names off the list."
            )
        return list(tiles.values())

    def _find(self, folder: str, kind: str, name: str) -> Path | None:
        """The file called ``name``, or of the same stem with another suffix."""
        path = self.root / folder / kind
        if path not in self._folders:
            # One listing of the folder instead of a question a file: network disks are slow.
            there = sorted(path.iterdir()) if path.is_dir() else []
            found = [f for f in there if f.suffix.lower() in SUFFIXES]
            found.sort(key=lambda f: SUFFIXES.index(f.suffix.lower()), reverse=True)
            # The stem points to the first suffix in the order of SUFFIXES.
            known = {one_form(f.stem): f for f in found} | {one_form(f.name): f for f in found}
            self._folders[path] = known | {f.name: f for f in found}
        files = self._folders[path]
        return files.get(name) or files.get(one_form(name)) or files.get(tile_name(name))


def _strings(value: object, folder: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{str(value)[:60]!r} is not a list of file names")
    return list(dict.fromkeys(listed_name(v, folder) for v in value))


def _read_list(path: Path, content: str) -> str:
    try:
        return read_list_text(path)
    except FileNotFoundError:
        found = sorted(p.name for p in path.parent.iterdir())[:8]
        raise DataError(
            f"{path} does not exist, but the dataset needs it: {content}. The folder holds "
            f"{', '.join(found) or 'nothing'}. Write the list, or point data.root at the folder "
            "that has it."
        ) from None
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error}), but the dataset needs it: {content}. Write it anew, "
            "as UTF-8."
        ) from error
