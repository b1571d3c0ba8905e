"""Mapping from settings to georeferenced files and the closing table."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from terrashot.app.build import build_trainer
from terrashot.app.console import run_console
from terrashot.app.hardware import resolve_accelerator, resolve_precision
from terrashot.app.run_folder import RunFolder
from terrashot.app.scene_products import SceneProducts
from terrashot.app.settings import MappingSettings, Settings
from terrashot.callbacks.console_progress import console_progress
from terrashot.errors import CheckpointError, ConfigError
from terrashot.files import file_digest, write_json
from terrashot.mapping.blending import Layers
from terrashot.mapping.checks import check_output, check_scenes, class_ids
from terrashot.mapping.finish import Finisher
from terrashot.mapping.job import SceneJob
from terrashot.mapping.ledger import Ledger, scene_digest
from terrashot.mapping.plan import WindowPlan, check_window
from terrashot.mapping.radiometry import parse_scale
from terrashot.mapping.rows import RowStore
from terrashot.mapping.scene import Scene
from terrashot.model.adapted_file import find_adapted_file, load_adapted_model
from terrashot.model.adapted_model import AdaptedModel
from terrashot.model.even_upsampling import upsample_evenly
from terrashot.model.local_norm import normalise_locally
from terrashot.model.views import Views
from terrashot.reporting.map_table import map_table
from terrashot.reporting.run_summary import short_path
from terrashot.tasks.scene_mapping import SceneMapping, describe_failures

_FORMAT = 2
"""Raised when the same settings would give another map."""


@dataclass(frozen=True)
class _Plan:
    """What a run needs, all of it looked at."""

    model: AdaptedModel
    checkpoint: Path
    scenes: list[Scene]
    output: Path
    layers: Layers
    mapping: MappingSettings
    products: SceneProducts


def check_mapping(settings: Settings) -> None:
    """Raise a TerrashotError for the first thing that can't work."""
    _prepare(settings)


def run_scene_mapping(settings: Settings, folder: RunFolder) -> None:
    """Map the scenes that have no map yet with these settings."""
    accelerator = resolve_accelerator(settings.trainer.accelerator)
    if settings.trainer.precision == "auto" and accelerator == "cpu":
        # Half precision has to be asked for where a map is to be the same on every machine.
        settings = replace(settings, trainer=replace(settings.trainer, precision="32-true"))
    precision = resolve_precision(settings.trainer.precision, accelerator)
    plan = _prepare(settings)
    ledger = Ledger(plan.output)
    jobs = _jobs(plan, ledger, precision, settings.postprocess)
    left = [j for j in jobs if not ledger.is_finished(j.output.stem, j.digest)]
    module = SceneMapping(
        plan.model,
        left,
        ledger,
        Finisher(
            plan.model.taxonomy,
            plan.layers,
            {"SOFTWARE": "terrashot", "MODEL": plan.checkpoint.name, **plan.products.marks},
            plan.products.makers,
            plan.products.mend,
        ),
        plan.layers,
        Views(plan.mapping.views),
        plan.mapping.batch_size,
        plan.mapping.ahead,
    )
    trainer = build_trainer(settings, folder, [], [console_progress()])
    console = run_console(trainer)
    if trainer.is_global_zero:
        for job in left:
            ledger.forget_others(job.output.stem, job.digest)
    _announce(console, settings, plan, jobs, left, f"{accelerator}, {precision}")
    if trainer.is_global_zero:
        plan.products.complete([j for j in jobs if j not in left], ledger, console)
    trainer.predict(module, return_predictions=False, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if trainer.is_global_zero:
        rules = plan.products.rules
        external = rules is not None and rules.external_masks
        _report(console, folder, ledger, jobs, left, module, external)


def _prepare(settings: Settings) -> _Plan:
    mapping = settings.mapping
    assert mapping is not None
    if settings.input.path is None or settings.output.path is None:
        missing = "input" if settings.input.path is None else "output"
        raise ConfigError(
            f"{missing} has no value. A mapping run needs scenes and a folder for their maps: "
            "python run.py experiment=predict ckpt=ADAPTED input=PATH output=FOLDER."
        )
    check_window(mapping.window, mapping.overlap)
    for key in ("batch_size", "ahead"):
        if getattr(mapping, key) < 1:
            raise ConfigError(f"mapping.{key} is {getattr(mapping, key)}; it must be 1 or more.")
    Views(mapping.views)
    scale = parse_scale(settings.input.scale)
    if settings.checkpoint is None:
        raise CheckpointError(
            "A mapping run needs an adapted model: ckpt=RUN_FOLDER or ckpt=FILE. `python run.py "
            "experiment=adapt` makes one from a stage-1 run and the support tiles."
        )
    checkpoint = find_adapted_file(settings.checkpoint)
    model = load_adapted_model(checkpoint)
    normalise_locally(model, mapping.norm_side)
    upsample_evenly(model)
    probabilities = class_ids(settings.output.probabilities, model.taxonomy)
    layers = Layers(settings.output.confidence, probabilities)
    scenes = check_scenes(settings.input.path, settings.input.bands, scale)
    output = Path(settings.output.path)
    check_output(output, scenes, layers)
    products = SceneProducts(settings, model.taxonomy)
    products.check(scenes)
    return _Plan(model, checkpoint, scenes, output, layers, mapping, products)


def _jobs(
    plan: _Plan, ledger: Ledger, precision: str, rules: dict[str, Any] | None
) -> list[SceneJob]:
    mapping = plan.mapping
    # All that changes a pixel of the rasters; what else is made of them can be made later.
    settings = {
        "format": _FORMAT,
        "model": file_digest(plan.checkpoint),
        "precision": precision,
        "layers": asdict(plan.layers),
        "postprocess": rules,
        **{
            k: getattr(mapping, k)
            for k in ("window", "overlap", "norm_side", "views", "batch_size")
        },
    }
    jobs = []
    for scene in plan.scenes:
        digest = scene_digest(scene, settings)
        windows = WindowPlan.of(scene.height, scene.width, mapping.window, mapping.overlap)
        store = RowStore(ledger.rows(scene.path.stem, digest), windows)
        output = plan.output / f"{scene.path.stem}.tif"
        jobs.append(SceneJob(scene, windows, store, output, digest))
    return jobs


def _announce(
    console: Console,
    settings: Settings,
    plan: _Plan,
    jobs: list[SceneJob],
    left: list[SceneJob],
    device: str,
) -> None:
    pixels = sum(job.scene.pixels for job in left)
    done = f", {len(jobs) - len(left)} of them finished already" if len(left) < len(jobs) else ""
    line = (
        f"{len(jobs)} scene(s){done}; {pixels / 1e6:.1f} Mpx to map with {plan.checkpoint} "
        f"on {settings.processes} x {device}"
    )
    console.print(line, highlight=False, soft_wrap=True)
    plan.products.describe(console)
    for job in left:
        rows = len(job.plan.rows)
        kept = rows - len(job.store.pending())
        if kept:
            text = f"{job.scene.path.name}: goes on, {kept} of {rows} rows of windows are done"
            console.print(text, highlight=False, soft_wrap=True)
        if job.scene.crs is None:
            console.print(
                f"{job.scene.path.name} has no reference system: its map keeps pixel coordinates",
                style="yellow",
                highlight=False,
                soft_wrap=True,
            )


def _report(
    console: Console,
    folder: RunFolder,
    ledger: Ledger,
    jobs: list[SceneJob],
    left: list[SceneJob],
    module: SceneMapping,
    external_masks: bool,
) -> None:
    notes: list[dict[str, Any]] = []
    missing: list[Path] = []
    for job in jobs:
        stem = job.output.stem
        if not ledger.is_finished(stem, job.digest):
            missing.append(job.scene.path)
            continue
        note = ledger.note(stem) or {}
        notes.append({**note, "skipped": job not in left})
    seconds = {k: round(v, 2) for k, v in module.clock.seconds().items()}
    output = str(ledger.output)
    results: dict[str, Any] = {
        "output": output,
        "scenes": notes,
        "stage_seconds": seconds,
        "external_masks": external_masks,
    }
    if missing:
        results["missing"] = {str(p): module.failures.get(p, "see the log") for p in missing}
    write_json(folder.results, results)
    console.print(map_table(notes))
    console.print(f"maps in {short_path(ledger.output)}", highlight=False, soft_wrap=True)
    if missing:
        raise describe_failures(module.failures, missing, len(jobs))
