"""Getting a trained SG-One network back from its checkpoint."""

from pathlib import Path

from terrashot.errors import CheckpointError
from terrashot.model.checkpoints import STAGE1, CheckpointKind, read_checkpoint
from terrashot.papers.sg_one.network.build import build_sg_one
from terrashot.papers.sg_one.network.network import SGOneNetwork
from terrashot.taxonomy import Taxonomy

SG_ONE = CheckpointKind(
    name="checkpoint of SG-One",
    key=STAGE1.key,
    part="sg_one",
    how=(
        "Give the folder of a run of `python run.py experiment=sg_one`, or its "
        "checkpoints/best.ckpt, as episodes.trained=PATH."
    ),
    prefix="network.",
    resumable=True,
)


def load_sg_one(path: Path, taxonomy: Taxonomy) -> SGOneNetwork:
    """Rebuild the network of an SG-One checkpoint, with its weights.

    Args:
        path: The checkpoint file.
        taxonomy: The classes of the data; their novel classes must not have been trained on.

    Raises:
        CheckpointError: the file is no checkpoint of SG-One, or it has seen a novel class.
    """
    header, state = read_checkpoint(path, SG_ONE)
    known = Taxonomy.from_dict(header["taxonomy"])
    seen = {land.name for land in known.base} & {land.name for land in taxonomy.novel}
    if seen:
        raise CheckpointError(
            f"{path} was trained on {', '.join(sorted(seen))}, which the data counts as novel, so "
            "its score would not be a few-shot score. Train SG-One on this data."
        )
    network = build_sg_one(header["sg_one"])
    network.load_state_dict(state, strict=True)
    return network
