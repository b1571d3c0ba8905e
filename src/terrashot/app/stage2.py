"""Stage 2 from settings to results.json and the closing table."""

from typing import Any

from terrashot.app.build import (
    build_data,
    build_feature_cache,
    build_part,
    build_trainer,
)
from terrashot.app.console import announce, run_console
from terrashot.app.joint import build_joint
from terrashot.app.loggers import build_loggers
from terrashot.app.postprocess import build_postprocess, rule_results, rule_rows
from terrashot.app.results import without_nan, write_results
from terrashot.app.run_folder import RunFolder
from terrashot.app.run_report import try_report
from terrashot.app.settings import Settings
from terrashot.app.stage1_checkpoint import stage1_checkpoint
from terrashot.callbacks.console_progress import console_progress
from terrashot.callbacks.prediction_panels import PredictionPanels
from terrashot.callbacks.score_report import report_rules, report_scores, report_similarity
from terrashot.reporting.class_table import class_table
from terrashot.reporting.rule_table import rule_table
from terrashot.reporting.run_summary import print_run_summary
from terrashot.tasks.checkpoint import load_base_model
from terrashot.tasks.novel_adaptation import NovelAdaptation
from terrashot.tasks.query_counts import QueryStore
from terrashot.tasks.query_maps import QueryMaps


def run_novel_adaptation(settings: Settings, folder: RunFolder) -> None:
    """Adapt to the support set and score the queries, leaving out those that are done."""
    data = build_data(settings)
    taxonomy = data.taxonomy
    path = stage1_checkpoint(settings)
    folder.update_info(checkpoint=str(path.resolve()))
    base = load_base_model(path, taxonomy)
    data.feature_cache = build_feature_cache(settings, path, base.segmenter.stride)
    rules = build_postprocess(settings)
    maps = folder.path / "maps" if settings.adaptation.save_maps else None
    module = NovelAdaptation(
        segmenter=base.segmenter,
        adapter=_build_adapter(settings),
        taxonomy=taxonomy,
        store=QueryStore(folder.path / "queries"),
        feature_stride=settings.adaptation.feature_stride,
        align_corners=settings.adaptation.align_corners,
        seed=settings.seed,
        base_weight=settings.adaptation.base_weight,
        novel_weight=settings.adaptation.novel_weight,
        inference=build_part("inference", settings.inference),
        storage=settings.adaptation.storage,
        joint=build_joint(settings),
        maps=QueryMaps(taxonomy, data.eval_transform, rules, maps),
    )
    callbacks = [
        console_progress(),
        PredictionPanels(
            folder.path, taxonomy, settings.adaptation.panels, read_image=data.query_image
        ),
    ]
    trainer = build_trainer(settings, folder, build_loggers(settings, folder), callbacks)
    console = run_console(trainer)
    announce(console, settings, folder)
    console.print(f"stage-1 network: {path}", highlight=False, soft_wrap=True)
    trainer.test(module, data, verbose=False, weights_only=True)
    if not trainer.is_global_zero:
        return
    result = module.result
    references = {"base model": result.base_scores}
    report_scores(
        trainer.loggers, folder.path, result.confusion, taxonomy, "test", result.queries, references
    )
    after_rules = rule_results(rules, result.rules, settings, taxonomy)
    if after_rules:
        report_rules(trainer.loggers, rule_rows(after_rules), result.queries)
    external = rules is not None and rules.external_masks
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
    extra: dict[str, Any] = {
        "base_model": without_nan(result.base_scores.as_metrics("test", taxonomy)),
        "queries": result.queries,
        "seconds_per_query": result.seconds_per_query,
        "adaptation_seconds_per_query": result.adaptation_seconds_per_query,
        "diverged_queries": result.diverged,
        "method": (settings.method or {}).get("name"),
        "protocol": "joint" if settings.adaptation.joint else "per query",
        "external_masks": external,
        "postprocess": after_rules,
        "data": {"name": settings.data.name, "split": settings.data.split},
        "checkpoint": str(path),
    }
    similarity = getattr(module.adapter, "similarity", None)
    if similarity is not None:
        name = str((settings.similarity or {})["_target_"]).rpartition(".")[2]
        report_similarity(trainer.loggers, folder.path, similarity, taxonomy, name)
        extra["similarity"] = {"name": name, "matrix": similarity.tolist()}
    write_results(folder, metrics, result.confusion, taxonomy, extra)
    report = try_report(folder, data, console)
    title = f"{settings.data.name} {settings.data.split}: {result.queries} query tiles"
    title += ", with external masks" if external else ""
    console.print(class_table(result.scores, taxonomy, title, references))
    if after_rules:
        console.print(rule_table(rule_rows(after_rules)))
    if result.diverged:
        console.print(
            f"the adaptation diverged on {result.diverged} of {result.queries} queries: the "
            "published step size is too large for these features; method=classtrans is scaled",
            style="yellow",
            highlight=False,
        )
    console.print(f"{result.seconds_per_query:.2f} s a query", highlight=False)
    label = "test/weighted_miou" + (" with external masks" if external else "")
    print_run_summary(console, label, result.scores.weighted_miou, folder.path, report=report)


def _build_adapter(settings: Settings) -> Any:  # noqa: ANN401 - what the method's _target_ names
    parts = {
        group: build_part(group, getattr(settings, group))
        for group in ["similarity", "transition", "loss", "transduction", "solver"]
    }
    return build_part("method", settings.method, **parts)
