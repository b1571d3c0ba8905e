"""A second frozen encoder beside the trained one: what stage 1 has not narrowed down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import Tensor, nn

from terrashot.errors import CheckpointError, ConfigError
from terrashot.image_spec import ImageSpec
from terrashot.networks.backbone_weights import is_path, load_encoder_weights
from terrashot.networks.digest import network_digest
from terrashot.networks.encoder import build_encoder, check_name
from terrashot.networks.encoder_file import read_header
from terrashot.networks.encoder_stages import averaged
from terrashot.networks.probe import probe
from terrashot.networks.segmenter import Segmenter
from terrashot.networks.weight_report import WeightReport
from terrashot.networks.widening import check_coarse, widened

GROUP = "adaptation.second"
"""The settings that name it."""


class SecondEncoder(nn.Module):
    """An encoder on the images of a network, whose stages stand beside the network's own maps.

    Args:
        spec: The images of the network, and how it normalises them.
        name: Timm architecture.
        mean: Means that this encoder's images are normalised with.
        std: Standard deviations, likewise.

    Raises:
        ConfigError: no such architecture, or one that does not take images of any size.
    """

    factor: Tensor
    offset: Tensor

    def __init__(
        self, spec: ImageSpec, name: str, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.encoder = build_encoder(name, channels=spec.channels, group=GROUP)
        probe(self.encoder, f"{GROUP}.name={name}", spec.channels)
        self.channels = sum(self.encoder.out_channels[1:])
        self.description = {"name": name, "mean": list(mean), "std": list(std)}
        own_mean, own_std, mean_, std_ = (
            torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.std, mean, std)
        )
        self.register_buffer("factor", own_std / std_, persistent=False)
        self.register_buffer("offset", (own_mean - mean_) / std_, persistent=False)

    def forward(self, image: Tensor, height: int) -> list[Tensor]:
        """Maps ``[B, C_i, h_i, w_i]`` of an image as the network normalises it.

        Args:
            image: ``[B, C, H, W]``, padded.
            height: Of the network's finest map; finer stages are averaged to it.
        """
        maps = self.encoder(image * self.factor + self.offset)
        return [averaged(stage, height) for stage in maps[1:] if stage.shape[1]]

    def digest(self) -> str:
        """SHA-256 of architecture, normalisation and weights."""
        return network_digest(self, self.description)


@dataclass(frozen=True)
class Second:
    """``adaptation.second``: which encoder, and whose weights it has.

    Args:
        name: Timm architecture.
        weights: A file, a tag that timm downloads, or True for timm's default one.

    Raises:
        ConfigError: one of the two without the other, or no such architecture.
        CheckpointError: the file is missing.
    """

    name: str | None
    weights: str | bool | None

    def __post_init__(self) -> None:
        """Check what can be seen before anything is built."""
        if not self.name:
            raise ConfigError(
                f"{GROUP}.weights is {self.weights}, but {GROUP}.name is null: which encoder are "
                f"they of? Give its timm name, for example {GROUP}.name=tf_efficientnet_lite2."
            )
        check_name(self.name, GROUP)
        if not self.weights or not isinstance(self.weights, str | bool):
            raise ConfigError(
                f"{GROUP}.name is {self.name}, but {GROUP}.weights is {self.weights}: an encoder "
                f"needs weights that have learned something. Give {GROUP}.weights=FILE, a timm "
                "tag, or true for timm's default one."
            )
        if self.file is not None and not self.file.is_file():
            raise CheckpointError(
                f"{GROUP}.weights={self.weights}: there is no such file. Give the path of one "
                "(relative paths start at the folder you are in), a timm tag, or true."
            )

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Second":
        """From plain values.

        Raises:
            ConfigError: an unknown key; otherwise as the class.
        """
        unknown = sorted(set(given) - {"name", "weights"})
        if unknown:
            raise ConfigError(
                f"{GROUP}.{unknown[0]}: there is no such setting; it has name and weights."
            )
        return cls(given.get("name"), given.get("weights"))

    @property
    def file(self) -> Path | None:
        """The file of its weights; None where they have a tag."""
        if isinstance(self.weights, str) and is_path(self.weights):
            return Path(self.weights).expanduser()
        return None

    @property
    def provenance(self) -> dict[str, Any]:
        """Plain values that name it in an adapted model."""
        return {"name": self.name, "weights": self.weights if self.file is None else self.file.name}

    def beside(self, segmenter: Segmenter) -> tuple[Segmenter, WeightReport]:
        """The network with this encoder in its features, and what became of the weights.

        Raises:
            ConfigError: the encoder does not go with the network.
            CheckpointError: weights that do not fit, or cannot be downloaded.
        """
        assert self.name is not None
        key = f"{GROUP}.name="
        check_coarse(segmenter, key + self.name, "a second encoder's stages", key + "null")
        mean, std = self._statistics(segmenter.spec)
        second = SecondEncoder(segmenter.spec, self.name, mean, std)
        report = load_encoder_weights(
            second.encoder, self.name, self.weights, statistics=(mean, std), group=GROUP
        )
        return with_second_encoder(segmenter, second), report

    def _statistics(self, spec: ImageSpec) -> tuple[Sequence[float], Sequence[float]]:
        """Means and deviations that its weights were trained with.

        Those of 8-bit RGB are known, from the file or from timm; weights brought to other bands
        see images as the network does.
        """
        header = None if self.file is None else read_header(self.file)
        if header is not None:
            return header["mean"], header["std"]
        if not spec.is_plain:
            return spec.mean, spec.std
        tagged = f"{self.name}.{self.weights}"  # an unknown one is told when weights are read
        known = tagged in timm.list_pretrained(f"{self.name}.*")
        config = timm.get_pretrained_cfg(tagged if known else self.name)
        return (spec.mean, spec.std) if config is None else (config.mean, config.std)


def with_second_encoder(segmenter: Segmenter, second: SecondEncoder) -> Segmenter:
    """The same network with the stages of a second encoder in its features.

    Its head has weights of 0 for them, so its logits are those of the network as it was trained.

    Args:
        segmenter: A trained network.
        second: The encoder, on the network's images.

    Raises:
        ConfigError: it has a second encoder already.
    """
    if segmenter.second is not None:
        raise ConfigError(
            f"{GROUP}.name is {second.description['name']}, but the network has a second encoder "
            "already. Start from the stage-1 checkpoint."
        )
    return widened(
        segmenter, second.channels, segmenter.decoder, second, {"second": second.description}
    )
