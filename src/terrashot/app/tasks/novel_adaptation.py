"""Stage 2: adapt to the novel classes, query by query, and score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from terrashot.app.tasks.seen_network import second_files, second_of, seen_network
from terrashot.errors import ConfigError
from terrashot.model.method_settings import PARTS
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import check_novel_classes, taxonomy_of
from terrashot.tasks.settings.runs import StageTwoSettings
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.adaptation.joint import JointSelfTraining
    from terrashot.taxonomy import Taxonomy

_SCORES = {"base": "test/base_miou", "novel": "test/novel_miou", "weighted": "test/weighted_miou"}
# Parts that are made from numbers alone, so that they can be tried before the run.
_LIGHT = ("loss", "solver", "transition", "transduction", "inference")


@dataclass
class NovelAdaptationSettings(StageTwoSettings):
    """Settings of stage 2."""

    guidance: dict[str, Any] | None = None


class NovelAdaptationTask(Task[Any]):
    """Adaptation to the novel classes, query by query."""

    name = "novel_adaptation"
    experiment = "stage2"
    settings: ClassVar[type[StageTwoSettings]] = NovelAdaptationSettings
    tiles = ("support", "query")
    needs_stage1 = True
    trains = False

    def check(self, settings: StageTwoSettings, bench: Bench) -> None:
        """There must be something to learn, and the post-processing must go with the classes."""
        check_novel_classes(settings)
        build_joint(settings)
        second_of(settings.adaptation)
        for group in _LIGHT:
            bench.build(group)  # each refuses numbers out of its range
        if settings.postprocess is not None:
            from terrashot.app.tasks.evaluation_results import check_postprocess

            check_postprocess(settings, bench)

    def inputs(self, settings: StageTwoSettings, bench: Bench) -> Sequence[Path]:
        """The weights of a second encoder too."""
        return [*super().inputs(settings, bench), *second_files(settings.adaptation)]

    def metrics(self, settings: StageTwoSettings) -> list[str]:
        """Scores over all query tiles."""
        scores = ["base", "novel", "weighted", "mean", "harmonic"]
        known = [f"test/{s}_miou" for s in scores]
        names = taxonomy_of(settings).names
        return [*known, "test/pixel_accuracy", *(f"test/iou/{c}" for c in names)]

    def sweep_score(self, settings: StageTwoSettings) -> str:
        """The challenge's score."""
        return "weighted"

    def sweep_scores(
        self, settings: StageTwoSettings, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Base, novel and weighted mIoU."""
        return {name: results["metrics"].get(key) for name, key in _SCORES.items()}

    def run(self, settings: Any, run: Run) -> None:  # noqa: ANN401 - of this task or a later one
        """Adapt to the support set and score the queries, leaving out those that are done."""
        from terrashot.app.tasks.evaluation_results import (
            publish_rounds,
            publish_scores,
            publish_similarity,
            publish_transition,
        )
        from terrashot.callbacks.prediction_panels import PredictionPanels
        from terrashot.data.datamodule import FewShotDataModule
        from terrashot.model.stage1_file import load_base_model
        from terrashot.tasks.novel_adaptation import NovelAdaptation
        from terrashot.tasks.query_counts import QueryStore
        from terrashot.tasks.query_maps import QueryMaps

        adaptation = settings.adaptation
        data = FewShotDataModule(**run.tiles())
        taxonomy = data.taxonomy
        path = run.stage1_checkpoint()
        run.update_info(checkpoint=str(path.resolve()))
        base = load_base_model(path, taxonomy)
        segmenter, lines = seen_network(base, adaptation.features, second_of(adaptation))
        data.feature_cache = run.feature_cache(path, segmenter)
        rules = run.build("postprocess")
        maps = run.path / "maps" if adaptation.save_maps else None
        method = build_method(run, taxonomy, adaptation.balance)
        joint = build_joint(settings)
        if settings.guidance is not None:
            method = run.build("guidance", method=method)
        module = NovelAdaptation(
            segmenter=segmenter,
            method=method,
            taxonomy=taxonomy,
            store=QueryStore(run.path / "queries"),
            feature_stride=adaptation.feature_stride,
            align_corners=adaptation.align_corners,
            seed=settings.seed,
            base_weight=adaptation.base_weight,
            novel_weight=adaptation.novel_weight,
            inference=run.build("inference"),
            storage=adaptation.storage,
            joint=joint,
            maps=QueryMaps(taxonomy, data.eval_transform, rules, maps),
            # A head that is the same for all queries gains nothing from holding several of them.
            queries_per_pass=adaptation.queries_per_pass if uses_query(run) and not joint else 1,
        )
        panels = PredictionPanels(
            run.path, taxonomy, adaptation.panels, data.query_image, data.spec
        )
        run.start(panels, trains=False)
        for line in lines:
            run.say(line)
        run.test(module, data)
        if not run.is_first:
            return
        publish_scores(
            run,
            data,
            module.result,
            rules,
            protocol="joint" if joint else "per query",
            joint=publish_rounds(run, joint, taxonomy),
            checkpoint=str(path),
            similarity=publish_similarity(run, module.method, taxonomy),
            transition=publish_transition(run, module.store, taxonomy),
        )


def build_method(bench: Bench, taxonomy: "Taxonomy", balance: bool) -> Any:  # noqa: ANN401 - named by _target_
    """The stage-2 method with its parts, for these classes."""
    from terrashot.adaptation.methods.refined import refined

    parts = {part: bench.build(part) for part in PARTS}
    return refined(
        bench.build("method", **parts),
        parts["transduction"],
        balance=balance,
        complete=taxonomy.complete,
    )


def uses_query(bench: Bench) -> bool:
    """Whether unlabelled pixels have a say in the head of stage 2."""
    transduction = bench.build("transduction")
    return transduction is not None and bool(transduction.uses_query)


def build_joint(settings: StageTwoSettings) -> "JointSelfTraining | None":
    """Joint self-training, where ``adaptation.joint`` asks for it.

    Raises:
        ConfigError: an unknown setting, or several processes, each of which sees its own queries.
    """
    from terrashot.adaptation.joint import JointSelfTraining

    joint = settings.adaptation.joint
    if joint is None:
        return None
    if settings.processes > 1:
        raise ConfigError(
            f"adaptation.joint learns from all queries in one process, but there are "
            f"{settings.processes}. Set trainer.devices=1 trainer.num_nodes=1 strategy=single."
        )
    try:
        return JointSelfTraining(**joint)
    except TypeError as error:
        raise ConfigError(
            f"adaptation.joint: {error}. It has rounds, share, pixels, limit and seed, for example "
            "adaptation.joint={rounds: 2}."
        ) from error
