"""Adapt once: one head for all maps, kept in a file that maps without the support set."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.app.tasks.drawn_support import (
    DrawnSettings,
    DrawnSupport,
    check_drawn,
    drawn_support,
)
from terrashot.app.tasks.novel_adaptation import (
    NovelAdaptationTask,
    build_joint,
    build_method,
    uses_query,
)
from terrashot.app.tasks.scene_input import (
    InputSettings,
    check_unlabelled,
    input_joint,
    unlabelled_tiles,
)
from terrashot.app.tasks.seen_network import second_of, seen_network
from terrashot.errors import ConfigError
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import taxonomy_of
from terrashot.tasks.scenes import SCENES
from terrashot.tasks.settings.field import setting
from terrashot.tasks.settings.runs import StageTwoSettings

if TYPE_CHECKING:
    from terrashot.data.datamodule import FewShotDataModule


@dataclass
class SampleSettings:
    """``adapt``: what is drawn from the scenes."""

    sample: int = setting(64, at_least=1)
    window: int = setting(512, at_least=1)
    pixels: int = setting(65536, at_least=1)
    evaluate: bool = True
    calibrate: bool = False


@dataclass
class AdaptOnceSettings(StageTwoSettings):
    """Settings of an adaptation to one file."""

    input: InputSettings = field(default_factory=InputSettings)
    adapt: SampleSettings = field(default_factory=SampleSettings)
    support: DrawnSettings = field(default_factory=DrawnSettings)


class AdaptOnceTask(NovelAdaptationTask):
    """One head for all maps, kept in a file."""

    name = "adapt_once"
    experiment = "adapt"
    settings = AdaptOnceSettings
    data_kinds = ("tiles", SCENES)
    # Query tiles are scored where there are any.
    tiles = ("support", "has_labelled_queries")

    def check(self, settings: Any, bench: Bench) -> None:  # noqa: ANN401 - AdaptOnceSettings
        """What learns from unlabelled tiles needs some, and the other way round."""
        drawn = drawn_support(settings, bench)
        if drawn is None:
            super().check(settings, bench)
        if settings.processes > 1:
            raise ConfigError(
                f"experiment=adapt makes one head in one process, but there are "
                f"{settings.processes}. Set trainer.devices=1 trainer.num_nodes=1 strategy=single; "
                "experiment=predict shares the windows of a scene over several devices."
            )
        check_unlabelled(settings, bench)
        if drawn is not None:
            build_joint(settings)
            second_of(settings.adaptation)
            check_drawn(settings, drawn)
            if settings.postprocess is not None:
                from terrashot.app.tasks.evaluation_results import check_postprocess

                check_postprocess(settings, bench)

    def reads(self, settings: Any) -> Sequence[str] | None:  # noqa: ANN401 - AdaptOnceSettings
        """Support and query tiles; where labels are drawn, ``check`` looks for what is read."""
        return self.tiles if settings.support.labels is None else None

    def inputs(self, settings: Any, bench: Bench) -> Sequence[Path]:  # noqa: ANN401 - as above
        """Layers and images of drawn labels too."""
        drawn = drawn_support(settings, bench)
        return [*super().inputs(settings, bench), *(drawn.labels.files() if drawn else [])]

    def scores_queries(self, settings: Any) -> bool:  # noqa: ANN401 - AdaptOnceSettings
        """Unless it is told not to."""
        return bool(settings.adapt.evaluate)

    def run(self, settings: Any, run: Run) -> None:  # noqa: ANN401 - AdaptOnceSettings
        """Make ``adapted.ckpt``, unless an interrupted run has, and score it."""
        from terrashot.callbacks.prediction_panels import PredictionPanels
        from terrashot.data.datamodule import FewShotDataModule
        from terrashot.model.adapted_file import FILE_NAME, load_adapted_model
        from terrashot.reporting.run_summary import short_path

        drawn = drawn_support(settings, run)
        unscored = None if drawn is None else drawn.unscored
        data = None
        if unscored is None:
            data = FewShotDataModule(**run.tiles())
            data.prepare_data()
        checkpoint = run.stage1_checkpoint()
        run.update_info(checkpoint=str(checkpoint.resolve()))
        panels = []
        if data is not None:
            count = settings.adaptation.panels
            panels = [PredictionPanels(run.path, data.taxonomy, count, data.query_image, data.spec)]
        run.start(*panels, trains=False)
        if drawn is not None:
            drawn.tell(run)
        file = run.path / FILE_NAME
        if not file.is_file():
            _adapt(settings, run, data, drawn, checkpoint, file)
        # The file is scored, not what is still in memory: the numbers are those of the maps to
        # come.
        model = load_adapted_model(file)
        seconds = model.provenance["seconds"]
        learned = sum(map(len, model.provenance["support"].values()))
        run.say(
            f"adapted in {seconds:.1f} s: {', '.join(c.name for c in model.taxonomy.novel)} "
            f"learned from {learned} {'tiles' if drawn is None else 'windows'}"
        )
        extra = {
            "protocol": "adapt once",
            "checkpoint": str(checkpoint),
            "adaptation_seconds": seconds,
            "diverged": model.provenance["diverged"],
            "similarity": model.provenance["similarity"],
            "file": FILE_NAME,
        }
        following = (
            f"python run.py experiment=predict ckpt={short_path(file)} input=SCENES output=MAPS"
        )
        why = unscored or "no labelled query tiles"
        if not settings.adapt.evaluate:
            why = "adapt.evaluate=false"
        elif data is not None and data.layout.has_labelled_queries:
            data.feature_cache = run.feature_cache(checkpoint, model.segmenter)
            _score(settings, run, data, model, following, extra)
            return
        run.write_results({}, {"method": model.provenance["method"], **extra})
        run.say(f"not scored: {why}\n{short_path(file)}\nnext: {following}")


def _score(
    settings: AdaptOnceSettings,
    run: Run,
    data: "FewShotDataModule",
    model: Any,  # noqa: ANN401 - an AdaptedModel
    following: str,
    extra: dict[str, Any],
) -> None:
    from terrashot.app.tasks.evaluation_results import publish_scores
    from terrashot.tasks.adapted_evaluation import AdaptedEvaluation
    from terrashot.tasks.query_counts import QueryStore
    from terrashot.tasks.query_maps import QueryMaps

    rules = run.build("postprocess")
    maps = run.path / "maps" if settings.adaptation.save_maps else None
    module = AdaptedEvaluation(
        model,
        QueryStore(run.path / "queries"),
        base_weight=settings.adaptation.base_weight,
        novel_weight=settings.adaptation.novel_weight,
        maps=QueryMaps(data.taxonomy, data.eval_transform, rules, maps),
    )
    run.test(module, data)
    publish_scores(run, data, module.result, rules, following, model.calibration, **extra)


def _adapt(
    settings: AdaptOnceSettings,
    run: Run,
    data: "FewShotDataModule | None",
    drawn: DrawnSupport | None,
    checkpoint: Path,
    file: Path,
) -> None:
    """Fit the method and write the file."""
    from terrashot.adaptation.support.storage import storage_type
    from terrashot.adaptation.temperature import Calibration
    from terrashot.app.run.folder import git_revision
    from terrashot.app.tasks.evaluation_results import publish_rounds, publish_similarity
    from terrashot.data.remote.address import without_secrets
    from terrashot.files import file_digest
    from terrashot.model.adapt_once import adapt_once
    from terrashot.model.adapted_file import save_adapted_model
    from terrashot.model.adapted_model import AdaptedModel
    from terrashot.model.drawn_labels import no_contrast, without_contrast
    from terrashot.model.leave_out import left_out_calibration
    from terrashot.model.stage1_file import load_base_model
    from terrashot.model.support_fit import SupportFit
    from terrashot.model.tile_network import TileNetwork, stride_factor

    taxonomy = taxonomy_of(settings) if drawn is None else drawn.taxonomy
    base = load_base_model(checkpoint, taxonomy)
    adaptation = settings.adaptation
    second = second_of(adaptation)
    segmenter, lines = seen_network(base, adaptation.features, second)
    for line in lines:
        run.say(line)
    cache = None
    if data is not None:
        cache = data.feature_cache = run.feature_cache(checkpoint, segmenter)
    device = run.trainer.strategy.root_device
    network = TileNetwork(
        segmenter.eval().requires_grad_(False).to(device),
        device,
        cache,
        run.trainer.precision_plugin.forward_context,
    )
    method = build_method(run, taxonomy, adaptation.balance)
    factor = stride_factor(segmenter, adaptation.feature_stride)
    began = time.perf_counter()
    with run.console.status("adapting", spinner="line"):
        storage = storage_type(adaptation.storage)
        if drawn is None:
            assert data is not None
            fit = SupportFit.of_data(method, network, data, factor, storage, settings.seed)
        else:
            fit = SupportFit(
                method,
                network,
                drawn.windows,
                taxonomy,
                factor,
                storage,
                settings.seed,
                sure=drawn.labels.sure_base(drawn.windows),
            )
        unlabelled = unlabelled_tiles(settings, fit, data)
        joint = input_joint(settings, run)
        adapted = adapt_once(fit, unlabelled, uses_query(run), joint, settings.seed)
    head, seconds = adapted.head, time.perf_counter() - began
    inference, align = run.build("inference"), adaptation.align_corners
    calibration = Calibration(None, "adapt.calibrate=false")
    if settings.adapt.calibrate:
        with run.console.status("calibrating", spinner="line"):
            calibration = left_out_calibration(fit, adapted.query, inference, align, settings.seed)
    calibrating = time.perf_counter() - began - seconds
    run.say(f"confidence {calibration.describe()} ({calibrating:.1f} s)")
    model = AdaptedModel(segmenter, head, taxonomy, inference, align, calibration=calibration)
    if drawn is not None:
        for name in without_contrast(fit.pixels):
            run.say(no_contrast(name), style="yellow")
    info = {
        "method": method.name,
        "stage1": {
            "name": "/".join(checkpoint.resolve().parts[-4:]),  # stage1/DATE/checkpoints/best.ckpt
            "sha256": file_digest(checkpoint),
        },
        **_learned_from(settings, data, drawn),
        "scenes": None if settings.input.path is None else without_secrets(settings.input.path),
        "joint": None if joint is None else joint.settings,
        "rounds": publish_rounds(run, joint, taxonomy),
        "second": None if second is None else second.provenance,
        "feature_stride": factor * segmenter.stride,
        "seed": settings.seed,
        "seconds": round(seconds, 3),
        "diverged": head.diverged,
        "similarity": publish_similarity(run, method, taxonomy),
        "git": git_revision(),
        "run": run.path.name,
    }
    save_adapted_model(file, model, info)


def _learned_from(
    settings: AdaptOnceSettings, data: "FewShotDataModule | None", drawn: DrawnSupport | None
) -> dict[str, Any]:
    """The part of the provenance that names data and support."""
    if drawn is not None:
        return {
            "data": {"name": "vectors", "split": None},
            "support": {c.name: drawn.windows.summary(c.index) for c in drawn.taxonomy.novel},
            "vectors": drawn.labels.provenance(drawn.layer, drawn.windows),
        }
    assert data is not None
    support = data.layout.support
    return {
        "data": {"name": settings.data.name, "split": settings.data.split},
        "support": {c.name: [t.name for t in support[c.index]] for c in data.taxonomy.novel},
    }
