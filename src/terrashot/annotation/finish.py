"""The end of a session: the model, the maps, and the command lines that make them again."""

import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from terrashot.annotation.store import LabelStore
from terrashot.annotation.teacher import Teaching, drawn_settings
from terrashot.errors import TerrashotError, one_line
from terrashot.files import atomic_write
from terrashot.mapping.map_scene import map_scene
from terrashot.model.adapted_file import FILE_NAME
from terrashot.model.model import Model

COMMANDS = "commands.txt"


@dataclass(frozen=True)
class Sources:
    """What a session was started with, as it was typed.

    Args:
        checkpoint: The stage-1 network.
        scenes: ``input``.
        bands: ``input.bands``.
        scale: ``input.scale``.
        folder: Where model and maps go.
    """

    checkpoint: Path
    scenes: str
    folder: Path
    bands: Any = None
    scale: Any = None


@dataclass
class Progress:
    """How far it is.

    Args:
        state: ``idle``, ``adapting``, ``mapping``, ``done`` or ``failed``.
        share: Of the maps, 0 to 1.
        files: What was made.
        error: Why it failed.
    """

    state: str = "idle"
    share: float = 0.0
    files: list[str] = field(default_factory=list)
    error: str = ""


def finish(
    model: Model,
    store: LabelStore,
    teaching: Teaching,
    sources: Sources,
    tell: Callable[[str, float], None],
) -> list[Path]:
    """Write ``adapted.ckpt``, ``maps/`` and ``commands.txt``.

    The labels are read from their file, so that this is what the commands do.

    Args:
        model: The stage-1 network.
        store: The labels.
        teaching: How they teach.
        sources: What the session was started with.
        tell: Called with a state and how far it is.

    Raises:
        ConfigError: see ``Model.adapt`` and ``map_scene``.
        DataError: likewise.
    """
    tell("adapting", 0.0)
    adapted = model.adapt(
        store.path,
        teaching.method,
        features=teaching.features,
        seed=teaching.seed,
        images=sources.scenes,
        bands=sources.bands,
        scale=sources.scale,
        **drawn_settings(store, teaching),
    )
    sources.folder.mkdir(parents=True, exist_ok=True)
    file = sources.folder / FILE_NAME
    adapted.save(file)
    commands = sources.folder / COMMANDS
    with atomic_write(commands) as temporary:
        lines = command_lines(store, teaching, sources)
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    tell("mapping", 0.0)
    maps = map_scene(
        Model(adapted.network, file),
        sources.scenes,
        sources.folder / "maps",
        bands=sources.bands,
        scale=sources.scale,
        confidence=True,
        progress=lambda done, total: tell("mapping", done / max(total, 1)),
    )
    return [file, commands, *maps]


def command_lines(store: LabelStore, teaching: Teaching, sources: Sources) -> list[str]:
    """What makes the same model and maps without the page."""
    read = {"bands": sources.bands, "scale": sources.scale}
    support = {
        "labels": store.path,
        "images": sources.scenes,
        **drawn_settings(store, teaching),
        "sure": "null" if teaching.sure is None else teaching.sure,
        **read,
    }
    made = sources.folder / "again"
    first = {
        "experiment": "adapt",
        "checkpoint": sources.checkpoint,
        "method": teaching.method,
        "seed": teaching.seed,
        "adaptation.features": teaching.features,
        "adaptation.feature_stride": "null",  # the network's own, as at the page
        "paths.run_folder": made,
        **{f"support.{key}": value for key, value in support.items()},
    }
    second = {
        "experiment": "predict",
        "ckpt": made / FILE_NAME,
        "input": sources.scenes,
        **{f"input.{key}": value for key, value in read.items()},
        "output": made / "maps",
        "output.confidence": "true",
    }
    return [_line(first), _line(second)]


def _line(settings: Mapping[str, Any]) -> str:
    words = [f"{key}={_word(value)}" for key, value in settings.items() if value is not None]
    return shlex.join(["terrashot", *words])


def _word(value: object) -> str:
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(str, value)) + "]"
    return str(value)


class Finisher:
    """Finishes in the background, once at a time.

    Args:
        work: Calls ``finish`` with what is to be told.
    """

    def __init__(self, work: Callable[[Callable[[str, float], None]], list[Path]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.progress = Progress()

    def start(self) -> bool:
        """Begin, unless it is at work already."""
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return False
            self.progress = Progress("adapting")
            self._thread = threading.Thread(target=self._run, name="finish", daemon=True)
            self._thread.start()
            return True

    def _run(self) -> None:
        def tell(state: str, share: float) -> None:
            self.progress = Progress(state, share)

        try:
            files = self._work(tell)
            self.progress = Progress("done", 1.0, [str(path) for path in files])
        except (TerrashotError, OSError) as error:
            self.progress = Progress("failed", error=str(error))
        except Exception as error:  # the page would otherwise wait for ever
            self.progress = Progress("failed", error=one_line(error))
            raise
