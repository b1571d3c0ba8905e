"""Getting a trained SG-One network back from its checkpoint."""

import pickle
from pathlib import Path

import torch

from terrashot.errors import CheckpointError
from terrashot.model.stage1_file import KEY
from terrashot.papers.sg_one.network.build import build_sg_one
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.taxonomy import Taxonomy

_PREFIX = "network."


def load_sg_one(path: Path, taxonomy: Taxonomy) -> SGOneNetwork:
    """Rebuild the network of an SG-One checkpoint, with its weights.

    Args:
        path: The checkpoint file.
        taxonomy: The classes of the data; their novel classes must not have been trained on.

    Raises:
        CheckpointError: the file is no checkpoint of SG-One, or it has seen a novel class.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} can't be read as a checkpoint ({' '.join(str(error).split())[:160]}). Expected"
            " is a file that `python run.py experiment=sg_one` wrote, whole and untouched."
        ) from error
    header = content.get(KEY) if isinstance(content, dict) else None
    if not isinstance(header, dict) or "sg_one" not in header:
        raise CheckpointError(
            f"{path} is no checkpoint of SG-One. Give the folder of a run of `python run.py "
            "experiment=sg_one`, or its checkpoints/best.ckpt, as episodes.trained=PATH."
        )
    known = Taxonomy.from_dict(header["taxonomy"])
    seen = {land.name for land in known.base} & {land.name for land in taxonomy.novel}
    if seen:
        raise CheckpointError(
            f"{path} was trained on {', '.join(sorted(seen))}, which the data counts as novel, so "
            "its score would not be a few-shot score. Train SG-One on this data."
        )
    network = build_sg_one(header["sg_one"])
    state = {
        key.removeprefix(_PREFIX): value
        for key, value in content["state_dict"].items()
        if key.startswith(_PREFIX)
    }
    network.load_state_dict(state, strict=True)
    return network
