"""What an evaluation on the query tiles leaves behind: results.json, figures, the closing table."""

from typing import Any

from lightning import Trainer
from rich.console import Console

from terrashot.app.postprocess import rule_results, rule_rows
from terrashot.app.results import without_nan, write_results
from terrashot.app.run_folder import RunFolder
from terrashot.app.run_report import try_report
from terrashot.app.settings import Settings
from terrashot.callbacks.score_report import (
    report_rules,
    report_scores,
    report_similarity,
    report_transition,
)
from terrashot.data.datamodule import FewShotDataModule
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.reporting.class_table import class_table
from terrashot.reporting.rule_table import rule_table
from terrashot.reporting.run_summary import print_run_summary
from terrashot.tasks.novel_adaptation import AdaptationResult
from terrashot.tasks.query_counts import QueryStore, average_transition
from terrashot.taxonomy import Taxonomy


def publish_scores(
    settings: Settings,
    folder: RunFolder,
    trainer: Trainer,
    console: Console,
    data: FewShotDataModule,
    result: AdaptationResult,
    rules: PostProcess | None,
    next_command: str | None = None,
    **extra: Any,  # noqa: ANN401 - JSON values
) -> None:
    """Write and print the scores of one evaluation; ``extra`` goes into results.json."""
    taxonomy = data.taxonomy
    references = {"base model": result.base_scores}
    report_scores(
        trainer.loggers, folder.path, result.confusion, taxonomy, "test", result.queries, references
    )
    after_rules = rule_results(rules, result.rules, settings, taxonomy)
    if after_rules:
        report_rules(trainer.loggers, rule_rows(after_rules), result.queries)
    external = rules is not None and rules.external_masks
    content = {
        "base_model": without_nan(result.base_scores.as_metrics("test", taxonomy)),
        "queries": result.queries,
        "seconds_per_query": result.seconds_per_query,
        "adaptation_seconds_per_query": result.adaptation_seconds_per_query,
        "diverged_queries": result.diverged,
        "method": (settings.method or {}).get("name"),
        "external_masks": external,
        "postprocess": after_rules,
        "data": {"name": settings.data.name, "split": settings.data.split},
        **{key: value for key, value in extra.items() if value is not None},
    }
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items()}
    write_results(folder, metrics, result.confusion, taxonomy, content)
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
    print_run_summary(
        console, label, result.scores.weighted_miou, folder.path, next_command, report
    )


def publish_similarity(
    settings: Settings,
    folder: RunFolder,
    trainer: Trainer,
    method: Any,  # noqa: ANN401 - what the method's _target_ names
    taxonomy: Taxonomy,
) -> dict[str, Any] | None:
    """Draw the similarity that a method started from, if it did; for results.json too."""
    similarity = getattr(method, "similarity", None)
    if similarity is None:
        return None
    name = str((settings.similarity or {})["_target_"]).rpartition(".")[2]
    report_similarity(trainer.loggers, folder.path, similarity, taxonomy, name)
    return {"name": name, "matrix": similarity.tolist()}


def publish_transition(
    settings: Settings, folder: RunFolder, trainer: Trainer, store: QueryStore, taxonomy: Taxonomy
) -> dict[str, Any] | None:
    """Draw the mean transition matrix over all queries, if the method has one; as above."""
    matrix = average_transition(store.load())
    if matrix is None:
        return None
    name = str((settings.transition or {})["_target_"]).rpartition(".")[2]
    report_transition(trainer.loggers, folder.path, matrix, taxonomy, name)
    return {"name": name, "matrix": matrix.tolist()}
