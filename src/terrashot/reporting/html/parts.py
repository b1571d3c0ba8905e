"""What the reports are made of: plain values, ready to be shown."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Fact:
    """One line of the header. ``code`` marks what is typed or copied."""

    label: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Notice:
    """Something that a reader must know before the numbers."""

    level: Literal["warning", "note"]
    title: str
    text: str = ""


@dataclass(frozen=True)
class Link:
    """A file beside the report, by its relative address."""

    label: str
    address: str


@dataclass(frozen=True)
class Section:
    """An entry of the contents: the id of a section and its title."""

    anchor: str
    title: str


@dataclass(frozen=True)
class Cell:
    """``heat`` from 0 to 1 colours the cell; ``tip`` says in words what it holds."""

    text: str
    heat: float
    tip: str
    marked: bool = False


@dataclass(frozen=True)
class Head:
    """The head of a row or a column."""

    name: str
    color: str
    role: str


@dataclass(frozen=True)
class HeatMap:
    """A matrix as a table of coloured cells; ``None`` for a row that has no numbers."""

    anchor: str
    title: str
    explanation: str
    row_title: str
    column_title: str
    row_heads: list[Head]
    column_heads: list[Head]
    rows: list[list[Cell] | None]
    findings_title: str = ""
    findings: list[str] = field(default_factory=list)
