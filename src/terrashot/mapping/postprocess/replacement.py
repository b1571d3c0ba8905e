"""What takes the place of an area that a rule removes."""

from collections.abc import Sequence

import numpy as np

from terrashot.mapping.postprocess.components import KEEP, Areas
from terrashot.mapping.postprocess.rule import class_ids
from terrashot.taxonomy import Taxonomy

NEIGHBOUR, SECOND_BEST = "neighbour", "second_best"
BY_SCORE = 254
"""Decision: every pixel gets its own second-best class."""


def surrounding(areas: Areas) -> np.ndarray:
    """The class each area shares most of its border with, the lower id among equals; or KEEP."""
    contacts = areas.contacts[:, :-1]  # the last column: nodata and the end of the map
    if not len(contacts):
        return np.zeros(0, dtype=np.uint8)
    return np.where(contacts.any(axis=1), contacts.argmax(axis=1), KEEP).astype(np.uint8)


def replaced(areas: Areas, otherwise: str, taxonomy: Taxonomy, setting: str) -> np.ndarray:
    """New values of areas that are removed: of ``neighbour``, ``second_best`` or a named class."""
    if otherwise == NEIGHBOUR:
        return surrounding(areas)
    value = BY_SCORE if otherwise == SECOND_BEST else target_id(otherwise, taxonomy, setting)
    return np.full(len(areas.key), value, dtype=np.uint8)


def target_id(name: str, taxonomy: Taxonomy, setting: str) -> int:
    """The id of the class that takes the place.

    Raises:
        ConfigError: the taxonomy has no such class.
    """
    names: Sequence[str] = [name]
    return class_ids(names, taxonomy, setting)[0]
