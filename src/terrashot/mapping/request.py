"""A mapping run, looked at as a whole: model, scenes, folder, and what is to be written."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from terrashot.errors import ConfigError, one_line
from terrashot.mapping.blending import Layers
from terrashot.mapping.checks import check_output
from terrashot.mapping.engine import AUTO, ENGINES, ONNX, TORCH, scene_engine
from terrashot.mapping.finish import Finisher, finished_files
from terrashot.mapping.job import SceneJob
from terrashot.mapping.ledger import Ledger, scene_digest
from terrashot.mapping.mapper import SceneMapper
from terrashot.mapping.plan import WindowPlan, check_window
from terrashot.mapping.rows import RowStore
from terrashot.mapping.scene import Scene
from terrashot.mapping.scene_products import SceneProducts
from terrashot.mapping.targets import Inputs, Target, check_targets
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.even_upsampling import upsample_evenly
from terrashot.model.folded_norm import fold_batch_norms
from terrashot.model.local_norm import normalise_locally
from terrashot.model.onnx_engine import OnnxModel
from terrashot.model.views import Views, own_views
from terrashot.networks.segmenter import Segmenter

_FORMAT = 3
"""Raised when the same settings would give another map."""


@dataclass(frozen=True)
class WindowOptions:
    """How scenes are cut into windows and put together again.

    Args:
        window: Side of a window in pixels, a multiple of 32.
        overlap: Of neighbouring windows, a multiple of 32 up to half a window.
        norm_side: Group normalisation looks at a square of this side; None: at the whole window.
        views: ``plain``, ``mirror``, ``flips`` or ``dihedral``; None: those that the model was
            scored with.
        batch_size: Windows at once.
        ahead: Batches read ahead.
        requests: What is asked of a remote scene at once.
        engine: What computes the network: ``torch``, ``onnxruntime``, or ``auto``: the latter for
            scenes that are large enough to gain by it.

    Raises:
        ConfigError: a value that can't be.
    """

    window: int = 1024
    overlap: int = 256
    norm_side: int | None = 256
    views: str | None = None
    batch_size: int = 1
    ahead: int = 4
    requests: int = 8
    engine: str = AUTO

    def __post_init__(self) -> None:
        """Check the values."""
        check_window(self.window, self.overlap)
        for key in ("batch_size", "ahead", "requests"):
            if getattr(self, key) < 1:
                raise ConfigError(f"mapping.{key} is {getattr(self, key)}; it must be 1 or more.")
        if self.views is not None:
            Views(self.views)
        if self.engine not in ENGINES:
            raise ConfigError(f"mapping.engine is '{self.engine}'; choose {', '.join(ENGINES)}.")


@dataclass(frozen=True)
class MapRequest:
    """Everything that the maps depend on, and where they go.

    Args:
        model: Maps; changed in place by ``prepare_model``.
        name: Of its file, for the maps' metadata.
        digest: SHA-256 that tells it from every other model.
        scenes: The scenes, looked at.
        output: The folder of the maps.
        layers: What is kept of the probabilities.
        options: The windows.
        products: What is made beside the maps.
        rules: The settings of the rules that mend them, plain values.
        files: What is read beside the scenes and their masks: the file of the model.
    """

    model: AdaptedModel
    name: str
    digest: str
    scenes: Sequence[Scene]
    output: Path
    layers: Layers
    options: WindowOptions
    products: SceneProducts
    rules: dict[str, Any] | None = None
    files: Sequence[Path] = ()

    @property
    def views(self) -> str:
        """The views, the model's own where none are asked for."""
        return self.options.views or own_views(self.model.inference)

    @cached_property
    def captured(self) -> OnnxModel:
        """The model as ONNX Runtime computes it, made when it is first needed."""
        return OnnxModel(self.model)

    def check(self) -> None:
        """Look at the folder and at what goes beside the maps, before anything is computed.

        Raises:
            ConfigError: classes that don't go with the model; a file that would be written over
                an input, over that of another scene, or over one that no run has made.
            DataError: no space, or an external mask is missing.
        """
        ledger = Ledger(self.output)
        rasters = [*(scene.path for scene in self.scenes), *self.products.masks(self.scenes)]
        check_targets(self._targets(ledger), Inputs(rasters, self.files), ledger)
        check_output(self.output, self.scenes, self.layers)
        self.products.check(self.scenes)

    def begin(self, ledger: Ledger, left: Sequence[SceneJob]) -> None:
        """Say in the folder whose files are coming, and clear away rows of other settings.

        Of several processes the first one does it, alone.
        """
        files = {t.path: t.scene.stem for t in self._targets(ledger) if not t.inside}
        ledger.claim(files)
        for job in left:
            ledger.forget_others(job.output.stem, job.digest)

    def jobs(
        self, ledger: Ledger, precision: str, notice: Callable[[str], object]
    ) -> list[SceneJob]:
        """A job a scene, in order; one with the digest of a finished map need not be run.

        Where ``mapping.engine=auto`` would let ONNX Runtime compute a network that it can't, the
        jobs are those of PyTorch.

        Args:
            ledger: Of the folder.
            precision: ``32-true`` or ``bf16-mixed``.
            notice: Is told why PyTorch computes what ONNX Runtime was to.
        """
        jobs = self._jobs(ledger, precision, self.options.engine)
        if self.options.engine != AUTO:
            return jobs
        left = [j for j in jobs if not ledger.is_finished(j.output.stem, j.digest)]
        shapes = dict.fromkeys(self._windows(job) for job in left if job.engine == ONNX)
        try:
            for shape in shapes:
                self.captured.capture(shape)
        except ConfigError as error:
            why = one_line(error.__cause__ or error)
            notice(f"mapping.engine=auto: PyTorch, since ONNX can't capture this network ({why})")
            return self._jobs(ledger, precision, TORCH)
        return jobs

    def _jobs(self, ledger: Ledger, precision: str, engine: str) -> list[SceneJob]:
        # All that changes a pixel of the rasters; what else is made of them can be made later.
        settings = {
            "format": _FORMAT,
            "model": self.digest,
            "precision": precision,
            "layers": asdict(self.layers),
            "postprocess": self.rules,
            **{f.name: getattr(self.options, f.name) for f in fields(self.options)},
            "views": self.views,
        }
        del settings["ahead"], settings["requests"]
        jobs = []
        for scene in self.scenes:
            windows = WindowPlan.of(
                scene.height, scene.width, self.options.window, self.options.overlap
            )
            chosen = scene_engine(engine, windows, self.views)
            digest = scene_digest(scene, settings | {"engine": chosen})
            store = RowStore(ledger.rows(scene.path.stem, digest), windows)
            jobs.append(SceneJob(scene, windows, store, self._class_map(scene), digest, chosen))
        return jobs

    def mapper(self, jobs: Sequence[SceneJob], ledger: Ledger) -> SceneMapper:
        """What computes these jobs."""
        tags = {"SOFTWARE": "terrashot", "MODEL": self.name, **self.products.marks}
        known = self.model.calibration
        marks = {"CALIBRATED": "no" if known.temperature is None else "yes"}
        marks["CALIBRATION"] = known.describe()
        finish = Finisher(
            self.model.taxonomy, self.layers, tags, self.products.makers, self.products.mend, marks
        )
        captured = self.captured if any(job.engine == ONNX for job in jobs) else None
        return SceneMapper(
            self.model,
            jobs,
            ledger,
            finish,
            self.layers,
            Views(self.views),
            self.options.batch_size,
            self.options.ahead,
            self.options.requests,
            known,
            captured,
        )

    def _windows(self, job: SceneJob) -> tuple[int, int, int, int]:
        """The shape of a full batch of a scene."""
        rows, columns = job.plan.rows, job.plan.columns
        batch = min(self.options.batch_size, len(columns))
        return batch, self.model.spec.channels, rows.size, columns.size

    def _class_map(self, scene: Scene) -> Path:
        return self.output / f"{scene.path.stem}.tif"

    def _targets(self, ledger: Ledger) -> list[Target]:
        found = []
        for scene in self.scenes:
            class_map = self._class_map(scene)
            files = finished_files(class_map, self.layers) + self.products.files(class_map)
            found += [Target(path, scene.path) for path in files]
            kept = ledger.files(scene.path.stem)
            found += [Target(path, scene.path, inside=True) for path in kept]
        return found


def prepare_model(model: AdaptedModel, options: WindowOptions) -> None:
    """Let a model see each window as a part of the scene, and quickly; it is changed in place.

    Its weights are not those of its file any more: it is there to map.

    Raises:
        ConfigError: ``norm_side`` is too small.
    """
    for part in list(model.children()):
        if isinstance(part, Segmenter):
            fold_batch_norms(part)
    normalise_locally(model, options.norm_side)
    upsample_evenly(model)
