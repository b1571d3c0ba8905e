"""What a stage-1 checkpoint says of itself, and how stage 2 gets the network back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from terrashot.adaptation.temperature import Calibration
from terrashot.errors import CheckpointError, one_line
from terrashot.image_spec import ImageSpec
from terrashot.model.checkpoints import STAGE1, read_checkpoint
from terrashot.networks.build import build_segmenter
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.weight_report import shorten
from terrashot.taxonomy import Taxonomy

KEY = STAGE1.key


@dataclass(frozen=True)
class BaseModel:
    """A trained stage-1 network, the classes it knows, and its file.

    ``origin`` says what was found in a file that terrashot did not train; it is empty otherwise.
    ``calibration`` is that of its probabilities.
    """

    segmenter: Segmenter
    taxonomy: Taxonomy
    path: Path
    origin: str = ""
    calibration: Calibration = field(default_factory=Calibration)

    def __str__(self) -> str:
        """The file and where it comes from, for the screen."""
        return f"{self.path} ({self.origin})" if self.origin else str(self.path)


def describe(
    segmenter: Segmenter, taxonomy: Taxonomy, calibration: Calibration | None = None
) -> dict[str, Any]:
    """Plain values that rebuild the network; kept in the checkpoint under ``terrashot``."""
    known = {} if calibration is None else {"calibration": calibration.to_dict()}
    return STAGE1.header(
        {"network": segmenter.description, "taxonomy": taxonomy.to_dict(), **known}
    )


def find_checkpoint(value: str) -> Path:
    """The checkpoint file that ``checkpoint=`` names: a file, or a run folder's best one.

    Raises:
        CheckpointError: neither is there.
    """
    path = Path(value)
    if path.is_dir():
        for name in ["best.ckpt", "last.ckpt"]:
            found = path / "checkpoints" / name
            if found.is_file():
                return found
        raise CheckpointError(
            f"checkpoint={value}: the folder has no checkpoints/best.ckpt or checkpoints/last.ckpt."
            " Give the folder of a stage-1 run, or a checkpoint file."
        )
    if not path.is_file():
        raise CheckpointError(
            f"checkpoint={value}: there is no such file or folder. Give the folder of a stage-1 "
            "run, for example checkpoint=logs/stage1/latest, or a checkpoint file."
        )
    return path


def load_base_spec(path: Path) -> ImageSpec:
    """The channels of the images that a stage-1 network takes, without its weights.

    Raises:
        CheckpointError: as ``load_base_model``.
    """
    return ImageSpec.from_description(read_checkpoint(path, STAGE1)[0]["network"])


def load_base_classes(path: Path) -> Taxonomy:
    """The classes of a stage-1 network, without its weights.

    Raises:
        CheckpointError: as ``load_base_model``.
    """
    return Taxonomy.from_dict(read_checkpoint(path, STAGE1)[0]["taxonomy"])


def load_base_model(path: Path, taxonomy: Taxonomy | None = None) -> BaseModel:
    """Rebuild the network of a stage-1 checkpoint, with its weights.

    Args:
        path: the checkpoint file.
        taxonomy: the classes of the data; their base classes must be the checkpoint's.

    Raises:
        CheckpointError: the file is no checkpoint of a base segmentation, or of other classes.
    """
    header, state = read_checkpoint(path, STAGE1)
    known = Taxonomy.from_dict(header["taxonomy"])
    if taxonomy is not None:
        _check_same_base(path, known, taxonomy)
    segmenter = build_segmenter(header["network"])
    origin = str(header.get("origin", ""))
    try:
        segmenter.load_state_dict(state, strict=True)
    except RuntimeError as error:
        remedy = "download it" if origin else "train stage 1"
        raise CheckpointError(
            f"{path}: its weights do not fit the network it describes "
            f"({_misfit(segmenter, state) or one_line(error)}). The file was changed, or written "
            f"by another version; {remedy} again."
        ) from error
    return BaseModel(segmenter, known, path, origin, _calibration(path, header))


def _calibration(path: Path, header: Mapping[str, Any]) -> Calibration:
    try:
        return Calibration.from_dict(header.get("calibration"))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: what it says of its calibration can't be ({one_line(error)}). The file was "
            "changed, or written by another version; train stage 1 again."
        ) from error


def _misfit(segmenter: Segmenter, state: Mapping[str, Tensor]) -> str:
    """Which tensors of a file do not fit, in words."""
    own = segmenter.state_dict()
    faults = {
        "missing": [n for n in own if n not in state],
        "unknown": [n for n in state if n not in own],
        "of another shape": [n for n in own if n in state and state[n].shape != own[n].shape],
    }
    return "; ".join(f"{what}: {shorten(names)}" for what, names in faults.items() if names)


def _check_same_base(path: Path, known: Taxonomy, wanted: Taxonomy) -> None:
    found, expected = known.base_only().names, wanted.base_only().names
    if found != expected:
        raise CheckpointError(
            f"{path} was trained for the classes {', '.join(found)} (taxonomy '{known.name}'), but "
            f"the data has {', '.join(expected)} (taxonomy '{wanted.name}'). Train stage 1 on this "
            "data, or give a checkpoint of the same base classes with checkpoint=PATH."
        )
