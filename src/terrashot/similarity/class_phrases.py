"""From the class names of a taxonomy to words that a text encoder knows."""

import re
from collections.abc import Mapping

# Names of datasets are labels for people who know the dataset; these are what they stand for.
_WORDS = {
    "agric": "agricultural",
    "bareland": "bare land",
    "bldg": "building",
    "cropland": "crop land",
    "veg": "vegetation",
}
BACKGROUND = "other land"
"""Text of the background where no phrase is given for it."""


def class_phrase(name: str) -> str:
    """A readable phrase: ``agric land type 1`` becomes ``agricultural land``.

    Numbers of a kind are dropped, ``&`` becomes "and", hyphens and underscores become spaces, and
    a few short forms are written out. ``background`` says nothing by itself: ``other land``.
    """
    text = re.sub(r"[-_/]+", " ", name.lower().replace("&", " and "))
    text = re.sub(r"\b(type|class|kind|no\.?)?\s*\d+$", "", text.strip())
    words = [_WORDS.get(word, word) for word in text.split()]
    phrase = " ".join(words) or name
    return BACKGROUND if phrase == "background" else phrase


def class_phrases(
    names: list[str], phrases: Mapping[str, str | None] | None = None
) -> list[str | None]:
    """The phrase of each class; None where the mapping leaves the class out.

    Args:
        names: Class names.
        phrases: Phrases by class name that are to be used instead; None leaves the class out.
    """
    given = phrases or {}
    return [given[name] if name in given else class_phrase(name) for name in names]
