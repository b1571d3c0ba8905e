"""From support tiles in memory, or windows of images, and a method's name to an adapted model."""

import contextlib
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from terrashot.adaptation.inference import Inference
from terrashot.adaptation.method import Method
from terrashot.adaptation.methods.refined import refined
from terrashot.adaptation.temperature import Calibration
from terrashot.build import build_part
from terrashot.data.support_arrays import SupportArrays
from terrashot.data.support_windows import SupportWindows
from terrashot.model.adapt_once import adapt_once
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.drawn_labels import no_contrast, without_contrast
from terrashot.model.leave_out import left_out_calibration
from terrashot.model.method_settings import PARTS, method_settings
from terrashot.model.support_fit import SupportFit
from terrashot.model.sure_base import SureBase
from terrashot.model.tile_network import TileNetwork, stride_factor
from terrashot.networks.build import with_features
from terrashot.networks.features import DECODER
from terrashot.networks.second_encoder import Second
from terrashot.networks.segmenter import Segmenter
from terrashot.taxonomy import Taxonomy


def adapt_arrays(
    segmenter: Segmenter,
    tiles: SupportArrays | SupportWindows,
    taxonomy: Taxonomy,
    method: str,
    stage1: Mapping[str, Any],
    *,
    features: str | None = None,
    second: Mapping[str, Any] | None = None,
    feature_stride: int | None = None,
    changes: Mapping[str, Any] | None = None,
    base_counts: Sequence[int] | None = None,
    seed: int = 0,
    sure: SureBase | None = None,
    vectors: Mapping[str, Any] | None = None,
    calibrate: bool = False,
    balance: bool = False,
    network: TileNetwork | None = None,
) -> AdaptedModel:
    """Adapt a frozen network to support tiles, inductively.

    Args:
        segmenter: The stage-1 network, in eval mode, on its device.
        tiles: The support.
        taxonomy: Base and novel classes.
        method: Name of the method.
        stage1: ``name`` and ``sha256`` of the network's file, for the provenance.
        features: What they are, see ``with_features``; None: what the method sees.
        second: A second encoder whose stages they hold too, see ``Second``; None: there is none.
        feature_stride: Of the features that are learned from; None: the network's.
        changes: See ``method_settings``.
        base_counts: Pixels of each base class in the training labels, where a loss counts them.
        seed: Of everything random.
        sure: What the frozen head is trusted with where tiles have no labels; None: nothing.
        vectors: The layers that the tiles were cut for, for the provenance; None: arrays.
        calibrate: Whether the temperature of its probabilities is fitted too.
        balance: Whether its classes are brought into balance, see ``BalancedMethod``.
        network: Makes the features with ``segmenter`` as it is; None: anew, none are kept.

    Raises:
        ConfigError: unknown settings, or ones that do not go together.
        CheckpointError: weights of the second encoder that are missing or do not fit.
        DataError: see ``SupportPixels``.
    """
    settings = method_settings(method, changes)
    beside = None if second is None else Second.of(second)
    parts = {group: build_part(group, settings[group]) for group in PARTS}
    fitted: Method = refined(
        build_part("method", settings["method"], **parts),
        parts["transduction"],
        balance=balance,
        complete=taxonomy.complete,
    )
    inference: Inference | None = build_part("inference", settings["inference"])
    if network is None:
        seen = features or str(settings["adaptation"].get("features", DECODER))
        segmenter = with_features(segmenter, seen)
        if beside is not None:
            segmenter, _ = beside.beside(segmenter)
    factor = stride_factor(segmenter, feature_stride)
    device = segmenter.head.weight.device
    network = network or TileNetwork(segmenter, device, None, contextlib.nullcontext)
    began = time.perf_counter()
    counts = None if base_counts is None else torch.tensor(base_counts, dtype=torch.int64)
    fit = SupportFit(
        fitted, network, tiles, taxonomy, factor, torch.float32, seed, counts, sure=sure
    )
    adapted = adapt_once(fit, seed=seed)
    head = adapted.head
    if vectors is not None:
        for name in without_contrast(fit.pixels):
            warnings.warn(no_contrast(name), stacklevel=3)
    similarity = getattr(fitted, "similarity", None)
    info = {
        "method": fitted.name,
        "stage1": dict(stage1),
        "data": {"name": "arrays" if vectors is None else "vectors", "split": None},
        "support": {c.name: tiles.summary(c.index) for c in taxonomy.novel},
        "vectors": None if vectors is None else dict(vectors),
        "scenes": None,
        "joint": None,
        "second": None if beside is None else beside.provenance,
        "feature_stride": factor * segmenter.stride,
        "seed": seed,
        "seconds": round(time.perf_counter() - began, 3),
        "diverged": head.diverged,
        "similarity": None
        if similarity is None
        else {
            "name": str(settings["similarity"]["_target_"]).rpartition(".")[2],
            "matrix": similarity.tolist(),
        },
        "git": None,
        "run": None,
    }
    align = settings["adaptation"].get("align_corners")
    calibration = Calibration(None, "calibrate=False")
    if calibrate:
        calibration = left_out_calibration(fit, adapted.query, inference, align, seed)
    return AdaptedModel(segmenter, head, taxonomy, inference, align, info, calibration)
