"""A trained weak-shot classifier: its file, to go on from or to score."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from terrashot.errors import CheckpointError, ConfigError, one_line
from terrashot.model.checkpoints import CheckpointKind, read_checkpoint
from terrashot.papers.simtrans.network.window_encoder import WindowEncoder

CLASSIFIER = CheckpointKind(
    name="weak-shot classifier",
    key="terrashot_weak_shot",
    part="encoder",
    how="Give the run folder or the .ckpt file of `python run.py experiment=weak_shot`.",
    resumable=True,
)
_ENCODER, _LINEAR = "encoder.", "classifier."


@dataclass(frozen=True)
class TrainedClassifier:
    """What a run of ``experiment=weak_shot`` has learned.

    Args:
        path: The file.
        encoder: Its encoder with its weights.
        linear: Tensors of the linear classifier by name.
        classes: Names of its outputs; empty in files of earlier versions.
    """

    path: Path
    encoder: WindowEncoder
    linear: Mapping[str, Tensor]
    classes: list[str]

    def check_backbone(self, backbone: Mapping[str, Any] | None, key: str) -> None:
        """Hold the encoder against the group ``backbone``.

        Args:
            backbone: The group.
            key: The setting that named the file, for messages.

        Raises:
            ConfigError: other weights are asked for as well, or another backbone.
        """
        backbone = backbone or {}
        if backbone.get("weights"):
            raise ConfigError(
                f"backbone.weights is {backbone['weights']}, but {key}={self.path} brings weights "
                "of its own. Leave one of them out."
            )
        name = self.encoder.description["backbone"]["name"]
        if backbone.get("name") != name:
            raise ConfigError(
                f"backbone is {backbone.get('name')}, but {key}={self.path} holds a {name}. Choose "
                "the backbone of that run."
            )

    def load_linear(self, linear: nn.Linear) -> None:
        """Copy the weights of the linear classifier.

        Raises:
            CheckpointError: they do not fit.
        """
        try:
            linear.load_state_dict(dict(self.linear))
        except RuntimeError as error:
            raise CheckpointError(
                f"{self.path}: its linear classifier does not fit the classes of this run "
                f"({one_line(error)})."
            ) from error


def classifier_file(given: str, key: str) -> Path:
    """The file that a setting names: itself, or the last one of a run folder.

    Raises:
        CheckpointError: there is none.
    """
    path = Path(given)
    if path.is_dir():
        path = path / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise CheckpointError(f"{key}={given}: {path} does not exist. {CLASSIFIER.how}")
    return path


def load_classifier(path: Path) -> TrainedClassifier:
    """Read a classifier.

    Raises:
        CheckpointError: missing, foreign, or changed.
    """
    about, state = read_checkpoint(path, CLASSIFIER)
    encoder = WindowEncoder(about["encoder"])
    try:
        encoder.load_state_dict(_part(state, _ENCODER))
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: its weights do not fit the encoder that it describes ({one_line(error)}). "
            "The file was changed; train the classifier again."
        ) from error
    return TrainedClassifier(path, encoder, _part(state, _LINEAR), list(about.get("classes") or []))


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
