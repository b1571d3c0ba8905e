"""Features that were computed once, in memory up to a limit."""

import contextlib
import mmap
import threading
from collections import OrderedDict
from collections.abc import Hashable

import torch
from torch import Tensor

from terrashot.adaptation.inference import View
from terrashot.data.labels.scenes import LabelledImage
from terrashot.data.labels.windows import Place
from terrashot.data.support import SupportTileSource
from terrashot.data.support_windows import SupportWindows, window_image, window_key
from terrashot.data.tiles import TileDataset
from terrashot.model.tile_network import TileNetwork
from terrashot.networks.segmenter import Segmenter

MEGABYTE = 2**20


class FeatureMemory:
    """Keeps what was used last.

    Args:
        limit: Megabytes.

    Attributes:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit * MEGABYTE
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._bytes = 0

    def __contains__(self, key: Hashable) -> bool:
        """Whether something is kept under a key; that is no use of it."""
        with self._lock:
            return key in self._kept

    def get(self, key: Hashable) -> Tensor | None:
        """What is kept under a key; None: nothing."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, value: Tensor) -> None:
        """Keep a tensor; those that were not used for longest make room."""
        if value.nbytes <= self.limit:
            value = _apart(value.detach().cpu())
        with self._lock:
            old = self._kept.pop(key, None)
            self._bytes -= 0 if old is None else old.nbytes
            if value.nbytes > self.limit:
                return
            self._kept[key] = value
            self._bytes += value.nbytes
            while self._bytes > self.limit:
                _, gone = self._kept.popitem(last=False)
                self._bytes -= gone.nbytes

    @property
    def megabytes(self) -> float:
        """What is kept."""
        return self._bytes / MEGABYTE

    @property
    def is_half_full(self) -> bool:
        """Whether half of the limit is taken."""
        return 2 * self._bytes >= self.limit


def _apart(value: Tensor) -> Tensor:
    """A copy in pages of its own.

    Between the large tensors that a network allocates and frees, ones that stay would leave the
    allocator gaps, in the end of many times their size.
    """
    pages = mmap.mmap(-1, max(value.nbytes, 1))
    kept = torch.frombuffer(pages, dtype=torch.uint8)[: value.nbytes].view(value.dtype)
    kept = kept.view(value.shape)
    kept.copy_(value)
    return kept


class RememberingNetwork(TileNetwork):
    """Features of labelled windows, computed when a window is seen for the first time.

    Args:
        memory: Keeps them.
        segmenter: The stage-1 network, on its device.
        device: That device.
    """

    def __init__(self, memory: FeatureMemory, segmenter: Segmenter, device: torch.device) -> None:
        super().__init__(segmenter, device, None, contextlib.nullcontext)
        self._memory = memory

    def support(
        self, tiles: SupportTileSource | TileDataset, index: int, view: View = ()
    ) -> Tensor:
        """Features [C, h, w] of a view of a labelled window; always the same numbers."""
        assert isinstance(tiles, SupportWindows)
        key = _key(tiles.key(index), view)
        found = self._memory.get(key)
        if found is None:
            found = super().support(tiles, index, view)
            self._memory.put(key, found)
        return found.to(self.device, torch.float32)

    def knows(self, image: LabelledImage, place: Place) -> bool:
        """Whether the features of a window are kept."""
        return _key(window_key(image, place)) in self._memory

    def learn(self, image: LabelledImage, place: Place) -> int:
        """Keep the features of a window before it is asked for; bytes that they take.

        Raises:
            DataError: the image can't be read there.
        """
        found = self.extract(window_image(image, place).unsqueeze(0)).features
        self._memory.put(_key(window_key(image, place)), found)
        return found.nbytes


def _key(window: str, view: View = ()) -> Hashable:
    return "support", window, view
