"""The frozen network as stage 2 sees it: its features, and a second encoder beside it."""

from pathlib import Path
from typing import TYPE_CHECKING

from terrashot.tasks.settings.groups import StageTwoAdaptation

if TYPE_CHECKING:
    from terrashot.model.stage1_file import BaseModel
    from terrashot.networks.second_encoder import Second
    from terrashot.networks.segmenter import Segmenter


def second_of(adaptation: StageTwoAdaptation) -> "Second | None":
    """The second encoder that the settings name, checked; None: they name none.

    Raises:
        ConfigError: no such model, or a name without weights or the other way round.
        CheckpointError: the file of its weights is missing.
    """
    given = adaptation.second
    if given.name is None and not given.weights:
        return None
    from terrashot.networks.second_encoder import Second

    return Second(given.name, given.weights)


def second_files(adaptation: StageTwoAdaptation) -> list[Path]:
    """The file of its weights, if there is one."""
    second = second_of(adaptation)
    return [] if second is None or second.file is None else [second.file]


def seen_network(
    base: "BaseModel", features: str, second: "Second | None"
) -> "tuple[Segmenter, list[str]]":
    """The network with all features that stage 2 sees, and lines that say what it is made of.

    Args:
        base: The stage-1 network.
        features: ``adaptation.features``.
        second: See ``second_of``.

    Raises:
        ConfigError: features or an encoder that do not go with the network.
        CheckpointError: weights of the encoder that do not fit, or cannot be downloaded.
    """
    from terrashot.networks.build import with_features

    segmenter = with_features(base.segmenter, features)
    lines = [f"stage-1 network: {base}"]
    if second is not None:
        segmenter, report = second.beside(segmenter)
        lines.append(report.summary("second encoder"))
    return segmenter, lines
