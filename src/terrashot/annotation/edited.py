"""What an edit of the labels has changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from terrashot.annotation.label_rows import Label


@dataclass(frozen=True)
class Edited:
    """What an edit has changed.

    Args:
        name: What was done, in a word or two.
        gone: Rows that are no more.
        labels: Labels that are new or other than before.
    """

    name: str
    gone: Sequence[int]
    labels: Sequence[Label]
