"""The classes of a dataset: ids, names, colours, which are base and which are novel."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from terrashot.errors import ConfigError

IGNORE = 255
"""Label of pixels that do not count: in losses, in scores, in pictures, and nodata in maps."""

# Strong colours that differ from each other and from the greens and greys of most base classes
# (Kelly's colours of maximum contrast, 1965, the strongest first).
PALETTE = (
    "#e31a1c", "#1f78b4", "#ff7f00", "#6a3d9a", "#f6d400", "#00b3b3", "#f032e6", "#8b4513",
    "#0033ff", "#ff9999", "#00e0ff", "#800000", "#bfff00", "#000075", "#ffb000", "#a6007c",
)  # fmt: skip
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class LandClass:
    """One class: its label id, its name and its colour on a map (``#rrggbb``)."""

    index: int
    name: str
    color: str

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers from 0 to 255."""
        value = int(self.color[1:], 16)
        return value >> 16, (value >> 8) & 255, value & 255


@dataclass(frozen=True)
class Taxonomy:
    """The classes of a dataset in label order: 0 background, 1..B base, B+1.. novel.

    The base head has ``num_base`` outputs, background included. Where the classes are
    ``complete``, every pixel is of one of them, and no map of base and novel classes has
    background; stage 1, which knows no novel class, has it all the same.
    """

    name: str
    background: LandClass
    base: tuple[LandClass, ...]
    novel: tuple[LandClass, ...]
    complete: bool = False

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Taxonomy":
        """Build from plain values: ``name``, ``background``, ``base``, ``novel``, ``complete``.

        Classes are ``{name, color}``, or a name alone, which gets the next free colour; ids follow
        from the order. Without ``background`` the label 0 is called so: the ids of classes always
        begin at 1. Files written by older versions also hold ``ignore_index``, which can only be
        255.

        Raises:
            ConfigError: a class without a name, a colour that is none, a name twice, no base class,
                more classes than a uint8 label has ids for, ``complete`` that is no truth value,
                an ``ignore_index`` other than 255.
        """
        name = str(value.get("name", "unnamed"))
        background = value.get("background") or {"name": "background", "color": "#000000"}
        rows = [background, *(value.get("base") or []), *(value.get("novel") or [])]
        free = _free_colors(rows)
        classes = []
        for index, row in enumerate(rows):
            if isinstance(row, str) and row.strip():
                row = {"name": row}
            if not isinstance(row, Mapping) or not row.get("name"):
                raise ConfigError(
                    f"taxonomy '{name}': class {index} is {row!r}, but a class is a name, or a "
                    "name and a colour, for example {name: tree, color: '#226126'}. Mend the data "
                    "config."
                )
            color = str(row["color"]) if "color" in row else next(free)
            if not _COLOR.fullmatch(color):
                raise ConfigError(
                    f"taxonomy '{name}': the colour of class '{row['name']}' is {color!r}; write "
                    "it as '#rrggbb', in quotes since # opens a comment in YAML."
                )
            classes.append(LandClass(index, str(row["name"]), color))
        names = [c.name for c in classes]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ConfigError(
                f"taxonomy '{name}': the class name(s) {', '.join(twice)} stand twice; "
                "metrics are named after classes, so give each its own name."
            )
        num_base = 1 + len(value.get("base") or [])
        if num_base < 2:
            raise ConfigError(
                f"taxonomy '{name}' has no base class; list at least one under 'base'."
            )
        if len(classes) > IGNORE:
            raise ConfigError(
                f"taxonomy '{name}' has {len(classes)} classes, but labels hold ids from 0 to "
                f"{IGNORE - 1}, and {IGNORE} for ignored pixels. Merge classes."
            )
        _check_ignore(value.get("ignore_index", IGNORE), name)
        complete = value.get("complete", False)
        if not isinstance(complete, bool):
            raise ConfigError(
                f"taxonomy '{name}': complete is {complete!r}, but it must be true (every pixel is "
                "of one of the classes) or false."
            )
        base, novel = tuple(classes[1:num_base]), tuple(classes[num_base:])
        return cls(name, classes[0], base, novel, complete)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that ``from_dict`` takes back; what a checkpoint stores."""

        def row(c: LandClass) -> dict[str, Any]:
            return {"name": c.name, "color": c.color}

        plain: dict[str, Any] = {
            "name": self.name,
            "background": row(self.background),
            "base": [row(c) for c in self.base],
            "novel": [row(c) for c in self.novel],
        }
        return {**plain, "complete": True} if self.complete else plain

    @property
    def classes(self) -> tuple[LandClass, ...]:
        """All classes in label order."""
        return (self.background, *self.base, *self.novel)

    @property
    def names(self) -> list[str]:
        """Class names in label order."""
        return [c.name for c in self.classes]

    @property
    def num_base(self) -> int:
        """Outputs of the base head: background and the base classes."""
        return 1 + len(self.base)

    @property
    def num_novel(self) -> int:
        """Number of novel classes."""
        return len(self.novel)

    @property
    def num_classes(self) -> int:
        """Background, base and novel classes together."""
        return self.num_base + self.num_novel

    @property
    def base_ids(self) -> list[int]:
        """Label ids of the base classes, background excluded."""
        return [c.index for c in self.base]

    @property
    def novel_ids(self) -> list[int]:
        """Label ids of the novel classes."""
        return [c.index for c in self.novel]

    def base_only(self) -> "Taxonomy":
        """The taxonomy of stage 1: the same without novel classes."""
        return Taxonomy(self.name, self.background, self.base, ())

    def palette(self) -> np.ndarray:
        """Colours by label value, uint8 [256, 3]; grey for ``IGNORE``, black otherwise."""
        table = np.zeros((256, 3), dtype=np.uint8)
        for c in self.classes:
            table[c.index] = c.rgb
        table[IGNORE] = (128, 128, 128)
        return table


def _free_colors(rows: Sequence[object]) -> Iterator[str]:
    """Colours for classes that have none: those of a palette that no other class has."""
    taken = {str(row.get("color")).lower() for row in rows if isinstance(row, Mapping)}
    return iter([c for c in PALETTE if c not in taken] + list(PALETTE) * len(rows))


def _check_ignore(found: object, name: str) -> None:
    """Refuse another label of ignored pixels; files of older versions name it."""
    if found != IGNORE:
        raise ConfigError(
            f"taxonomy '{name}': ignore_index is {found}, but ignored pixels have the label "
            f"{IGNORE} in every dataset. Write {IGNORE} where your label files hold {found} (for "
            f"example with numpy: label[label == {found}] = {IGNORE}) and remove ignore_index from "
            "the data config."
        )
