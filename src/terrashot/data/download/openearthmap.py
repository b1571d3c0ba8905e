"""The few-shot challenge set of OpenEarthMap, from its Zenodo record to the layout on disk."""

import os
import shutil
from pathlib import Path

import yaml
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from terrashot.configs_folder import configs_folder
from terrashot.data.download.fetch import Fetcher
from terrashot.data.download.placing import LISTS, SPLITS, find_layout, missing, place
from terrashot.data.download.unpack import unpack, unpacked_size
from terrashot.data.download.zenodo import RemoteFile, ZenodoRecord
from terrashot.data.held_out import FILE, write_held_out
from terrashot.errors import DataError

RECORD = "11396874"  # version 3, https://zenodo.org/records/11396874
_WANTED = (".zip", ".txt", ".json")
# GeoTIFF tiles hardly shrink in a zip. The estimate serves until the archives are here.
_UNPACKED_PER_BYTE = 1.5


class OpenEarthMapDownload:
    """Brings a record's archives into the few-shot layout under ``root``.

    Archives and unpacked files stay in ``ROOT.download`` beside the root until all is whole; then
    the root appears in one step. An interrupted run goes on where it stopped.

    Args:
        root: destination with ``trainset``, ``valset``, ``testset`` and the lists.
        record: number of the Zenodo record.
        base_url: server that answers ``/api/records/NUMBER``.
        files: names in the record to fetch; all archives and lists by default.
        keep_archives: leave the archives in ``ROOT.download``.
        console: where tables and progress go.
        fetcher: downloads one file; made for ``ROOT.download`` by default.
    """

    def __init__(
        self,
        root: Path,
        record: str = RECORD,
        base_url: str = "https://zenodo.org",
        files: list[str] | None = None,
        keep_archives: bool = False,
        console: Console | None = None,
        fetcher: Fetcher | None = None,
    ) -> None:
        self.root = root.expanduser().resolve()
        self.record = record
        self.base_url = base_url
        self.files = files
        self.keep_archives = keep_archives
        self.console = console or Console()
        # A mounted root is another disk than its parent, and renaming works on one disk only.
        self.work = (
            self.root / ".download"
            if os.path.ismount(self.root)
            else self.root.with_name(f"{self.root.name}.download")
        )
        self.fetcher = fetcher or Fetcher(self.work)

    def run(self) -> list[str]:
        """Fetch, check, unpack, place. Returns the entries of the layout still missing.

        Raises:
            DataError: anything that keeps the set from being whole; see the parts.
        """
        lacking = self._lacking()
        if lacking == [FILE]:
            self._hold_out()
            lacking = missing(self.root)
        if not lacking or lacking == [FILE]:
            self.console.print(
                f"[green]✓[/] {escape(str(self.root))} is complete: nothing to fetch."
            )
            self._tell_missing(lacking)
            return lacking
        record = ZenodoRecord.fetch(self.record, self.base_url)
        chosen = self._choose(record)
        self._show(record, chosen)
        if not chosen:
            self.console.print(f"[green]✓[/] Nothing left to fetch for {escape(str(self.root))}")
            self._tell_missing(lacking)
            return lacking
        self._check_estimate(chosen)
        paths = self._fetch(chosen)
        self._place(paths)
        self._hold_out()
        lacking = missing(self.root)
        self.console.print(f"[green]✓[/] The dataset lies in {escape(str(self.root))}")
        self._tell_missing(lacking)
        return lacking

    def _hold_out(self) -> None:
        """Write the list of validation tiles, which the record does not hold."""
        config = yaml.safe_load((configs_folder() / "data/openearthmap.yaml").read_text("utf-8"))
        if write_held_out(self.root, config["stage1_val"]):
            self.console.print(f"wrote {FILE}: the tiles that ClassTrans validates on")

    def _lacking(self) -> list[str]:
        if self.root.exists() and not self.root.is_dir():
            raise DataError(f"{self.root} is a file, expected a folder: choose another --root.")
        lacking = missing(self.root)
        for name in lacking:
            if name in SPLITS and (self.root / name).exists():
                raise DataError(
                    f"{self.root / name} exists but holds no images; expected tiles in its "
                    "folder 'images', or no such folder yet. Move it away and try again."
                )
        return lacking

    def _choose(self, record: ZenodoRecord) -> list[RemoteFile]:
        names = [file.name for file in record.files]
        unknown = sorted(set(self.files or []) - set(names))
        if unknown:
            raise DataError(
                f"record {record.id} has no file {', '.join(unknown)}; it holds "
                f"{', '.join(names)}. Choose from these with --files."
            )
        chosen = [
            file
            for file in record.files
            if file.name in (self.files or [file.name]) and file.name.endswith(_WANTED)
        ]
        if not chosen:
            raise DataError(
                f"nothing to fetch from record {record.id}: expected archives ({'/'.join(_WANTED)})"
                f", found {', '.join(names)}. Check --record and --files."
            )
        return [file for file in chosen if not self._in_place(file)]

    def _in_place(self, file: RemoteFile) -> bool:
        """Whether the entry that the file is named after stands in the root already."""
        entry = file.name.removesuffix(".zip")
        return entry in (*SPLITS, *LISTS) and (self.root / entry).exists()

    def _show(self, record: ZenodoRecord, chosen: list[RemoteFile]) -> None:
        table = Table(
            title=f"{escape(record.title)} · record {record.id}", title_justify="left", box=None
        )
        table.add_column("file")
        table.add_column("size", justify="right")
        table.add_column("here", justify="right")
        table.add_column("")
        for file in record.files:
            take = file in chosen
            here = self.fetcher.present(file) if take else 0
            share = f"{here / file.size:.0%}" if here and file.size else ""
            note = "[green]fetch[/]" if take else "[dim]left out[/]"
            if self._in_place(file):
                note = "[dim]in place[/]"
            table.add_row(escape(file.name), decimal(file.size), share, note)
        self.console.print(table)
        self.console.print(
            f"into {escape(str(self.root))}", highlight=False, style="dim", soft_wrap=True
        )

    def _check_estimate(self, chosen: list[RemoteFile]) -> None:
        fetch = sum(file.size - self.fetcher.present(file) for file in chosen)
        unpacked = sum(
            int(file.size * (_UNPACKED_PER_BYTE if file.name.endswith(".zip") else 1))
            for file in chosen
        )
        self._check_disk(
            fetch + unpacked,
            f"{decimal(fetch)} to fetch and about {decimal(unpacked)} unpacked",
        )

    def _check_disk(self, needed: int, parts: str) -> None:
        place = self.work
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        if needed > free:
            raise DataError(
                f"{place}: {decimal(needed)} needed ({parts}), {decimal(free)} free, so "
                f"{decimal(needed - free)} are lacking. Make room, or choose another disk with "
                "--root."
            )

    def _fetch(self, chosen: list[RemoteFile]) -> list[Path]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
        )
        paths = []
        with Progress(*columns, console=self.console) as progress:
            for file in chosen:
                task = progress.add_task(escape(file.name), total=file.size)

                def show(done: int, task: TaskID = task) -> None:
                    progress.update(task, completed=done)

                paths.append(self.fetcher.fetch(file, show))
        return paths

    def _place(self, paths: list[Path]) -> None:
        archives = [path for path in paths if path.suffix == ".zip"]
        unpacked = self.work / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)  # left by a run that was killed
        try:
            size = sum(unpacked_size(archive) for archive in archives)
            self._check_disk(size, "for the unpacked files")
            with self.console.status(f"Unpacking {decimal(size)}"):
                for archive in archives:
                    # A folder each, named like the archive, so that a trainset.zip that holds
                    # bare images/ and labels/ is found as well.
                    unpack(archive, unpacked / "archives" / archive.stem)
                for path in paths:
                    if path not in archives:
                        unpacked.mkdir(parents=True, exist_ok=True)
                        shutil.copy(path, unpacked / path.name)
                kept = place(find_layout(unpacked), self.root, unpacked / "root")
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)
        if kept:
            self.console.print(f"[yellow]kept as they were:[/] {', '.join(map(escape, kept))}")
        if not self.keep_archives:
            for path in paths:
                path.unlink()
            if not any(self.work.iterdir()):
                self.work.rmdir()

    def _tell_missing(self, lacking: list[str]) -> None:
        for name in lacking:
            what = LISTS.get(name, "not among the files fetched")
            self.console.print(
                f"[yellow]missing[/] [b]{name}[/b]: {escape(what)}", highlight=False, soft_wrap=True
            )
