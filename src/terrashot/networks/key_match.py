"""Which tensor of a checkpoint belongs to which tensor of an encoder."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import timm
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class KeyMatch:
    """The tensors of a file against those of an encoder.

    ``found`` maps names of the encoder to tensors of the file. ``missing`` and ``misshapen`` are
    names of the encoder, ``foreign`` and ``unused`` names of the file: foreign ones stand inside a
    stage of the encoder but the encoder does not know them (another, for example deeper, model);
    unused ones are classifiers, text towers, or stages that this encoder leaves out.
    """

    found: dict[str, Tensor]
    missing: list[str]
    misshapen: list[str]
    foreign: list[str]
    unused: list[str]


def match_keys(model: nn.Module, known: Iterable[str], tensors: Mapping[str, Tensor]) -> KeyMatch:
    """Match ``tensors`` of a file, one by one, to timm's feature extractor ``model``.

    timm's feature extractors flatten containers: ``stages.0.blocks`` of the whole model is
    ``stages_0.blocks`` there. The names in the file may share a prefix (``model.``,
    ``visual.trunk.``): the one under which most tensors match is taken.

    Args:
        model: the feature extractor.
        known: names of the whole timm model, stages and classifier that ``model`` lacks included.
        tensors: the tensors of the file.
    """
    own = model.state_dict()
    root, children = _root_and_children(model)
    known = set(known)
    prefix = _prefix(own, root, children, tensors)
    found: dict[str, Tensor] = {}
    misshapen, foreign, unused = [], [], []
    for name, tensor in tensors.items():
        inside = name.startswith(prefix)
        target = _flatten(name.removeprefix(prefix), root, children) if inside else None
        if target is not None and target in own:
            found[target] = tensor
            if tensor.shape != own[target].shape:
                misshapen.append(target)
        elif target is not None and name.removeprefix(prefix) not in known:
            foreign.append(name)
        else:
            unused.append(name)
    missing = [name for name in own if name not in found]
    return KeyMatch(found, missing, misshapen, foreign, unused)


def names_of_whole_model(name: str) -> list[str]:
    """Names of timm's model ``name`` with its classifier and all stages, without their memory."""
    with torch.device("meta"):
        try:
            return list(timm.create_model(name).state_dict())
        except (NotImplementedError, RuntimeError):
            pass  # a few models compute with their weights while they are built
    return list(timm.create_model(name).state_dict())


def whole_model_names(model: nn.Module, name: str) -> dict[str, str]:
    """From the names of the feature extractor ``model`` to those of timm's whole model ``name``."""
    own = model.state_dict()
    root, children = _root_and_children(model)
    names = {key: key.removeprefix(root) for key in own}
    for whole in names_of_whole_model(name):
        target = _flatten(whole, root, children)
        if target in own:
            names[target] = whole
    return names


def _root_and_children(model: nn.Module) -> tuple[str, set[str]]:
    children = _children(model)
    if children != {"model"}:
        return "", children
    # Some of timm's extractors wrap the whole model.
    return "model.", _children(model.get_submodule("model"))


def _children(model: nn.Module) -> set[str]:
    """First parts of its names: modules, and the parameters that are in none of them."""
    own = {name for name, _ in model.named_parameters(recurse=False)}
    return own | {name for name, _ in model.named_children()}


def _flatten(name: str, root: str, children: set[str]) -> str | None:
    """The extractor's name for ``name`` of the whole model; None outside its children."""
    head, _, rest = name.partition(".")
    if head in children:
        return root + name
    second, _, rest = rest.partition(".")
    return f"{root}{head}_{second}.{rest}" if f"{head}_{second}" in children else None


def _prefix(
    own: Mapping[str, Tensor], root: str, children: set[str], tensors: Mapping[str, Tensor]
) -> str:
    votes: Counter[str] = Counter()
    for name in tensors:
        parts = name.split(".")
        for cut in range(len(parts)):
            if _flatten(".".join(parts[cut:]), root, children) in own:
                votes[".".join([*parts[:cut], ""] if cut else [])] += 1
    # The shortest of equals, so that the choice does not depend on the order in the file.
    return max(votes, key=lambda prefix: (votes[prefix], -len(prefix)), default="")
