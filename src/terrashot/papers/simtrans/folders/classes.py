"""Which classes of a folder are base ones and which are novel, from lists."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from terrashot.errors import ConfigError, DataError
from terrashot.papers.simtrans.folders.layouts.layout import Catalogue, read_lines

_SHOWN = 5


def choose_classes(
    catalogue: Catalogue, base: Path | None, novel: Path | None
) -> tuple[list[str], list[str]]:
    """The names of the base and of the novel classes, each in the dataset's own order.

    A list that is not given holds all classes of no list. Where neither is, the published novel
    classes are the novel ones, as far as the folder has them.

    Args:
        catalogue: What the folder holds.
        base: ``data.base``, a text file with one class a line.
        novel: ``data.novel``.

    Raises:
        DataError: a list that is missing or empty, names what is no class, or names it twice.
        ConfigError: a class in both lists, too few classes, or no list where one is needed.
    """
    known = list(catalogue.classes)
    lists = [None if p is None else _read(p, known) for p in (base, novel)]
    wanted_base, wanted_novel = lists
    if wanted_base is None and wanted_novel is None:
        if catalogue.novel is None:
            raise ConfigError(
                "data.novel is null, and nothing in the folder says which of its "
                f"{len(known)} classes are novel. Name a text file with one novel class a line: "
                f"data.novel=FILE. Classes are {_some(known)}."
            )
        wanted_novel = [name for name in catalogue.novel if name in set(known)]
    if wanted_base is None:
        wanted_base = [name for name in known if name not in set(wanted_novel or ())]
    if wanted_novel is None:
        wanted_novel = [name for name in known if name not in set(wanted_base)]
    both = sorted(set(wanted_base) & set(wanted_novel))
    if both:
        raise ConfigError(
            f"data.base={base} and data.novel={novel} share {len(both)} class(es): {_some(both)}. "
            "A class is a base one or a novel one; take each off one of the lists."
        )
    for key, found in (("base", wanted_base), ("novel", wanted_novel)):
        if len(found) < 2:
            raise ConfigError(
                f"there are {len(found)} {key} classes of {len(known)} ({_some(found) or 'none'}); "
                f"at least two are needed. Name them in a text file, one a line: data.{key}=FILE."
            )
    order = {name: place for place, name in enumerate(known)}
    return sorted(wanted_base, key=order.__getitem__), sorted(wanted_novel, key=order.__getitem__)


def _read(path: Path, known: Sequence[str]) -> list[str]:
    lines = read_lines(path, "the name of a class a line")
    twice = sorted({name for name in lines if lines.count(name) > 1})
    if twice:
        raise DataError(f"{path} names {_some(twice)} twice. Leave one of them out.")
    strange = [name for name in lines if name not in set(known)]
    if strange:
        close = difflib.get_close_matches(strange[0], known, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise DataError(
            f"{path} names {len(strange)} class(es) that the folder has not: "
            f"{_some(strange)}{hint}. The {len(known)} classes of the folder are {_some(known)}."
        )
    return lines


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
