"""Whether the tiles of a run are there, show something, and are kept apart."""

from pathlib import Path
from typing import Any

from rich.console import Console

from terrashot.data.checks.lists import read_lists
from terrashot.data.coverage import Coverage
from terrashot.data.held_out import FILE, write_held_out
from terrashot.data.layout import FewShotLayout, Tile
from terrashot.data.twins import repeated_support, support_in_queries
from terrashot.errors import ConfigError, DataError
from terrashot.tasks.of_data import taxonomy_of
from terrashot.tasks.settings.runs import LoggedSettings, TileSettings
from terrashot.tasks.task import Task

_MOST = 5


def check_tiles(settings: LoggedSettings, task: Task[Any]) -> None:
    """Look at the lists, files and labels that a run reads, before anything is computed.

    The demo set is left out: it makes itself later.

    Raises:
        DataError: a list or a file is missing, nothing to learn from or to validate on, a support
            tile among the query tiles.
        ConfigError: a metric is asked for that these tiles can't give.
    """
    parts = task.reads(settings)
    if not isinstance(settings, TileSettings) or parts is None:
        return
    if settings.data.demo_seed is not None:
        return
    if "stage1_val" in parts and settings.data.stage1_val is not None:
        root, names = Path(settings.data.root), settings.data.stage1_val
        if write_held_out(root, names):
            said = f"wrote {root / FILE}: the {len(names)} validation tiles of data.stage1_val"
            Console().print(said, highlight=False, soft_wrap=True)
    coverage = _coverage(settings)
    for part in parts:
        getattr(coverage.layout, part)  # reads the list and looks for its files
    coverage.check(parts)
    _check_measured(settings, task, coverage)
    if task.scores_queries(settings) and "support" in parts:
        _check_apart(settings, coverage.layout)


def tile_remarks(settings: LoggedSettings, task: Task[Any]) -> list[str]:
    """What a run can do without, but its user should know: a line each."""
    read = task.reads(settings)
    if not isinstance(settings, TileSettings) or read is None:
        return []
    if settings.data.demo_seed is not None:
        return []
    coverage = _coverage(settings)
    parts = [*read, *(["query"] if _has_scores(settings, task, coverage.layout) else [])]
    lines = coverage.remarks(parts)
    if "support" in parts:
        if settings.data.support_draw is None:
            lines += _repeated_names(coverage.layout)
        lines += [
            f"class {class_id} has the support tile {one.name} twice, also as {other.name}: one "
            "shot less than listed"
            for class_id, one, other in repeated_support(coverage.layout)
        ]
    return lines


def _repeated_names(layout: FewShotLayout) -> list[str]:
    """What the list of the split says more than once; the layout takes each name once."""
    file = f"{layout.split}.json"
    found = read_lists(layout.root, set()).findings
    return [f"{file} {f.message}" for f in found if (f.subject, f.kind) == (file, "repeated name")]


def _coverage(settings: TileSettings) -> Coverage:
    data, taxonomy = settings.data, taxonomy_of(settings)
    return Coverage(data.open_layout(taxonomy), taxonomy, data.train_share, settings.seed)


def _has_scores(settings: TileSettings, task: Task[Any], layout: FewShotLayout) -> bool:
    return task.scores_queries(settings) and layout.has_labelled_queries


def _check_measured(settings: TileSettings, task: Task[Any], coverage: Coverage) -> None:
    """Raise a ConfigError where a score is asked for of a class that no tile shows."""
    asked = {"optimized_metric": settings.optimized_metric}
    asked["callbacks.monitor"] = getattr(getattr(settings, "callbacks", None), "monitor", None)
    for key, metric in asked.items():
        stage, _, name = (metric or "").partition("/iou/")
        part = {"val": "stage1_val", "test": "query"}.get(stage)
        if not name or part is None or part not in task.tiles:
            continue
        counts = getattr(coverage, part)
        shown = [n for n, c in zip(coverage.taxonomy.names, counts.tolist(), strict=False) if c]
        if name not in shown:
            known = ", ".join(f"{stage}/iou/{n}" for n in shown) or "none"
            raise ConfigError(
                f"{key} is '{metric}', but no {'validation' if stage == 'val' else 'query'} tile "
                f"has a pixel of {name}, so there is no such score. Those that exist are {known}; "
                f"choose one, or a mean such as {stage}/base_miou."
            )


def _check_apart(settings: TileSettings, layout: FewShotLayout) -> None:
    """Raise a DataError where scores would be taken on tiles that were learned from."""
    option = getattr(settings.data, "allow_support_in_queries", None)
    shared = [] if option else support_in_queries(layout)
    if not shared:
        return
    names = ", ".join(_pair(*pair) for pair in shared[:_MOST])
    more = f" and {len(shared) - _MOST} more" if len(shared) > _MOST else ""
    allowed = ""
    if option is not None:
        allowed = (
            " data.allow_support_in_queries=true scores them all the same, and every result says so"
        )
    raise DataError(
        f"{len(shared)} support tile(s) of {layout.root / layout.split}.json are query tiles too: "
        f"{names}{more}. What a method has learned from is no test of it: such scores are too "
        f"good. Take each off one of the two lists.{allowed}{'.' if allowed else ''}"
    )


def _pair(support: Tile, query: Tile) -> str:
    if support.name == query.name:
        return support.name
    return f"{support.name} (the same pixels as {query.name})"
