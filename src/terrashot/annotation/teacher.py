"""A head from all labels so far, as ``experiment=adapt`` would make it from the same file."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from terrashot.annotation.feature_memory import FeatureMemory, RememberingNetwork
from terrashot.annotation.store import LabelStore
from terrashot.data.labels.layer import Layer
from terrashot.data.labels.options import BurnOptions
from terrashot.data.labels.scenes import LabelledImage
from terrashot.data.labels.shapes import cleaned
from terrashot.data.support_windows import SupportWindows
from terrashot.errors import DataError
from terrashot.model.adapt_arrays import adapt_arrays
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.drawn_labels import IMAGE, drawn_taxonomy
from terrashot.model.model import Model
from terrashot.model.sure_base import SureBase
from terrashot.networks.features import DECODER


@dataclass(frozen=True)
class Teaching:
    """How labels teach; the settings of ``DrawnLabels``, which the finished model is made with.

    Args:
        method: An option of ``configs/method``.
        window: Side of the windows around labels, in pixels.
        sure: Least probability at which the frozen head's say of a base class counts.
        seed: Of everything random.
        features: What the head sees, see ``with_features``.
    """

    method: str = "terrashot"
    window: int = 512
    sure: float | None = 0.0
    seed: int = 0
    features: str = DECODER


@dataclass(frozen=True)
class Taught:
    """A head and what it was made of.

    Args:
        network: Maps; its head is that of the base classes alone where no new class has labels.
        version: Of the labels.
        seconds: That it took.
        windows: Labelled windows.
        notes: What the user should know.
    """

    network: AdaptedModel
    version: str = ""
    seconds: float = 0.0
    windows: int = 0
    notes: Sequence[str] = field(default_factory=tuple)


class Teacher:
    """Solves the head anew from all labels; the network is asked once for each window.

    Args:
        model: The stage-1 network.
        images: What is drawn on.
        store: The labels.
        memory: Keeps the features.
        teaching: How labels teach.

    Attributes:
        network: Makes the features of labelled windows.
    """

    def __init__(
        self,
        model: Model,
        images: Sequence[LabelledImage],
        store: LabelStore,
        memory: FeatureMemory,
        teaching: Teaching,
    ) -> None:
        self._model = model
        self._images = list(images)
        self._store = store
        self._teaching = teaching
        self._stage1 = {"name": None if model.path is None else model.path.name, "sha256": None}
        self.network = RememberingNetwork(memory, model.network.segmenter, model.device)

    def untaught(self) -> Taught:
        """The network as it is."""
        return Taught(self._model.network)

    def teach(self) -> Taught:
        """The head of all labels.

        Raises:
            DataError: labels that can't be used, or an image that can't be read.
            ConfigError: settings of the method that do not go together.
        """
        began = time.perf_counter()
        version, layer = self._layer()
        known = self._model.taxonomy.names
        if layer is None or all(name in known for name in layer.names):
            what = (
                "Draw a new class first: labels of known classes correct a head that has learned "
                "one."
            )
            return Taught(self._model.network, version, notes=[what] if layer is not None else [])
        colors = {c.name: c.color for c in self._store.classes}
        novel = [name for name in layer.names if name not in known]
        taxonomy = drawn_taxonomy(
            self._model.taxonomy, layer, colors={name: colors[name] for name in novel}
        )
        options = BurnOptions(
            self._teaching.window, in_image=self._store.crs is None, group="annotate"
        )
        windows = SupportWindows(layer, self._images, taxonomy, options)
        sure = None if self._teaching.sure is None else SureBase(windows, self._teaching.sure)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            network = adapt_arrays(
                self._model.network.segmenter,
                windows,
                taxonomy,
                self._teaching.method,
                self._stage1,
                seed=self._teaching.seed,
                sure=sure,
                vectors={},
                network=self.network,
            )
        notes = [*windows.notes, *(str(w.message) for w in told if w.category is UserWarning)]
        return Taught(network, version, time.perf_counter() - began, len(windows), notes)

    def _layer(self) -> tuple[str, Layer | None]:
        """The labels as a file of them is read; None: there are none."""
        version, labels = self._store.version, self._store.labels
        if not labels:
            return version, None
        shapes, rows, notes = cleaned(np.array([label.shape for label in labels], dtype=object))
        if not len(shapes):
            raise DataError(f"{self._store.path} holds no polygon that could be used.")
        names = np.array([label.name for label in labels], dtype=object)[rows]
        crs = self._store.crs
        return version, Layer(self._store.path.name, shapes, rows, names, crs, tuple(notes))


def drawn_settings(store: LabelStore, teaching: Teaching) -> dict[str, Any]:
    """What ``Model.adapt`` and ``experiment=adapt`` are told of the same labels."""
    return {
        "layer": store.layer,
        "attribute": store.attribute,
        "window": teaching.window,
        "sure": teaching.sure,
        "crs": IMAGE if store.crs is None else None,
    }
