"""An adapted model as one file: what ``experiment=adapt`` writes and maps are made with."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from terrashot.adaptation.batched_head import head_from_state
from terrashot.adaptation.inference import Inference
from terrashot.adaptation.transition.describe import transition_from
from terrashot.errors import CheckpointError
from terrashot.files import atomic_write
from terrashot.model.adapted_model import AdaptedModel
from terrashot.networks.build import build_segmenter
from terrashot.taxonomy import Taxonomy

FILE_NAME = "adapted.ckpt"
_KEY = "terrashot_adapted"
_STAGE1_KEY = "terrashot"
_FORMAT = 1
_HOW = (
    "Adapt a stage-1 network with `python run.py experiment=adapt checkpoint=RUN_FOLDER` and give "
    f"the {FILE_NAME} that it writes, or its run folder."
)


def save_adapted_model(path: Path, model: AdaptedModel, info: Mapping[str, Any]) -> None:
    """Write a model to one file; it appears whole or not at all.

    Args:
        path: The file.
        model: The model.
        info: Its provenance, plain values: stage-1 checkpoint, method, support tiles, revision.
    """
    header = {"format": _FORMAT, **model.description, "provenance": dict(info)}
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    with atomic_write(path) as temporary:
        torch.save({_KEY: header, "state_dict": state}, temporary)


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
        raise CheckpointError(f"{path} is a folder without {FILE_NAME}.{stage1} {_HOW}")
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such file or folder. {_HOW}")
    return path


def load_adapted_model(path: str | Path) -> AdaptedModel:
    """Rebuild an adapted model, on the CPU, ready to map.

    Args:
        path: The file, or the run folder it lies in.

    Raises:
        CheckpointError: no such file, cut off, foreign, or a stage-1 checkpoint.
    """
    file = find_adapted_file(path)
    header, state = _read(file)
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
        )
        model.load_state_dict(state, strict=True)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{file}: its tensors do not fit the network it describes ({_first_line(error)}). The "
            f"file was changed, or written by another version. {_HOW}"
        ) from error
    return model


def _read(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"{file} ({file.stat().st_size} bytes) can't be read as an adapted checkpoint: it is "
            f"cut off, or no file of PyTorch ({_first_line(error)}). {_HOW}"
        ) from error
    header = content.get(_KEY) if isinstance(content, dict) else None
    if isinstance(header, dict) and header.get("format") == _FORMAT and "state_dict" in content:
        return header, content["state_dict"]
    if isinstance(header, dict):
        raise CheckpointError(
            f"{file} is an adapted checkpoint of format {header.get('format')}, but this version "
            f"reads format {_FORMAT}. {_HOW}"
        )
    if isinstance(content, dict) and _STAGE1_KEY in content:
        raise CheckpointError(
            f"{file} is a stage-1 checkpoint, which knows no novel classes: it was not adapted. "
            f"{_HOW.replace('RUN_FOLDER', str(file))}"
        )
    raise CheckpointError(f"{file} is a PyTorch file, but no adapted checkpoint. {_HOW}")


def _first_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:157] + "..."
