"""A stage-1 network as a model without novel classes, so that both map in the same way."""

from pathlib import Path

import torch

from terrashot.adaptation.head import AdaptedHead
from terrashot.adaptation.support.scaling import FeatureScale
from terrashot.adaptation.transition.none import NoTransition
from terrashot.model.adapted_file import load_adapted_model
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.checkpoints import ADAPTED, STAGE1, kind_of
from terrashot.model.stage1_file import load_base_model
from terrashot.networks.build import with_features
from terrashot.networks.segmenter import Segmenter
from terrashot.taxonomy import Taxonomy


def load_network(file: Path) -> AdaptedModel:
    """An adapted model, or a stage-1 network as one without novel classes, on the CPU.

    Args:
        file: Of either kind.

    Raises:
        CheckpointError: cut off, foreign, or of another kind.
    """
    if kind_of(file, (STAGE1, ADAPTED)) == ADAPTED:
        return load_adapted_model(file)
    base = load_base_model(file)
    network = as_adapted(base.segmenter, base.taxonomy)
    network.calibration = base.calibration
    if base.origin:
        network.provenance["origin"] = base.origin
    return network


def as_adapted(segmenter: Segmenter, taxonomy: Taxonomy) -> AdaptedModel:
    """The network with its own head.

    Args:
        segmenter: A stage-1 network.
        taxonomy: Its classes; novel ones are left out, for it has no output for them.
    """
    head = segmenter.head
    assert head.bias is not None
    weight, bias = head.weight[:, :, 0, 0].detach(), head.bias.detach()
    parameters = {
        "base_weight": weight,
        "base_bias": bias,
        "novel_weight": weight[:0],
        "novel_bias": bias[:0],
    }
    adapted = AdaptedHead(parameters, NoTransition(), weight, FeatureScale(torch.ones(())))
    return AdaptedModel(segmenter, adapted, taxonomy.base_only())


def seeing(network: AdaptedModel, features: str) -> AdaptedModel:
    """A stage-1 network with the features that ``adaptation.features`` names; it maps as before.

    Args:
        network: A network without novel classes.
        features: See ``with_features``.

    Raises:
        ConfigError: features that do not go with the network.
    """
    segmenter = with_features(network.segmenter, features)
    if segmenter is network.segmenter:
        return network
    found = as_adapted(segmenter, network.taxonomy)
    found.calibration, found.provenance = network.calibration, network.provenance
    return found
