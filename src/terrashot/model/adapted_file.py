"""An adapted model as one file: what ``experiment=adapt`` writes and maps are made with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terrashot.adaptation.batched_head import head_from_state
from terrashot.adaptation.inference import Inference
from terrashot.adaptation.temperature import Calibration
from terrashot.adaptation.transition.describe import transition_from
from terrashot.errors import CheckpointError, one_line
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.checkpoints import ADAPTED, read_checkpoint, write_checkpoint
from terrashot.networks.build import build_segmenter
from terrashot.taxonomy import Taxonomy

FILE_NAME = "adapted.ckpt"


def save_adapted_model(path: Path, model: AdaptedModel, info: Mapping[str, Any]) -> None:
    """Write a model to one file; it appears whole or not at all.

    Args:
        path: The file.
        model: The model.
        info: Its provenance, plain values: stage-1 checkpoint, method, support tiles, revision.
    """
    header = {**model.description, "provenance": dict(info)}
    write_checkpoint(path, ADAPTED, header, model.state_dict())


def find_adapted_file(value: str | Path) -> Path:
    """The file that a path names: itself, or a run folder's.

    Raises:
        CheckpointError: neither is there.
    """
    path = Path(value)
    if path.is_dir():
        found = path / FILE_NAME
        if found.is_file():
            return found
        stage1 = " It is the folder of a stage-1 run." if (path / "checkpoints").is_dir() else ""
        raise CheckpointError(f"{path} is a folder without {FILE_NAME}.{stage1} {ADAPTED.how}")
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file or folder. {ADAPTED.how}")
    return path


def load_adapted_model(path: str | Path) -> AdaptedModel:
    """Rebuild an adapted model, on the CPU, ready to map.

    Args:
        path: The file, or the run folder it lies in.

    Raises:
        CheckpointError: no such file, cut off, foreign, or a stage-1 checkpoint.
    """
    file = find_adapted_file(path)
    header, state = read_checkpoint(file, ADAPTED)
    try:
        taxonomy = Taxonomy.from_dict(header["taxonomy"])
        segmenter = build_segmenter(header["network"])
        head = head_from_state(
            {k.removeprefix("head."): v for k, v in state.items() if k.startswith("head.")},
            transition_from(header["transition"]),
        )
        model = AdaptedModel(
            segmenter,
            head,
            taxonomy,
            Inference(**header["inference"]),
            bool(header["align_corners"]),
            header["provenance"],
            Calibration.from_dict(header.get("calibration")),
        )
        model.load_state_dict(state, strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{file}: its tensors do not fit the network it describes ({one_line(error)}). The "
            f"file was changed, or written by another version. {ADAPTED.how}"
        ) from error
    return model
