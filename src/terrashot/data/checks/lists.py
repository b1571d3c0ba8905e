"""The lists of the few-shot layout, read so that one fault does not hide the next."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from terrashot.data.checks.report import Finding, Level
from terrashot.data.support_pool import POOL_FILE, read_pool
from terrashot.data.tile_names import listed_name, read_list_text, tile_name
from terrashot.errors import DataError

# Each role of a tile: the list that gives it and the folder its files are expected in.
ROLES = {
    "train": ("train.txt", "trainset"),
    "stage1_val": ("stage1_val.txt", "trainset"),
    "val support": ("val.json", "valset"),
    "val query": ("val.json", "valset"),
    "test support": ("test.json", "testset"),
    "test query": ("test.json", "testset"),
}

# Two roles that the same tile should not have, and why. Support tiles may serve both val and test.
_OVERLAPS: list[tuple[str, str, Level, str]] = [
    (
        "train",
        "stage1_val",
        "warning",
        "The loader leaves them out of training, so validation stays honest.",
    ),
    *[
        (f"{s} support", f"{s} query", "error", "Scores would be taken on tiles adapted to.")
        for s in ("val", "test")
    ],
    *[
        ("train", f"{s} query", "error", "Scores would be taken on tiles trained on.")
        for s in ("val", "test")
    ],
    *[
        (
            "stage1_val",
            f"{s} query",
            "warning",
            "The checkpoint is chosen on these tiles, which flatters the scores.",
        )
        for s in ("val", "test")
    ],
    *[
        (
            role,
            f"{s} support",
            "warning",
            "Stage 1 sees their novel pixels as background, so the class is not new to it.",
        )
        for role in ("train", "stage1_val")
        for s in ("val", "test")
    ],
    (
        "val query",
        "test query",
        "warning",
        "Settings chosen on val would know these tiles of test.",
    ),
    ("val support", "test query", "warning", "Settings chosen on val would know these tiles."),
    ("test support", "val query", "warning", "Settings are chosen on tiles adapted to in test."),
]


@dataclass
class Lists:
    """Names by role (stems, in list order), support classes, and the faults of the lists.

    ``support`` maps a split and class id to names; ``pool`` holds the names of the support pool; a
    role whose list is missing is empty.
    """

    names: dict[str, list[str]] = field(default_factory=lambda: {role: [] for role in ROLES})
    support: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    pool: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


def read_lists(root: Path, novel_ids: set[int]) -> Lists:
    """Read all lists under ``root`` and judge them: missing, damaged, overlapping."""
    lists = Lists()
    for role in ("train", "stage1_val"):
        _read_text(root, role, lists)
    for split in ("val", "test"):
        if (root / f"{split}.json").is_file():
            _read_json(root, split, novel_ids, lists)
            continue
        # Stage 1 needs neither of them, nor do novel classes that are drawn on scenes.
        message = f"is not in {root}: no support and query tiles for data.split={split}."
        _add(lists, "warning", "missing list", f"{split}.json", message)
    _read_pool(root, lists)
    _judge_overlaps(lists)
    return lists


def _add(lists: Lists, level: Level, kind: str, subject: str, message: str) -> None:
    lists.findings.append(Finding(level, kind, subject, message))


def _read_text(root: Path, role: str, lists: Lists) -> None:
    file = ROLES[role][0]
    try:
        text = read_list_text(root / file)
        listed = [listed_name(line, ROLES[role][1]) for line in text.splitlines()]
    except FileNotFoundError:
        message = f"is not in {root}: expected one file name a line. Stage 1 needs it."
        _add(lists, "error", "missing list", file, message)
        return
    except (OSError, ValueError) as error:
        _add(lists, "error", "unreadable list", file, f"cannot be read ({error}). Write it anew.")
        return
    _keep(lists, role, file, [name for name in listed if name])
    if not lists.names[role]:
        _add(lists, "error", "empty list", file, "names no tile: expected one name a line.")


def _read_json(root: Path, split: str, novel_ids: set[int], lists: Lists) -> None:
    file = f"{split}.json"
    try:
        value = json.loads(read_list_text(root / file))
        folder = f"{split}set"
        support = {int(i): _strings(n, folder) for i, n in value["support_set"].items()}
        query = _strings(value["query_set"], folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        expected = '{"support_set": {"<id>": [names], ...}, "query_set": [names]}'
        message = f"is not as expected ({type(error).__name__}: {error}): write {expected}."
        _add(lists, "error", "unreadable list", file, message)
        return
    for index in sorted(set(support) - novel_ids):
        message = f"has support for id {index}, but the novel ids are {sorted(novel_ids)}."
        _add(lists, "error", "support classes", file, message)
    for index in sorted(novel_ids):
        if not support.get(index):
            message = f"has no support tile for the novel id {index}: list some, or correct the "
            message += "novel classes of the data config."
            _add(lists, "error", "support classes", file, message)
    if not query:
        _add(lists, "error", "empty list", file, "has an empty query_set: nothing to score.")
    for index, names in support.items():
        lists.support[split, index] = list(dict.fromkeys(map(tile_name, names)))
    _keep(lists, f"{split} support", file, [n for names in support.values() for n in names])
    _keep(lists, f"{split} query", file, query)


def _read_pool(root: Path, lists: Lists) -> None:
    if not (root / POOL_FILE).exists():
        return  # only other support draws need it
    try:
        lists.pool = {tile_name(name) for names in read_pool(root).values() for name in names}
    except DataError as error:
        _add(lists, "error", "unreadable list", POOL_FILE, str(error))


def _strings(value: object, folder: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError(f"{str(value)[:60]!r} is not a list of file names")
    return [listed_name(name, folder) for name in value]


def _keep(lists: Lists, role: str, file: str, names: list[str]) -> None:
    counts = Counter(map(tile_name, names))
    lists.names[role] = list(counts)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        message = f"names {_some(twice)} more than once ({role}); the loader counts it once."
        if role.endswith("support"):
            message = f"names {_some(twice)} for several classes or twice ({role})."
        _add(lists, "warning", "repeated name", file, message)


def _judge_overlaps(lists: Lists) -> None:
    for one, other, level, why in _OVERLAPS:
        both = [name for name in lists.names[one] if name in set(lists.names[other])]
        if not both:
            continue
        message = f"{len(both)} tile(s) in both: {_some(both)}. {why}"
        if (one, other) == ("train", "stage1_val") and len(both) == len(lists.names[one]):
            level, message = "error", f"all {len(both)} training tiles stand in both."
        _add(lists, level, "tiles in two splits", f"{one} and {other}", message)


def _some(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
