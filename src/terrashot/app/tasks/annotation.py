"""The annotation page: a server on this machine until Ctrl-C."""

import contextlib
import importlib.util
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from terrashot.app.tasks.scene_input import InputSettings
from terrashot.errors import CheckpointError, ConfigError
from terrashot.networks.features import DECODER, FEATURES
from terrashot.tasks.bench import Bench, Run
from terrashot.tasks.settings.field import setting
from terrashot.tasks.settings.runs import RunSettings
from terrashot.tasks.task import Task

if TYPE_CHECKING:
    from terrashot.annotation.session import Session
    from terrashot.annotation.teacher import Teaching
    from terrashot.image_spec import ImageSpec
    from terrashot.mapping.scene import Scene

_ANY = ("0.0.0.0", "::")


@dataclass
class LabelsSettings:
    """``labels``: where strokes go; ``labels=FILE`` sets the path."""

    path: str | None = setting(None, path=True)
    layer: str | None = None
    attribute: str = "class"


@dataclass
class FinishedSettings:
    """``output``: what Finish writes; ``output=FOLDER`` sets the path."""

    path: str | None = setting(None, path=True)


@dataclass
class PageSettings:
    """``annotate``: how labels teach, and where the page is served."""

    method: str = "terrashot"
    features: str = setting(DECODER, choices=FEATURES)
    window: int = setting(512, at_least=32, at_most=4096, why="the side of a window in pixels")
    sure: float | None = setting(
        0.0, at_least=0, at_most=1, why="a probability; null trusts the frozen head with nothing"
    )
    author: str | None = None
    host: str = "127.0.0.1"
    port: int = setting(8008, at_least=0, at_most=65535, why="0 takes any that is free")
    memory: int = setting(512, at_least=1, why="megabytes of features that are kept")


@dataclass
class AnnotationSettings(RunSettings):
    """Settings of a session."""

    checkpoint: str | None = setting(None, path=True)
    input: InputSettings = field(default_factory=InputSettings)
    labels: LabelsSettings = field(default_factory=LabelsSettings)
    output: FinishedSettings = field(default_factory=FinishedSettings)
    annotate: PageSettings = field(default_factory=PageSettings)


class AnnotationTask(Task[AnnotationSettings]):
    """A page to draw classes on scenes, see them mapped, and correct them."""

    name = "annotation"
    experiment = "annotate"
    settings = AnnotationSettings
    trains = False

    def check(self, settings: AnnotationSettings, bench: Bench) -> None:
        """Checkpoint, scenes, method and address, before anything is served."""
        from terrashot.model.method_settings import method_settings

        for package in ("starlette", "uvicorn"):
            if importlib.util.find_spec(package) is None:
                raise ConfigError(
                    f"The annotation page needs the package {package}, which is not installed: "
                    "`pip install 'terrashot[annotate]'` (or `make setup` in a checkout)."
                )
        if settings.processes > 1:
            raise ConfigError(
                f"experiment=annotate serves one page from one process, but there are "
                f"{settings.processes}. Set trainer.devices=1 trainer.num_nodes=1 strategy=single."
            )
        missing = next((k for k in ("input", "labels") if getattr(settings, k).path is None), None)
        if missing is not None or settings.checkpoint is None:
            raise ConfigError(
                f"{missing or 'ckpt'} has no value. The annotation page needs a stage-1 network, "
                "scenes, and a GeoPackage for the labels: terrashot annotate ckpt=MODEL "
                "input=SCENES labels=FILE.gpkg."
            )
        method_settings(settings.annotate.method)
        _scenes(settings, _stage1_spec(_checkpoint(settings)))

    def metrics(self, settings: AnnotationSettings) -> list[str]:
        """None: nothing is scored."""
        return []

    def sweep_score(self, settings: AnnotationSettings) -> str:
        """None, so that there is nothing to compare.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(
            "experiment=annotate serves a page, which has no score that a multirun could compare. "
            "Start it without -m."
        )

    def run(self, settings: AnnotationSettings, run: Run) -> None:
        """Serve the page until Ctrl-C."""
        import uvicorn

        from terrashot.annotation.allocator import give_back_large_blocks
        from terrashot.annotation.finish import Finisher, Sources, finish
        from terrashot.annotation.guard import is_loopback, new_token
        from terrashot.annotation.server import make_app

        give_back_large_blocks()
        page = settings.annotate
        session, teaching = open_session(settings, run)
        for picture in session.pictures:
            if picture.advice:
                run.say(picture.advice, style="yellow")
        sources = Sources(
            _checkpoint(settings),
            str(settings.input.path),
            Path(settings.output.path) if settings.output.path is not None else run.path,
            settings.input.bands,
            settings.input.scale,
        )
        try:
            listening = _listening(page.host, page.port)
            port = listening.getsockname()[1]
            token = new_token(page.host)
            hosts = None if page.host in _ANY else [page.host]
            if is_loopback(page.host):
                hosts = ["localhost", "127.0.0.1", "::1", page.host]
            finisher = Finisher(
                lambda tell: finish(session.model, session.store, teaching, sources, tell)
            )
            app = make_app(session, finisher, hosts, token)
            config = uvicorn.Config(
                app, log_level="warning", server_header=False, timeout_graceful_shutdown=5
            )
            server = uvicorn.Server(config)
            shown = socket.gethostname() if page.host in _ANY else page.host
            shown = f"[{shown}]" if ":" in shown else shown
            query = f"?token={token}" if token else ""
            run.console.print(
                f"open http://{shown}:{port}/{query}  (Ctrl-C ends it)",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            session.start()
            with contextlib.suppress(KeyboardInterrupt):  # the way in which a session ends
                server.run(sockets=[listening])
        finally:
            session.close()
        run.write_results({}, {"labels": str(session.store.path)})


def open_session(settings: AnnotationSettings, run: Run) -> "tuple[Session, Teaching]":
    """Network, scenes and labels.

    Raises:
        ConfigError: scenes that do not go together.
        DataError: labels or scenes that can't be used.
    """
    from terrashot.annotation.session import Session, check_systems
    from terrashot.annotation.store import LabelStore
    from terrashot.annotation.teacher import Teaching
    from terrashot.model.model import load

    page = settings.annotate
    model = load(_checkpoint(settings), run.device)
    scenes = _scenes(settings, model.imagery)
    teaching = Teaching(page.method, page.window, page.sure, settings.seed, page.features)
    store = LabelStore(
        Path(str(settings.labels.path)),
        model.taxonomy.classes,
        check_systems(scenes),
        settings.labels.layer,
        settings.labels.attribute,
        page.author,
    )
    try:
        return Session(model, scenes, store, teaching, page.memory), teaching
    except BaseException:
        store.close()
        raise


def _checkpoint(settings: AnnotationSettings) -> Path:
    from terrashot.model.find import find_model_file

    assert settings.checkpoint is not None
    return find_model_file(settings.checkpoint, Path(settings.paths.logs))


def _stage1_spec(file: Path) -> "ImageSpec":
    """The images that the network takes; its weights are left for ``run``.

    Raises:
        CheckpointError: no checkpoint, or the network has learned novel classes already.
    """
    from terrashot.model.adapted_file import load_adapted_model
    from terrashot.model.checkpoints import ADAPTED, STAGE1, kind_of
    from terrashot.model.stage1_file import load_base_spec

    if kind_of(file, (STAGE1, ADAPTED)) == STAGE1:
        return load_base_spec(file)
    learned = ", ".join(c.name for c in load_adapted_model(file).taxonomy.novel)
    raise CheckpointError(
        f"{file} has learned {learned} already. The page teaches a stage-1 network, with the "
        "labels of all new classes together: ckpt=logs/stage1/latest."
    )


def _scenes(settings: AnnotationSettings, spec: "ImageSpec") -> "list[Scene]":
    """The scenes, looked at.

    Raises:
        ConfigError: scenes that do not go together.
        DataError: there is none, or one can't be read.
    """
    from terrashot.annotation.session import check_systems
    from terrashot.data.imagery import parse_scale
    from terrashot.mapping.checks import check_scenes

    given = settings.input
    scale = parse_scale(given.scale, "input.scale")
    scenes = check_scenes(str(given.path), spec, given.bands, scale)
    check_systems(scenes)
    return scenes


def _listening(host: str, port: int) -> Any:  # noqa: ANN401 - a socket
    """A socket at the address.

    Raises:
        ConfigError: it is taken, or none of this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"annotate.host={host} annotate.port={port} cannot be served: {error}. Another page is "
            "perhaps still open; take annotate.port=0 for any port that is free."
        ) from error
