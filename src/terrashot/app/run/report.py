"""report.html of a stage-2 run, from what its folder holds."""

import contextlib
import json
import traceback
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from terrashot.app.config.typed import load_settings
from terrashot.app.run.bench import SettingsBench
from terrashot.app.run.build import tile_options
from terrashot.app.run.folder import RunFolder, now
from terrashot.data.datamodule import FewShotDataModule
from terrashot.errors import ConfigError, TerrashotError
from terrashot.files import atomic_write
from terrashot.reporting.class_files import write_class_tables
from terrashot.reporting.class_map import load_class_map, shrunk_map
from terrashot.reporting.curves_figure import Curve, read_curves
from terrashot.reporting.html.parts import Link
from terrashot.reporting.html.run_report import RunMaterial, run_page, run_report
from terrashot.reporting.html.tile_set import TileLine, TileSet, chosen_tiles, tile_line, tile_set
from terrashot.reporting.panels import Panel
from terrashot.reporting.run_summary import short_path
from terrashot.tasks.query_counts import PICTURE_SIDE, QueryStore
from terrashot.tasks.settings.runs import TileSettings
from terrashot.taxonomy import Taxonomy

REPORT = "report.html"


def try_report(folder: RunFolder, data: FewShotDataModule, console: Console) -> Path | None:
    """Write the report at the end of a run; what goes wrong is told, since the results are safe."""
    try:
        return write_run_report(folder, data)
    except Exception as error:
        tell_failure(folder.path, error, console)
        return None


def tell_failure(folder: Path, error: Exception, console: Console) -> None:
    """One line on the screen, the traceback in ``report_error.txt``."""
    log = folder / "report_error.txt"
    with contextlib.suppress(OSError):  # the disk may be full
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    console.print(
        f"{REPORT} could not be written ({type(error).__name__}: {error}; see {short_path(log)}). "
        f"The results are whole; `python run.py report {short_path(folder)}` tries again.",
        style="yellow",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def write_run_report(folder: RunFolder, data: FewShotDataModule | None = None) -> Path:
    """Write ``report.html`` into the folder of a finished stage-2 run, tables for texts beside.

    Args:
        folder: the run.
        data: its data; read as its configuration says where None.

    Raises:
        ConfigError: the folder holds no results of stage 2.
    """
    results = _read_json(folder.results)
    if "confusion" not in results or "queries" not in results:
        raise ConfigError(
            f"{folder.path} has no results of a stage-2 run (results.json with 'queries' and "
            "'confusion'), so there is nothing to report. Give the folder of a finished "
            "experiment=stage2 run, or of a multirun (logs/sweeps/NAME)."
        )
    config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
    taxonomy = Taxonomy.from_dict({"name": config["data"]["name"], **config["data"]["taxonomy"]})
    store = QueryStore(folder.path / "queries")
    lines = [
        tile_line(q.name, q.final, q.base_model, q.seconds, q.diverged, taxonomy)
        for q in store.load()
    ]
    (folder.path / "tables").mkdir(exist_ok=True)  # before the links are looked for
    material = RunMaterial(
        results=results,
        config=config,
        info={"ended": now(), **folder.read_info()},  # at the end of a run it is still running
        tile_lines=lines,
        tiles=_tiles(folder, data, store, lines, taxonomy),
        curves=_named(folder.path / "metrics.csv", "running/"),
        stage1_curves=_stage1_curves(results),
        links=_links(folder.path),
    )
    report = run_report(material)
    write_class_tables(folder.path / "tables", report.classes, report.means)
    page = run_page(report)
    path = folder.path / REPORT
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _tiles(
    folder: RunFolder,
    data: FewShotDataModule | None,
    store: QueryStore,
    lines: list[TileLine],
    taxonomy: Taxonomy,
) -> TileSet:
    """The viewer's tiles; without their files, why there are none."""
    kept = [line for line in lines if store.map_path(line.name).is_file()]
    if not kept:
        return TileSet(None, "This run kept no maps of its query tiles.")
    try:
        tiles = data or _read_data(folder)

        def panel(name: str) -> Panel:
            prediction = load_class_map(store.map_path(name))
            sample = tiles.query_tile(name)
            truth = sample["mask"]
            whole = Panel.from_tensors(name, sample["image"], truth, truth, tiles.spec)
            whole = whole.shrunk(PICTURE_SIDE)
            small = shrunk_map(whole.truth, PICTURE_SIDE)
            if small.shape != prediction.shape:
                raise ConfigError(f"{name} has another size than when it was mapped")
            return Panel(name, whole.image, small, prediction)

        return tile_set(chosen_tiles(kept), panel, taxonomy)
    except (TerrashotError, OSError, KeyError) as error:
        return TileSet(None, f"The tiles could not be read: {error}")


def _read_data(folder: RunFolder) -> FewShotDataModule:
    settings = load_settings(folder.config)
    assert isinstance(settings, TileSettings)
    used = folder.read_info().get("checkpoint")
    if used is not None and hasattr(settings, "checkpoint"):
        settings.checkpoint = used  # the latest run may be another one by now
    return FewShotDataModule(**tile_options(settings, SettingsBench(settings).image_spec()))


def _named(path: Path, prefix: str) -> dict[str, Curve]:
    """The curves of a ``metrics.csv`` whose name begins so; none where the file is missing."""
    if not path.is_file():
        return {}
    labels = {"base_miou": "base mIoU", "novel_miou": "novel mIoU", "weighted_miou": "weighted"}
    found = {}
    for name, curve in read_curves(path).items():
        if name.startswith(prefix):
            short = name.removeprefix(prefix)
            found[labels.get(short, short)] = curve
    return found


def _stage1_curves(results: dict[str, Any]) -> dict[str, Curve]:
    """Losses and validation scores of the run that the checkpoint comes from."""
    checkpoint = results.get("checkpoint")
    path = Path(str(checkpoint)).parent.parent / "metrics.csv"
    if not checkpoint or not path.is_file():
        return {}
    wanted = ("train/loss", "train/loss_epoch", "val/loss", "val/base_miou")
    return {name: curve for name, curve in read_curves(path).items() if name in wanted}


def _links(folder: Path) -> list[Link]:
    names = ["results.json", "metrics.csv", "config.yaml", "run.json", "figures", "tables"]
    return [Link(name, name) for name in names if (folder / name).exists()]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
    return value if isinstance(value, dict) else {}
