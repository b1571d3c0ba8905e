"""The tags of a TIFF, read past libtiff: TIFF 6.0, section 2, and BigTIFF."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Read = Callable[[int, int], bytes]
"""Bytes of a file: the first one, and how many."""

_MOST_TAGS = 4096
_TYPES = {3: "u2", 4: "u4", 16: "u8"}


@dataclass(frozen=True)
class Tag:
    """An entry of a directory.

    Args:
        number: Says what it is.
        kind: The type of its values.
        count: How many there are.
        value: They themselves, or where they are too many the place of the first one.
        order: Of bytes: ``<`` or ``>``.
    """

    number: int
    kind: int
    count: int
    value: bytes
    order: str

    @property
    def short(self) -> int:
        """The first value, of two bytes."""
        return int(struct.unpack_from(f"{self.order}H", self.value)[0])

    def whole_numbers(self, read: Read) -> np.ndarray:
        """All values; none where they are no unsigned whole numbers of at least two bytes."""
        if self.kind not in _TYPES:
            return np.zeros(0, np.uint64)
        item = np.dtype(f"{self.order}{_TYPES[self.kind]}")
        length, value = self.count * item.itemsize, self.value
        if length > len(value):
            number = "Q" if len(value) == 8 else "I"
            value = read(struct.unpack(f"{self.order}{number}", value)[0], length)
        return np.frombuffer(value[:length], item)


def first_directory(read: Read) -> Iterator[Tag]:
    """The tags of the first image of a file.

    Raises:
        struct.error: the file is cut, or no TIFF.
    """
    head = read(0, 16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack(f"{order}H", head[2:4])[0] == 43
    (start,) = struct.unpack(f"{order}{'Q' if big else 'I'}", head[8:16] if big else head[4:8])
    counted, size, value = (8, 20, 12) if big else (2, 12, 8)  # bytes; where in an entry
    (tags,) = struct.unpack(f"{order}{'Q' if big else 'H'}", read(start, counted))
    entries = read(start + counted, size * min(tags, _MOST_TAGS))
    for at in range(0, len(entries), size):
        number, kind, count = struct.unpack_from(f"{order}HH{'Q' if big else 'I'}", entries, at)
        yield Tag(number, kind, count, entries[at + value : at + size], order)
