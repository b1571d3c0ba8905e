"""From unpacked archives to the few-shot layout, whatever folder they were wrapped in."""

from pathlib import Path

from terrashot.errors import DataError

SPLITS = ("trainset", "valset", "testset")

_CHALLENGE = "https://github.com/cliffbb/OEM-Fewshot-Challenge (folder data)"
LISTS = {
    "train.txt": f"one file name of trainset/images a line; see {_CHALLENGE}",
    "val.json": '{"support_set": {"8": [5 names], ...}, "query_set": [names]} of valset; '
    f"see {_CHALLENGE}",
    "test.json": f"the same as val.json, of testset; see {_CHALLENGE}",
    "stage1_val.txt": "one name a line: the training tiles held out for validation. Any share of "
    "train.txt will do, for example: awk 'NR % 9 == 0' train.txt > stage1_val.txt",
}


def find_layout(unpacked: Path) -> dict[str, Path]:
    """Look at any depth for split folders (those with ``images`` in them) and for lists.

    Returns:
        Name in the layout (``trainset``, ``val.json``) -> where it was unpacked.

    Raises:
        DataError: a split or a list stands in two places, or none is there.
    """
    found: dict[str, Path] = {}
    for path in sorted(unpacked.rglob("*"), key=lambda p: (len(p.parts), p)):
        if {"images", "labels"} & set(path.relative_to(unpacked).parts):
            continue  # tiles, and what lies beside them
        is_split = path.name in SPLITS and (path / "images").is_dir()
        if not is_split and not (path.suffix in (".txt", ".json") and path.is_file()):
            continue
        first = found.setdefault(path.name, path)
        if first is not path and (
            is_split or (path.name in LISTS and first.read_bytes() != path.read_bytes())
        ):
            raise DataError(
                f"'{path.name}' stands twice in the archives, as {first.relative_to(unpacked)} "
                f"and {path.relative_to(unpacked)}; expected it once. Choose the right archive "
                "with --files."
            )
    if not found:
        top = ", ".join(sorted(p.relative_to(unpacked).as_posix() for p in unpacked.glob("*/*")))
        raise DataError(
            f"the archives hold neither {', '.join(SPLITS)} (with a folder 'images') nor lists; "
            f"found {top[:300] or 'nothing'}. Check --record and --files."
        )
    return found


def place(found: dict[str, Path], root: Path, staging: Path) -> list[str]:
    """Rename what was found into ``root``; what stands there already stays. Returns those kept.

    A new ``root`` is put together as ``staging``, on the same disk, and appears in one step.
    """
    target = root if root.is_dir() else staging
    target.mkdir(parents=True, exist_ok=True)
    kept = []
    # Lists first: one that lies in a split's folder would move away with it.
    for name in sorted(found, key=lambda n: (n in SPLITS, n)):
        if (target / name).exists():
            kept.append(name)
        else:
            found[name].rename(target / name)
    if target is staging:
        staging.rename(root)
    return kept


def missing(root: Path) -> list[str]:
    """Entries of the layout that ``root`` lacks: splits without images and lists."""
    splits = [s for s in SPLITS if not any((root / s / "images").glob("*"))]
    return splits + [name for name in LISTS if not (root / name).is_file()]
