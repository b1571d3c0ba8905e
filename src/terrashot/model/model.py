"""The front door: a model from a file, adapted to new classes, mapping pictures."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from terrashot.data.support_arrays import (
    IGNORE,
    SupportArrays,
    channels_first,
    check_image,
    holds_data,
)
from terrashot.data.support_windows import SupportWindows
from terrashot.errors import CheckpointError, ConfigError
from terrashot.files import file_digest
from terrashot.image_spec import ImageSpec, as_unit
from terrashot.model.adapt_arrays import adapt_arrays
from terrashot.model.adapted_file import save_adapted_model
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.base_head import load_network
from terrashot.model.checkpoints import ADAPTED, kind_of
from terrashot.model.drawn_labels import drawn_labels, drawn_taxonomy
from terrashot.model.find import find_model_file
from terrashot.model.new_classes import with_novel
from terrashot.model.summary import summary
from terrashot.model.tile_network import TileNetwork
from terrashot.networks.digest import network_digest
from terrashot.taxonomy import Taxonomy


def load(path: str | Path, device: str | torch.device = "cpu") -> "Model":
    """Load a stage-1 network or an adapted model.

    Args:
        path: A file; the folder of a run of ``experiment=stage1`` or ``experiment=adapt``;
            ``logs/stage1/latest``; or ``latest``, the newest of all of them in ``logs/``.
        device: Where it computes, such as ``cuda``.

    Raises:
        CheckpointError: no such file, cut off, foreign, or of another kind.
    """
    file = find_model_file(path)
    return Model(load_network(file).to(device), file)


class Model:
    """A network that maps land cover; without novel classes until it is adapted.

    Made by ``terrashot.load`` and by ``adapt``, which leaves the model that it starts from as it
    is. Images are NumPy arrays of any size, uint8 [H, W, 3]; for a network of other imagery [H, W,
    C], with its bands and of its type (see ``imagery``), with the values of the files.

    Args:
        network: Network and head; a stage-1 network has one without novel classes.
        path: The file that it comes from; None: it was made here.
    """

    def __init__(self, network: AdaptedModel, path: Path | None = None) -> None:
        self.network = network
        self.path = path

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes with their colours."""
        return self.network.taxonomy

    @property
    def imagery(self) -> ImageSpec:
        """The images that it takes: bands, pixel type, scale."""
        return self.network.spec

    @property
    def classes(self) -> list[str]:
        """Names of the classes; a class's place is its id on a map."""
        return self.taxonomy.names

    @property
    def is_adapted(self) -> bool:
        """Whether it has learned novel classes."""
        return self.taxonomy.num_novel > 0

    @property
    def provenance(self) -> dict[str, Any]:
        """How it was adapted, plain values: method, stage-1 file, support.

        Of a stage-1 network: ``origin`` where terrashot did not train it, otherwise empty.
        """
        return dict(self.network.provenance)

    @property
    def calibration(self) -> str:
        """Whether its probabilities are calibrated, and by what, in words."""
        return self.network.calibration.describe()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.network.segmenter.head.weight.device

    @property
    def digest(self) -> str:
        """SHA-256 of its file; of its tensors and settings where it has none."""
        if self.path is not None and self.path.is_file():
            return file_digest(self.path)
        return network_digest(self.network, self.network.description)

    def adapt(
        self,
        support: Any,  # noqa: ANN401 - arrays by class, a vector file, or like a GeoDataFrame
        method: str = "terrashot",
        colors: Mapping[str, str] | None = None,
        features: str | None = None,
        feature_stride: int | None = None,
        settings: Mapping[str, Any] | None = None,
        base_counts: Sequence[int] | None = None,
        seed: int = 0,
        calibrate: bool = False,
        balance: bool = False,
        second: Mapping[str, Any] | None = None,
        **drawn: Any,  # noqa: ANN401 - settings of DrawnLabels
    ) -> "Model":
        """Learn novel classes from a few labelled tiles; what ``experiment=adapt`` does.

        Args:
            support: For each novel class its tiles: pairs of an image [H, W, C] and a mask [H, W]
                of where the class is, bool, or uint8 with 255 where a pixel does not count.
                Whatever lies outside the mask counts as anything but this class. Or a layer of
                polygons, lines and points: a vector file, or an object like a GeoDataFrame.
            method: An option of ``configs/method``.
            colors: ``#rrggbb`` of a novel class on a map, by its name; the others get one of a
                palette that no class has yet.
            features: ``decoder``: the decoder's map; ``stages``: the encoder's stages beside it.
                None: what the method sees, for ``terrashot`` the stages where the network's map is
                coarse enough for them (``auto``).
            feature_stride: Image pixels between the features that are learned from, a multiple of
                the network's stride: less memory and time. None: the network's.
            settings: Other settings of the method, such as ``{"solver.iterations": 50}``.
            base_counts: Pixels of each base class in the labels that stage 1 was trained on, the
                background first, for methods whose loss counts them (``classtrans``).
            seed: Of everything random.
            calibrate: Fit the temperature of its probabilities too, by heads that each leave out
                some of the tiles; takes a few times as long as adapting alone.
            balance: Bring the classes into balance, by heads that each leave out some of the tiles:
                a bias for each class, so that none is drawn too often. For tiles whose masks are
                whole; takes a few times as long.
            second: A second frozen encoder whose stages it sees too: ``name``, a timm model, and
                ``weights``, a file, a timm tag or True for timm's default. None: there is none.
            drawn: What goes with a layer: ``images``, ``attribute`` and the other settings of
                ``DrawnLabels``, which are those of the group ``support``.

        Returns:
            A model of base and novel classes.

        Raises:
            ConfigError: adapted already, a name or colour that can't be, or unknown settings.
            CheckpointError: weights of a second encoder that are missing or do not fit.
            DataError: no class, no tile, or arrays of another type, shape or content.
        """
        if self.is_adapted:
            raise ConfigError(
                f"This model was adapted already: it has learned "
                f"{', '.join(c.name for c in self.taxonomy.novel)}. Adapt the stage-1 network "
                "again, with the tiles of all novel classes together."
            )
        if isinstance(support, Mapping):
            if drawn:
                raise ConfigError(
                    f"adapt: {', '.join(drawn)} go(es) with a layer of vectors, but support is a "
                    "dictionary of arrays. Leave it out, or give the path of a vector file."
                )
            labels, layer = None, None
            taxonomy = with_novel(self.taxonomy, list(support), colors or {})
        else:
            labels = drawn_labels(support, drawn)
            layer = labels.read()
            taxonomy = drawn_taxonomy(self.taxonomy, layer, colors=colors or {})
        if base_counts is not None and len(base_counts) != taxonomy.num_base:
            raise ConfigError(
                f"base_counts has {len(base_counts)} numbers, but the network has "
                f"{taxonomy.num_base} base classes, background included: one number for each."
            )
        tiles: SupportArrays | SupportWindows
        sure, vectors = None, None
        if labels is None or layer is None:
            tiles = SupportArrays(support, taxonomy.num_base, self.imagery)
        else:
            tiles = labels.windows(layer, taxonomy, self.imagery)
            sure, vectors = labels.sure_base(tiles), labels.provenance(layer, tiles)
        file = None if self.path is None else self.path.resolve()
        stage1 = {
            "name": None if file is None else "/".join(file.parts[-4:]),
            "sha256": self.digest,
        }
        network = adapt_arrays(
            self.network.segmenter,
            tiles,
            taxonomy,
            method,
            stage1,
            features=features,
            second=second,
            feature_stride=feature_stride,
            changes=settings,
            base_counts=base_counts,
            seed=seed,
            sure=sure,
            vectors=vectors,
            calibrate=calibrate,
            balance=balance,
        )
        return Model(network.to(self.device))

    def predict(self, image: np.ndarray) -> np.ndarray:
        """Class ids, uint8 [H, W], of an image, made as the method's maps are scored.

        The whole image goes through the network at once; ``terrashot.map_scene`` maps pictures of
        any size in constant memory. Pixels that are no finite numbers become 255, no class.

        Raises:
            DataError: the image is of another type or shape (see ``imagery``).
        """
        return self._map(image, probabilities=False)[0].cpu().numpy()

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Probabilities of all classes, float32 [K, H, W]; see ``predict``.

        Calibrated where the model is (see ``calibration``), which changes no class. Where a pixel
        is no finite number, all are 0.

        Raises:
            DataError: the image is of another type or shape (see ``imagery``).
        """
        found = self._map(image, probabilities=True)[1]
        assert found is not None
        return found.cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write the file that ``experiment=adapt`` writes and ``experiment=predict`` maps with.

        An adapted model that is there already is replaced, any other file is not.

        Raises:
            ConfigError: it was not adapted, so that its file is there already; or the path is that
                of a stage-1 checkpoint, of another file or of a folder.
        """
        if not self.is_adapted:
            raise ConfigError(
                f"This model was not adapted, so there is nothing new to save; its file is "
                f"{self.path}. Call `adapt` first."
            )
        if os.path.lexists(path):
            try:
                kind_of(Path(path), (ADAPTED,))
            except CheckpointError as error:
                raise ConfigError(
                    f"{path} is there already, and it is no adapted model, so it is not replaced. "
                    "Name another file."
                ) from error
        save_adapted_model(Path(path), self.network, self.network.provenance)

    def _map(self, image: object, probabilities: bool) -> tuple[Tensor, Tensor | None]:
        array = check_image("the image", image, self.imagery)
        batch = as_unit(channels_first(array, self.imagery).unsqueeze(0))
        own, how = self.network, self.network.inference
        network = TileNetwork(own.segmenter, self.device, None, contextlib.nullcontext)
        features = [network.extract(batch, None, view).features for view in how.views()]
        size = (array.shape[0], array.shape[1])
        ids, shares = how.predict_map(
            own.head.adapted, features, size, own.stride, own.align_corners, probabilities
        )
        empty = torch.from_numpy(~holds_data(array)).to(ids.device)
        ids[empty] = IGNORE
        if shares is not None:
            shares = own.calibration.apply(shares.float())
            shares[:, empty] = 0
        return ids, shares

    def __repr__(self) -> str:
        """What it holds: network, classes, file, and how it was adapted."""
        return summary(self.network, self.path, self.digest)
