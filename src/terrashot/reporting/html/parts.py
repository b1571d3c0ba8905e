"""What both kinds of report are made of: plain values, ready to be shown."""

from dataclasses import dataclass
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
