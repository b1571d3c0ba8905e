"""The units that a SimNet is trained on, from settings."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.tiles import TileDataset
from terrashot.data.transforms import TrainTransform
from terrashot.errors import DataError
from terrashot.files import file_digest
from terrashot.image_spec import ImageSpec
from terrashot.model.stage1_file import load_base_model
from terrashot.model.tile_network import TileNetwork, stride_factor
from terrashot.papers.simtrans.network.sim_net import PIXELS, WINDOWS
from terrashot.papers.simtrans.patches.dataset import PatchDataset
from terrashot.papers.simtrans.patches.pixel_units import any_pixels, pixel_units
from terrashot.papers.simtrans.patches.select import base_patches, need_windows, support_patches
from terrashot.papers.simtrans.patches.units import UnitSet, held_out_classes
from terrashot.papers.simtrans.patches.vectors import VectorDataset
from terrashot.papers.simtrans.settings import SimNetSettings, UnitSettings, WindowTaskSettings
from terrashot.tasks.augmentation import build_augmentation
from terrashot.tasks.bench import Run
from terrashot.taxonomy import Taxonomy

_ANCHORS = 64


@dataclass(frozen=True)
class PairUnits:
    """What a SimNet is trained on.

    Args:
        train: Base units without those of held-out classes.
        val: Base units of other tiles.
        novel: For the adversarial term; None: none.
        held_out: Ids of the held-out classes.
        about: Plain values for the checkpoint.
        anchors: Features ``[base, K, C]`` of each base class, of pixels.
    """

    train: UnitSet
    val: UnitSet
    novel: UnitSet | None
    held_out: list[int]
    about: dict[str, Any]
    anchors: Tensor | None = None


def build_units(settings: SimNetSettings, run: Run, data: FewShotDataModule) -> PairUnits:
    """Windows or pixels, as ``units.kind`` says.

    Raises:
        DataError: too few units of a class.
    """
    if settings.units.kind == WINDOWS:
        return _windows(settings, data)
    return _pixels(settings, run, data)


def window_transform(settings: WindowTaskSettings, spec: ImageSpec) -> TrainTransform | None:
    """The augmentation of tiles, for windows of images with these channels."""
    if not settings.augmentation:
        return None
    config = {**settings.augmentation, "crop": settings.data.window}
    rgb = spec.rgb if spec.has_colors else None
    return build_augmentation(TrainTransform, config, "default", rgb=rgb)


def _windows(settings: SimNetSettings, data: FewShotDataModule) -> PairUnits:
    units = settings.units
    taxonomy, size = data.taxonomy, settings.data.window
    sets = []
    for tiles in (data.train_tiles, data.layout.stage1_val):
        found = TileDataset(tiles, taxonomy, base_only=True, cache=data.cache, spec=data.spec)
        sets.append((found, base_patches(found, size)))
    held = _held_out(units, taxonomy, [p.label for p in sets[1][1]], "windows")
    need_windows(sets[1][1], held, taxonomy, 4, "stage1_val.txt, windows of held-out classes")
    transform = window_transform(settings, data.spec)
    train_tiles, train = sets[0]
    train = [p for p in train if p.label not in held]
    novel: PatchDataset | None = None
    if units.beta or units.noisy_frac:
        support = TileDataset(data.support.tiles, taxonomy, cache=data.cache, spec=data.spec)
        patches = support_patches(support, data.support.class_ids, size, 0.0)
        novel = PatchDataset(support, patches, size, transform)
    return PairUnits(
        train=PatchDataset(train_tiles, train, size, transform),
        val=PatchDataset(*sets[1], size),
        novel=novel,
        held_out=held,
        about=_about(settings, taxonomy, held) | {"window": size},
    )


def _pixels(settings: SimNetSettings, run: Run, data: FewShotDataModule) -> PairUnits:
    units = settings.units
    taxonomy, path = data.taxonomy, run.stage1_checkpoint()
    segmenter = load_base_model(path, taxonomy).segmenter.eval().requires_grad_(False)
    device = run.device
    exact = settings.trainer.precision == "32-true"
    # Features of another precision must not stand in the cache as those of this one.
    cache = run.feature_cache(path, segmenter) if exact else None
    network = TileNetwork(segmenter.to(device), device, cache, nullcontext)
    factor = stride_factor(segmenter, settings.adaptation.feature_stride)

    def features(tiles: Any, what: str) -> Any:  # noqa: ANN401 - a function of a tile's number
        numbers = iter(
            track(range(len(tiles)), f"features of {what}", console=run.console, transient=True)
        )

        def of_tile(index: int) -> Tensor:
            next(numbers, None)  # tiles are asked for in order
            return network.support(tiles, index)

        return of_tile

    found = []
    for part, tiles in [("training", data.train_tiles), ("validation", data.layout.stage1_val)]:
        dataset = TileDataset(tiles, taxonomy, data.eval_transform, base_only=True, spec=data.spec)
        found.append(
            pixel_units(
                dataset,
                features(dataset, f"{part} tiles"),
                factor,
                taxonomy.base_ids,
                units.per_tile,
                settings.seed,
            )
        )
    train, val = found
    held = _held_out(units, taxonomy, val.labels.tolist(), "pixels")
    novel: VectorDataset | None = None
    if units.beta or units.noisy_frac:
        support = data.support
        of_support = features(support, "support tiles")
        count = 4 * units.per_tile
        novel = any_pixels(support, of_support, factor, count, settings.seed)
    about = _about(settings, taxonomy, held) | {
        "stage1": file_digest(path),
        "feature_stride": settings.adaptation.feature_stride,
    }
    kept = torch.from_numpy(~np.isin(train.labels, held))
    return PairUnits(train.part(kept), val, novel, held, about, _anchors(train, settings.seed))


def _anchors(train: VectorDataset, seed: int) -> Tensor:
    """``[base, K, C]``, classes with fewer pixels repeat some."""
    random = np.random.default_rng([seed, 2])
    rows = []
    for label in np.unique(train.labels):
        members = random.permutation(np.flatnonzero(train.labels == label))
        rows.append(train.features[torch.from_numpy(np.resize(members, _ANCHORS))])
    return torch.stack(rows)


def _held_out(units: UnitSettings, taxonomy: Taxonomy, labels: list[int], what: str) -> list[int]:
    names = [taxonomy.names[i] for i in taxonomy.base_ids]
    counts = [labels.count(i) for i in taxonomy.base_ids]
    held = [taxonomy.base_ids[i] for i in held_out_classes(units.held_out, names, counts)]
    others = [n for i, n in zip(taxonomy.base_ids, counts, strict=True) if i not in held]
    if units.held_out == []:
        return []
    if not held or not sum(others):
        found = ", ".join(f"{n} {c}" for n, c in zip(names, counts, strict=True))
        raise DataError(
            f"stage1_val.txt: SimNet is selected on {what} of held-out base classes against those "
            f"of other ones, but found are {found}. At least 20 of one class and some of another "
            "are needed: add validation tiles, take smaller windows (data.window), or name the "
            "class with units.held_out."
        )
    return held


def _about(settings: SimNetSettings, taxonomy: Taxonomy, held: list[int]) -> dict[str, Any]:
    return {
        "units": PIXELS if settings.units.kind == PIXELS else WINDOWS,
        "data": settings.data.name,
        "taxonomy": taxonomy.base_only().to_dict(),
        "held_out": [taxonomy.names[i] for i in held],
    }
