"""What the network has used and let go is given back to the system."""

import ctypes
import sys

_MMAP_THRESHOLD = -3
_LARGE = 2**20


def give_back_large_blocks() -> None:
    """Let the C library return blocks of a megabyte and more as soon as they are freed.

    By itself glibc keeps those of up to 32 MB once one was freed, between others that are in use:
    after a few passes of the network that is several hundred megabytes. Elsewhere than on Linux
    with glibc nothing happens.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _LARGE)
