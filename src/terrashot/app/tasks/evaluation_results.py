"""What an evaluation on the query tiles leaves behind: results.json, figures, the closing table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from terrashot.adaptation.joint import JointSelfTraining
from terrashot.adaptation.temperature import Calibration
from terrashot.app.run.folder import RunFolder
from terrashot.app.run.report import try_report
from terrashot.callbacks.score_report import (
    report_rules,
    report_scores,
    report_similarity,
    report_transition,
)
from terrashot.data.datamodule import FewShotDataModule
from terrashot.data.reading import image_size
from terrashot.data.transforms import EvalTransform
from terrashot.data.twins import support_in_queries
from terrashot.evaluation.calibration import expected_calibration_error
from terrashot.evaluation.scores import gfss_scores
from terrashot.files import without_nan
from terrashot.mapping.postprocess.chain import PostProcess
from terrashot.mapping.postprocess.rule import Size
from terrashot.reporting.class_table import class_table
from terrashot.reporting.rule_table import rule_table
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.of_data import taxonomy_of
from terrashot.tasks.query_counts import QueryStore, average_transition
from terrashot.tasks.query_tally import AdaptationResult
from terrashot.tasks.settings.runs import StageTwoSettings
from terrashot.taxonomy import Taxonomy


def publish_scores(
    run: Run,
    data: FewShotDataModule,
    result: AdaptationResult,
    rules: PostProcess | None,
    next_command: str | None = None,
    how: Calibration | None = None,
    **extra: Any,  # noqa: ANN401 - JSON values
) -> None:
    """Write and print the scores of one evaluation; ``extra`` goes into results.json.

    ``how`` is the calibration of the model, where it was adapted once.
    """
    settings, taxonomy, loggers = run.settings, data.taxonomy, run.trainer.loggers
    assert isinstance(settings, StageTwoSettings)
    references = {"base model": result.base_scores}
    report_scores(loggers, run.path, result.confusion, taxonomy, "test", result.queries, references)
    after_rules = rule_results(rules, result.rules, settings, taxonomy)
    if after_rules:
        report_rules(loggers, rule_rows(after_rules), result.queries)
    external = rules is not None and rules.external_masks
    seen = sorted({query.name for _, query in support_in_queries(data.layout)})
    content = {
        "base_model": without_nan(result.base_scores.as_metrics("test", taxonomy)),
        "queries": result.queries,
        "seconds_per_query": result.seconds_per_query,
        "adaptation_seconds_per_query": result.adaptation_seconds_per_query,
        "diverged_queries": result.diverged,
        "method": settings.method.get("name"),
        "external_masks": external,
        "support_in_queries": seen,
        "postprocess": after_rules,
        "calibration": calibration_result(result.reliability, how),
        "data": {"name": settings.data.name, "split": settings.data.split},
        **{key: value for key, value in extra.items() if value is not None},
    }
    run.write_results(run.metrics(), content, result.confusion, taxonomy)
    report = try_report(RunFolder(run.path), data, run.console)
    title = f"{settings.data.name} {settings.data.split}: {result.queries} query tiles"
    title += f", {len(seen)} of them seen in the support" if seen else ""
    title += ", with external masks" if external else ""
    run.console.print(class_table(result.scores, taxonomy, title, references))
    if after_rules:
        run.console.print(rule_table(rule_rows(after_rules)))
    if result.diverged:
        run.say(
            f"the adaptation diverged on {result.diverged} of {result.queries} queries: the "
            "published step size is too large for these features; method=classtrans is scaled",
            style="yellow",
        )
    run.say(f"{result.seconds_per_query:.2f} s a query")
    run.say(calibration_line(content["calibration"]))
    label = "test/weighted_miou" + (" with external masks" if external else "")
    label += " with queries seen in the support" if seen else ""
    run.close(label, result.scores.weighted_miou, next_command, report)


def publish_similarity(
    run: Run,
    method: Any,  # noqa: ANN401 - what the method's _target_ names
    taxonomy: Taxonomy,
) -> dict[str, Any] | None:
    """Draw the similarity that a method started from, if it did; for results.json too."""
    similarity = getattr(method, "similarity", None)
    if similarity is None:
        return None
    name = _class_name(run, "similarity")
    report_similarity(run.trainer.loggers, run.path, similarity, taxonomy, name)
    return {"name": name, "matrix": similarity.tolist()}


def publish_rounds(
    run: Run, joint: JointSelfTraining | None, taxonomy: Taxonomy
) -> list[dict[str, Any]] | None:
    """Say what each round of joint self-training took; for results.json too."""
    if joint is None:
        return None
    rounds = []
    for number, found in enumerate(joint.history, start=1):
        shares = dict(zip(taxonomy.names, found.shares.tolist(), strict=True))
        stopped = None if found.stopped is None else taxonomy.names[found.stopped]
        taken = int(found.pixels.sum())
        rounds.append({"pixels": taken, "shares": shares, "stopped": stopped})
        if stopped is None:
            run.say(f"joint learning, round {number}: {taken:,} pixels became support")
            continue
        before = float(joint.history[0].shares[found.stopped])
        run.say(
            f"joint learning ended before round {number}: '{stopped}' came from {before:.1%} to "
            f"{shares[stopped]:.1%} of the sample, so the head before that stays. "
            "adaptation.joint.limit says how far a class may grow or shrink",
            style="yellow",
        )
    return rounds


def publish_transition(run: Run, store: QueryStore, taxonomy: Taxonomy) -> dict[str, Any] | None:
    """Draw the mean transition matrix over all queries, if the method has one; as above."""
    matrix = average_transition(store.load())
    if matrix is None:
        return None
    name = _class_name(run, "transition")
    report_transition(run.trainer.loggers, run.path, matrix, taxonomy, name)
    return {"name": name, "matrix": matrix.tolist()}


def _class_name(run: Run, group: str) -> str:
    return str(getattr(run.settings, group)["_target_"]).rpartition(".")[2]


def check_postprocess(settings: StageTwoSettings, bench: Bench) -> None:
    """Find what can't work on the query tiles: unknown classes, masks missing or of other sizes.

    Raises:
        ConfigError: see ``PostProcess.check``.
        DataError: an external mask of a query tile is missing or does not fit.
    """
    rules = bench.build("postprocess")
    tiles: dict[str, list[Size]] = {}
    transform = EvalTransform(settings.data.eval_size)
    if rules.external_masks and settings.data.demo_seed is None:  # the demo set makes itself later
        for tile in settings.data.open_layout().query:
            size = image_size(tile.image)
            tiles[tile.name] = [size, transform.part_size(*size)]
    rules.check(taxonomy_of(settings), tiles)


def calibration_result(sums: Tensor, how: Calibration | None) -> dict[str, Any]:
    """What ``results.json`` says of confidence and accuracy.

    Args:
        sums: ``[1 or 2, bins, 3]``, as they come and, where there is a temperature, calibrated.
        how: The calibration of the model; None: it has none of its own.

    Returns:
        ``temperature``, ``how``, and for ``plain`` and, where there is one, ``calibrated``
        probabilities the expected calibration error ``ece`` and ``bins``: of each interval with
        pixels its number of pixels, mean confidence and accuracy.
    """
    found: dict[str, Any] = {} if how is None else how.to_dict()
    for name, counts in zip(("plain", "calibrated"), sums, strict=False):
        pixels = counts[:, 0].clamp(min=1)
        rows = [
            [int(n), round(float(c / p), 5), round(float(a / p), 5)]
            for (n, c, a), p in zip(counts, pixels, strict=True)
            if n
        ]
        error = expected_calibration_error(counts)
        found[name] = {"ece": None if math.isnan(error) else round(error, 6), "bins": rows}
    return found


def calibration_line(found: Mapping[str, Any]) -> str:
    """The same in a line."""
    errors = {
        name: f"{100 * found[name]['ece']:.1f} %"
        for name in ("plain", "calibrated")
        if name in found and found[name]["ece"] is not None
    }
    if not errors:
        return "confidence: no labelled pixel to hold it against"
    line = f"expected calibration error of the confidence: {errors['plain']}"
    if "calibrated" in errors:
        line += f" as it comes, {errors['calibrated']} calibrated (output.confidence)"
    return line


def rule_results(
    rules: PostProcess | None, counts: Tensor, settings: StageTwoSettings, taxonomy: Taxonomy
) -> list[dict[str, Any]]:
    """What ``results.json`` says of the map before and after each rule; empty without rules.

    Args:
        rules: The post-processing.
        counts: ``[1 + R, K, K]``, before all rules and after each.
        settings: Of the run.
        taxonomy: Its classes.

    Returns:
        In order, ``{"rule": the method's name or "+ <rule>", "external": whether masks of another
        model are in the map by then, "metrics": {"test/base_miou": ..., ...}}``.
    """
    if rules is None:
        return []
    names = [str(settings.method.get("name")), *(f"+ {name}" for name in rules.rules)]
    external = [rule.external_masks for rule in rules.rules.values()]
    weights = {
        "base_weight": settings.adaptation.base_weight,
        "novel_weight": settings.adaptation.novel_weight,
    }
    found = []
    for number, (name, confusion) in enumerate(zip(names, counts, strict=True)):
        scores = gfss_scores(confusion, taxonomy, **weights)
        found.append(
            {
                "rule": name,
                "external": any(external[:number]),
                "metrics": without_nan(scores.as_metrics("test", taxonomy)),
            }
        )
    return found


def rule_rows(results: Sequence[dict[str, Any]]) -> list[list[Any]]:
    """The same as rows of a table: rule, base, novel and weighted mIoU, external masks."""
    keys = ["test/base_miou", "test/novel_miou", "test/weighted_miou"]
    return [[r["rule"], *(r["metrics"][key] for key in keys), r["external"]] for r in results]
