"""A model in a few lines, for people who ask a Python prompt what it holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from terrashot.adaptation.inference import Inference
from terrashot.model.adapted_model import AdaptedModel


def summary(network: AdaptedModel, path: Path | None, digest: str) -> str:
    """Network, classes, file, and how it was adapted.

    Args:
        network: Network and head; without novel classes it is a stage-1 network.
        path: The file that it comes from; None: there is none yet.
        digest: SHA-256 of that file, or of what it would hold.
    """
    made_of = network.segmenter.description
    parts = f"{made_of['backbone']['name']} + {(made_of.get('decoder') or {}).get('name')}"
    if "second" in made_of:
        parts += f" + second encoder {made_of['second']['name']}"
    taxonomy, info = network.taxonomy, network.provenance
    kind = "adapted model" if taxonomy.num_novel else "stage-1 network"
    lines = [
        f"{kind}: {parts}, features at stride {network.stride}",
        f"  base classes: {', '.join(taxonomy.names[: taxonomy.num_base])}",
    ]
    if taxonomy.num_novel:
        lines.append(f"  novel classes: {', '.join(c.name for c in taxonomy.novel)}")
        lines.append(f"  {_how(info, network.inference)}")
    elif "origin" in info:
        lines.append(f"  {info['origin']}")
    lines.append(f"  confidence {network.calibration.describe()}")
    if not network.spec.is_plain:
        bands = ", ".join(map(str, network.spec.bands))
        lines.append(f"  images: {network.spec.dtype}, bands {bands}")
    where = "made here, not saved" if path is None else str(path)
    device = network.segmenter.head.weight.device
    lines.append(f"  file: {where}, sha256 {digest[:12]}, on {device}")
    return "\n".join(lines)


def _how(info: Mapping[str, Any], inference: Inference) -> str:
    """How a model was adapted, in a line."""
    tiles = sum(map(len, (info.get("support") or {}).values()))
    stage1 = info.get("stage1") or {}
    views = len(inference.views())
    return (
        f"adapted with {info.get('method')} from {tiles} tile(s), stage 1 "
        f"{str(stage1.get('sha256'))[:12]}; maps are the mean over {views} view(s)"
    )
