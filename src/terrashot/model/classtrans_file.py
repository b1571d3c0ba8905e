"""The stage-1 checkpoint that ClassTrans was published with, read as one of terrashot's.

A plain state dict, alone or as DataParallel names it (``module.``): encoder, decoder and
classifier of ``decoder=upernet_classtrans`` on CLIP ConvNeXt-L, for the classes and images of
``data=openearthmap``. Its names are terrashot's up to a prefix.
"""

from pathlib import Path
from typing import Any

import yaml
from torch import Tensor

from terrashot.configs_folder import configs_folder
from terrashot.errors import CheckpointError
from terrashot.taxonomy import Taxonomy

_PARALLEL = "module."
# Of the published names, and what they are here.
_PARTS = {"model.encoder.": "encoder.", "model.decoder.": "decoder.", "classifier.": "head."}
_PYRAMID = "decoder.psp_last_conv.0.weight"
_BRANCH = "decoder.psp.blocks.0.pool.1.0.weight"
_HEAD = "head.weight"
_ENCODER = "convnext_large_mlp"


def from_classtrans(path: Path, content: object) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Header and tensors of a published checkpoint, as a stage-1 checkpoint has them.

    Whether all tensors are there, and of their shapes, is found when the network takes them.

    Args:
        path: The file, for messages.
        content: What stands in it.

    Returns:
        Plain values ``network``, ``taxonomy`` and ``origin`` (what was found), and the tensors
        under terrashot's names; None where the file is another.

    Raises:
        CheckpointError: other outputs than the classes that it was published for.
    """
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        return None
    names = [str(name).removeprefix(_PARALLEL) for name in content]
    state = {_translated(n): v for n, v in zip(names, content.values(), strict=True)}
    if not {_PYRAMID, _BRANCH, _HEAD} <= set(state):
        return None
    data = yaml.safe_load((configs_folder() / "data/openearthmap.yaml").read_text("utf-8"))
    taxonomy = Taxonomy.from_dict({"name": data["name"], **data["taxonomy"], "novel": []})
    outputs = state[_HEAD].shape[0]
    if outputs != taxonomy.num_classes:
        raise CheckpointError(
            f"{path} has the names of the ClassTrans stage-1 checkpoint, but {outputs} outputs; "
            f"{taxonomy.num_classes} were expected, background and base classes of "
            f"data={taxonomy.name}: {', '.join(taxonomy.names)}. Train stage 1 on your data with "
            "python run.py experiment=stage1_paper data=NAME."
        )
    counts = [sum(n.startswith(part) for n in names) for part in _PARTS]
    parallel = ", under module." if any(str(n).startswith(_PARALLEL) for n in content) else ""
    network = {
        "backbone": {"name": _ENCODER},
        "decoder": {
            "name": "upernet_classtrans",
            "channels": state[_PYRAMID].shape[0],
            "pooling_channels": state[_BRANCH].shape[0],
            "align_corners": True,
        },
        "num_classes": outputs,
        "mean": data["mean"],
        "std": data["std"],
    }
    origin = (
        f"published ClassTrans checkpoint of {len(names)} tensors{parallel}: {counts[0]} of the "
        f"encoder {_ENCODER}, {counts[1]} of the decoder upernet_classtrans, {counts[2]} of the "
        f"classifier with {outputs} outputs; logits are upsampled with align_corners"
    )
    return {"network": network, "taxonomy": taxonomy.to_dict(), "origin": origin}, state


def _translated(name: str) -> str:
    for published, own in _PARTS.items():
        if name.startswith(published):
            return own + name.removeprefix(published)
    return name  # unknown to the network, which will say so
