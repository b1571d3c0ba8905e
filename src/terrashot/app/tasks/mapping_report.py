"""What a mapping run says: what is to be done, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from terrashot.errors import DataError
from terrashot.tasks.bench import Run

if TYPE_CHECKING:
    from terrashot.data.remote.address import RasterPath
    from terrashot.mapping.job import SceneJob
    from terrashot.mapping.ledger import Ledger
    from terrashot.mapping.request import MapRequest


def write_project(run: Run, ledger: "Ledger") -> None:
    """Write the QGIS project of the folder, and say what came of it; the maps are whole already."""
    from terrashot.mapping.qgis_project import PROJECT_NAME, folder_project
    from terrashot.reporting.run_summary import short_path

    try:
        project = folder_project(ledger)
    except DataError as error:
        run.say(str(error), style="yellow")
        return
    if project is not None:
        run.say(f"QGIS project of all maps in the folder: {short_path(project)}")
    elif (ledger.output / PROJECT_NAME).exists():
        left = "was saved since, or is not of terrashot: it is left as it is"
        run.say(f"{PROJECT_NAME} {left}", style="yellow")
    else:
        run.say("no QGIS project: no name of a map can stand in it", style="yellow")


def announce(
    run: Run,
    checkpoint: str,
    device: str,
    request: "MapRequest",
    jobs: "Sequence[SceneJob]",
    left: "Sequence[SceneJob]",
) -> None:
    """Say what is to be mapped with what, and what is to be known of single scenes."""
    pixels = sum(job.scene.pixels for job in left)
    done = f", {len(jobs) - len(left)} of them finished already" if len(left) < len(jobs) else ""
    run.say(
        f"{len(jobs)} scene(s){done}; {pixels / 1e6:.1f} Mpx to map with {checkpoint} on {device}, "
        f"views: {request.views}"
    )
    model = request.model
    if not model.taxonomy.novel:
        origin = model.provenance.get("origin")
        found = f": {origin}" if origin else ""
        run.say(f"a stage-1 network{found}; the maps show its base classes alone")
    rules = request.products.describe()
    if rules is not None:
        run.say(rules)
    for job in left:
        name, rows = job.scene.path.name, len(job.plan.rows)
        kept = rows - len(job.store.pending())
        if kept:
            run.say(f"{name}: goes on, {kept} of {rows} rows of windows are done")
        for note in job.scene.raster.notes:
            run.say(f"{name} {note}", style="yellow")
        if job.scene.crs is None:
            run.say(
                f"{name} has no reference system: its map keeps pixel coordinates", style="yellow"
            )


def report(
    run: Run,
    ledger: "Ledger",
    jobs: "Sequence[SceneJob]",
    left: "Sequence[SceneJob]",
    failures: "dict[RasterPath, str]",
    seconds: Mapping[str, float],
    external_masks: bool,
) -> None:
    """Write ``results.json``, print the table.

    Args:
        run: The run.
        ledger: Knows which maps are whole.
        jobs: All scenes.
        left: Those that had no map when the run began.
        failures: Why some have none now.
        seconds: By stage.
        external_masks: Whether masks from outside went into the maps.

    Raises:
        DataError: a scene has no map.
    """
    from terrashot.files import write_json
    from terrashot.mapping.mapper import describe_failures
    from terrashot.reporting.map_table import map_table
    from terrashot.reporting.run_summary import short_path

    notes: list[dict[str, Any]] = []
    missing: list[RasterPath] = []
    for job in jobs:
        stem = job.output.stem
        if not ledger.is_finished(stem, job.digest):
            missing.append(job.scene.path)
            continue
        note = ledger.note(stem) or {}
        notes.append({**note, "skipped": job not in left})
    results: dict[str, Any] = {
        "output": str(ledger.output),
        "scenes": notes,
        "stage_seconds": {k: round(v, 2) for k, v in seconds.items()},
        "external_masks": external_masks,
    }
    if missing:
        results["missing"] = {str(p): failures.get(p, "see the log") for p in missing}
    write_json(run.path / "results.json", results)
    run.console.print(map_table(notes))
    run.say(f"maps in {short_path(ledger.output)}")
    if missing:
        failed = describe_failures(failures, missing, len(jobs))
        raise DataError(f"{failed}\nTo go on: {run.read_info()['command']}")
