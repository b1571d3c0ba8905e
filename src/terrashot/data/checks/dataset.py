"""A whole dataset looked over, on several threads."""

import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rasterio.errors import NotGeoreferencedWarning

from terrashot.data.checks.lists import ROLES, Lists, read_lists
from terrashot.data.checks.report import DatasetReport, Finding, Level, SplitSummary
from terrashot.data.checks.tiles import FileIndex, TileFacts, TileFiles, inspect
from terrashot.data.label_codes import LabelCodes
from terrashot.data.layout import PART_FOLDERS, FewShotLayout
from terrashot.errors import DataError
from terrashot.image_spec import ImageSpec
from terrashot.taxonomy import IGNORE, Taxonomy


def check_dataset(
    root: Path,
    taxonomy: Taxonomy,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    spec: ImageSpec | None = None,
    codes: LabelCodes | None = None,
) -> DatasetReport:
    """Look a dataset in the few-shot layout over; nothing is written.

    Args:
        root: the dataset's folder.
        taxonomy: says which label ids there are, and which are novel.
        workers: reading threads; by default one a core, at most 16.
        progress: is told tiles done and tiles in all.
        spec: the channels of the images; None: 8-bit RGB.
        codes: what the label files hold where their pixels are no class ids.

    Raises:
        DataError: ``root`` is no folder. Everything else becomes a finding.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder: expected a dataset in the few-shot layout there.")
    own = spec or ImageSpec()
    lists = read_lists(root, set(taxonomy.novel_ids))
    index = FileIndex(root)
    tiles = _listed(lists, index)
    facts = []
    pool = ThreadPoolExecutor(workers or min(16, os.cpu_count() or 1))
    with pool, warnings.catch_warnings():
        # Here, not in the threads: they share one list of filters.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        looked_at = pool.map(lambda tile: inspect(tile, taxonomy, own, codes), tiles)
        for done, fact in enumerate(looked_at, 1):
            facts.append(fact)
            if progress is not None:
                progress(done, len(tiles))
    report = DatasetReport(str(root), list(lists.findings))
    for fact in facts:
        report.findings += fact.findings
    _summarise(report, facts, lists)
    report.findings += _duplicates(facts)
    report.findings += _unlisted(index, tiles, lists.pool)
    report.findings += _query_labels(report)
    report.findings += _nothing_labelled(report, taxonomy)
    report.findings += _absent_classes(report, taxonomy)
    if report.ok:
        report.findings += _as_the_loader_sees_it(root, taxonomy, lists)
    return report


def _listed(lists: Lists, index: FileIndex) -> list[TileFiles]:
    """Each listed tile once, with all its roles."""
    roles: dict[tuple[str, str], list[str]] = defaultdict(list)
    classes: dict[tuple[str, str], set[int]] = defaultdict(set)
    for role, names in lists.names.items():
        for name in names:
            roles[index.find(ROLES[role][1], name)[0], name].append(role)
    for (split, class_id), names in lists.support.items():
        for name in names:
            classes[index.find(f"{split}set", name)[0], name].add(class_id)
    tiles = []
    for (folder, name), of in roles.items():
        _, image, label = index.find(folder, name)
        ids = tuple(sorted(classes[folder, name]))
        tiles.append(TileFiles(name, folder, tuple(of), ids, image, label))
    return tiles


def _summarise(report: DatasetReport, facts: list[TileFacts], lists: Lists) -> None:
    held_out = set(lists.names["stage1_val"])
    report.splits = {role: SplitSummary() for role, names in lists.names.items() if names}
    for fact in facts:
        for role in fact.tile.roles:
            if role == "train" and fact.tile.name in held_out:
                continue  # as the loader does
            summary = report.splits[role]
            summary.tiles += 1
            summary.moments += fact.moments
            if fact.counts is not None:
                summary.labelled += 1
                summary.counts += fact.counts
        if fact.size:
            report.sizes[fact.size] += 1
            report.crs[fact.crs or "none"] += 1
            report.pixel_sizes[fact.pixel_size or "unknown"] += 1


def _duplicates(facts: list[TileFacts]) -> list[Finding]:
    """Different files with the same pixels: a leak, or a shot less, that names do not show."""
    by_digest: dict[bytes, list[TileFacts]] = defaultdict(list)
    for fact in facts:
        if fact.digest is not None:
            by_digest[fact.digest].append(fact)
    findings = []
    for group in by_digest.values():
        roles = {role for fact in group for role in fact.tile.roles}
        learned = any({f"{s} support", f"{s} query"} <= roles for s in ("val", "test"))
        one, *others = [
            (f"{fact.tile.folder}/{fact.tile.name}", ", ".join(fact.tile.roles)) for fact in group
        ]
        where = ", ".join(f"{name} ({role})" for name, role in others)
        message = f"({one[1]}) has the same pixels as {where}. "
        if len({fact.tile.roles for fact in group}) < 2:
            classes = Counter(class_id for fact in group for class_id in fact.tile.classes)
            twice = [class_id for class_id, count in classes.items() if count > 1]
            if twice:
                message += f"Class {twice[0]} has one shot less than listed: list another tile."
                findings.append(Finding("warning", "same support image twice", one[0], message))
            continue
        # Val and test may share support tiles, each in its own folder.
        if not others or roles <= {"val support", "test support"}:
            continue
        message += "Take it off one of the lists, unless it is meant."
        if learned:
            message += " Scores would be taken on tiles adapted to."
        level: Level = "error" if learned else "warning"
        findings.append(Finding(level, "same image in two splits", one[0], message))
    return findings


def _nothing_labelled(report: DatasetReport, taxonomy: Taxonomy) -> list[Finding]:
    """Splits whose labels leave nothing to learn or to measure."""
    findings = []
    for role, summary in report.splits.items():
        if not summary.labelled or role.endswith("support"):  # judged tile by tile
            continue
        counts = summary.counts[: taxonomy.num_classes]
        if role.endswith("query") and not counts.sum():
            message = f"no labelled pixel in {summary.labelled} label(s): nothing to score by."
            findings.append(Finding("warning", "nothing labelled", role, message))
        elif not role.endswith("query") and not counts[1:].sum():
            found = f"{int(counts[0])} pixels of background alone" if counts[0] else "none"
            message = f"{summary.labelled} label(s) have {found}, {IGNORE} being ignored: stage 1 "
            message += "has nothing to " + ("learn." if role == "train" else "be validated on.")
            findings.append(Finding("error", "nothing labelled", role, message))
    return findings


def _unlisted(index: FileIndex, tiles: list[TileFiles], pool: set[str]) -> list[Finding]:
    """Tiles on disk that no list names, one finding a folder."""
    used = {(tile.folder, tile.name) for tile in tiles}
    findings = []
    for folder in PART_FOLDERS:
        on_disk = {**index.files[folder, "images"], **index.files[folder, "labels"]}
        spare = [
            name for name in sorted(on_disk) if (folder, name) not in used and name not in pool
        ]
        if spare:
            more = f" and {len(spare) - 3} more" if len(spare) > 3 else ""
            message = f"has {len(spare)} tile(s) on no list: {', '.join(spare[:3])}{more}. They "
            message += "are not used."
            where = "images and labels" if folder == "." else folder
            findings.append(Finding("warning", "unlisted tiles", where, message))
    return findings


def _query_labels(report: DatasetReport) -> list[Finding]:
    findings = []
    for role, summary in report.splits.items():
        without = summary.tiles - summary.labelled
        if not role.endswith("query") or not without:
            continue
        if summary.labelled == 0:
            message = "no query tile has a label: they can be mapped but not scored (the public "
            message += "test set of the challenge withholds them)."
            findings.append(Finding("note", "query labels", role, message))
        else:
            message = f"{without} of {summary.tiles} query tiles have no usable label; the scores "
            message += "would rest on the others alone."
            findings.append(Finding("warning", "query labels", role, message))
    return findings


def _absent_classes(report: DatasetReport, taxonomy: Taxonomy) -> list[Finding]:
    """Classes that a labelled split should show but does not."""
    expected = {
        "train": taxonomy.base_ids,
        "stage1_val": taxonomy.base_ids,
        "val query": [*taxonomy.base_ids, *taxonomy.novel_ids],
        "test query": [*taxonomy.base_ids, *taxonomy.novel_ids],
    }
    findings = []
    for role, ids in expected.items():
        summary = report.splits.get(role)
        if summary is None or not summary.counts[: taxonomy.num_classes].sum():
            continue
        absent = [f"{i} {taxonomy.names[i]}" for i in ids if not summary.counts[i]]
        if absent:
            message = f"no pixel of {', '.join(absent)}: "
            message += "it cannot be learnt." if role == "train" else "it gets no score."
            findings.append(Finding("warning", "class without pixels", role, message))
    return findings


def _as_the_loader_sees_it(root: Path, taxonomy: Taxonomy, lists: Lists) -> list[Finding]:
    """What the checks let pass but the loader would refuse."""
    findings = []
    for split in ("val", "test"):
        if not lists.names[f"{split} query"]:
            continue
        layout = FewShotLayout(root, split, taxonomy.novel_ids)
        try:
            _ = layout.train, layout.stage1_val, layout.support, layout.query
        except DataError as error:
            findings.append(Finding("error", "loader", f"{split}.json", str(error)))
    return findings
