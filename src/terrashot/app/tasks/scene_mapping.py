"""Mapping whole scenes with an adapted model: georeferenced files and the closing table."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.app.tasks.cluster_mapping import (
    ClusterSettings,
    check_cluster,
    cluster_accelerator,
    map_on_cluster,
)
from terrashot.app.tasks.mapping_report import announce, report, write_project
from terrashot.app.tasks.scene_input import InputSettings
from terrashot.errors import CheckpointError, ConfigError
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.settings.field import setting
from terrashot.tasks.settings.runs import RunSettings
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.mapping.request import MapRequest


@dataclass
class OutputSettings:
    """``output``: the maps; ``output=FOLDER`` sets the path."""

    path: str | None = setting(None, path=True)
    confidence: bool = False
    probabilities: list[str] = field(default_factory=list)
    picture: bool = True
    style: bool = True
    areas: bool = True
    project: bool = True
    polygons: bool = False
    minimum_mapping_unit: float | None = setting(
        None,
        above=0,
        why="an area: square metres of a projected scene, otherwise pixels; null for none",
    )


@dataclass
class MappingSettings:
    """``configs/mapping``: how scenes are cut into windows and put together again."""

    window: int = setting(1024, at_least=1)
    overlap: int = setting(256, at_least=0)
    norm_side: int | None = setting(256, at_least=1)
    views: str | None = None
    batch_size: int = setting(1, at_least=1)
    ahead: int = setting(4, at_least=1)
    requests: int = setting(8, at_least=1, at_most=256)
    engine: str = setting("auto", choices=("auto", "torch", "onnxruntime"))


@dataclass
class SceneMappingSettings(RunSettings):
    """Settings of a mapping run."""

    checkpoint: str | None = setting(None, path=True)
    input: InputSettings = field(default_factory=InputSettings)
    output: OutputSettings = field(default_factory=OutputSettings)
    mapping: MappingSettings = field(default_factory=MappingSettings)
    postprocess: dict[str, Any] | None = setting(None, path=("rules.*.folder",))
    cluster: ClusterSettings | None = setting(None, neutral=True)


class SceneMappingTask(Task[SceneMappingSettings]):
    """Georeferenced maps of whole scenes with an adapted model or a stage-1 network."""

    name = "scene_mapping"
    experiment = "predict"
    settings = SceneMappingSettings
    trains = False

    def check(self, settings: SceneMappingSettings, bench: Bench) -> None:
        """Engine, checkpoint, all scenes and the output folder, before anything is computed."""
        check_cluster(settings.cluster, settings.processes)
        _request(settings, bench)

    def metrics(self, settings: SceneMappingSettings) -> list[str]:
        """None: a scene has no labels."""
        return []

    def sweep_score(self, settings: SceneMappingSettings) -> str:
        """None, so that there is nothing to compare.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "experiment=predict maps scenes without labels, which have no score that a multirun "
            "could compare. Map them with one command, without -m; input takes a folder or a glob."
        )

    def run(self, settings: SceneMappingSettings, run: Run) -> None:
        """Map the scenes that have no map yet with these settings."""
        from terrashot.mapping.ledger import Ledger
        from terrashot.tasks.scene_mapping import SceneMapping

        accelerator, precision = _hardware(settings)
        settings.trainer = replace(settings.trainer, precision=precision)
        request = _request(settings, run)
        ledger = Ledger(request.output)
        jobs = request.jobs(ledger, precision, run.say)
        left = [j for j in jobs if not ledger.is_finished(j.output.stem, j.digest)]
        cluster = settings.cluster
        trainer = None if cluster is not None else run.start(trains=False)
        first = cluster is not None or run.is_first
        if first:
            request.begin(ledger, left)
        processes = settings.processes if cluster is None else cluster.workers
        engines = " and ".join(dict.fromkeys(job.engine for job in left)) or request.options.engine
        device = f"{processes} x {accelerator}, {precision}, {engines}"
        announce(run, str(settings.checkpoint), device, request, jobs, left)
        if first:
            finished = [j for j in jobs if j not in left]
            request.products.complete(finished, ledger, run.console.print)
        if trainer is None:
            assert cluster is not None
            failures, seconds = map_on_cluster(run, cluster, request, left, accelerator, precision)
        else:
            mapper = request.mapper(left, ledger)
            trainer.predict(SceneMapping(mapper), return_predictions=False, weights_only=True)
            if trainer.interrupted:
                raise KeyboardInterrupt
            failures, seconds = mapper.failures, mapper.clock.seconds()
        if first:
            if settings.output.project and ledger.finished():
                write_project(run, ledger)
            rules = request.products.rules
            outside = rules is not None and rules.external_masks
            report(run, ledger, jobs, left, failures, seconds, outside)


def _hardware(settings: SceneMappingSettings) -> tuple[str, str]:
    """Accelerator and precision of the run."""
    from terrashot.app.run.build import resolve_accelerator
    from terrashot.model.precision import map_precision

    if settings.cluster is not None:
        accelerator = cluster_accelerator(settings.cluster, settings.trainer.accelerator)
    else:
        accelerator = resolve_accelerator(settings.trainer.accelerator)
    return accelerator, map_precision(settings.trainer.precision, accelerator)


def _request(settings: SceneMappingSettings, bench: Bench) -> "MapRequest":
    """Everything that the maps depend on, all of it looked at."""
    from terrashot.data.imagery import parse_scale
    from terrashot.files import file_digest
    from terrashot.mapping.blending import Layers
    from terrashot.mapping.checks import check_scenes, class_ids
    from terrashot.mapping.engine import resolve_engine
    from terrashot.mapping.products import ProductOptions
    from terrashot.mapping.request import MapRequest, WindowOptions, prepare_model
    from terrashot.mapping.scene_products import SceneProducts
    from terrashot.model.base_head import load_network
    from terrashot.model.find import find_model_file

    output = settings.output
    if settings.input.path is None or output.path is None:
        missing = "input" if settings.input.path is None else "output"
        raise ConfigError(
            f"{missing} has no value. A mapping run needs scenes and a folder for their maps: "
            "python run.py experiment=predict ckpt=MODEL input=PATH output=FOLDER."
        )
    accelerator, precision = _hardware(settings)
    engine = resolve_engine(settings.mapping.engine, precision, accelerator)
    options = WindowOptions(**asdict(settings.mapping) | {"engine": engine})
    scale = parse_scale(settings.input.scale, "input.scale")
    if settings.checkpoint is None:
        raise CheckpointError(
            "A mapping run needs a model: ckpt=RUN_FOLDER or ckpt=FILE, an adapted one or a "
            "stage-1 network, which maps its base classes. `python run.py experiment=adapt` adapts "
            "a stage-1 network to the novel classes of the support tiles."
        )
    checkpoint = find_model_file(settings.checkpoint, Path(settings.paths.logs))
    model = load_network(checkpoint)
    prepare_model(model, options)
    chosen = ProductOptions(
        output.style, output.areas, output.polygons, output.minimum_mapping_unit
    )
    rules = bench.build("postprocess")
    request = MapRequest(
        model=model,
        name=checkpoint.name,
        digest=file_digest(checkpoint),
        layers=Layers(output.confidence, class_ids(output.probabilities, model.taxonomy)),
        scenes=check_scenes(settings.input.path, model.spec, settings.input.bands, scale),
        output=Path(output.path),
        options=options,
        products=SceneProducts(model.taxonomy, chosen, output.picture, rules),
        rules=settings.postprocess,
        files=[checkpoint],
    )
    request.check()
    return request
