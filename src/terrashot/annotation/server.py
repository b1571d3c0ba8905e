"""The page's server: what a session does, over HTTP."""

import gzip
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from terrashot.annotation.edited import Edited
from terrashot.annotation.errors import RefusedError, StaleError, UnsavedError
from terrashot.annotation.finish import Finisher
from terrashot.annotation.guard import Guard
from terrashot.annotation.overlay import Cell
from terrashot.annotation.session import Head, Session
from terrashot.errors import TerrashotError

PAGE = Path(__file__).resolve().parent / "page"
_ZOOM = re.compile(r"-?[0-9]{1,2}")
_STATUS = {StaleError: (409, "stale"), UnsavedError: (507, "unsaved"), RefusedError: (422, "no")}


def make_app(
    session: Session, finisher: Finisher, hosts: Iterable[str] | None, token: str | None = None
) -> Starlette:
    """The server as an application.

    Args:
        session: The session.
        finisher: Makes model and maps.
        hosts: See ``Guard``.
        token: See ``Guard``.
    """
    api = _Api(session, finisher)
    routes = [
        Route("/", api.page),
        Mount("/static", StaticFiles(directory=PAGE / "static")),
        Route("/api/session", api.session),
        Route("/api/status", api.status),
        Route("/api/labels/{scene:int}", api.labels),
        Route("/api/tiles/{scene:int}/{zoom}/{column:int}/{row:int}", api.tile),
        Route("/api/cells/{scene:int}/{row:int}/{column:int}", api.cell),
        Route("/api/places", api.places),
        Route("/api/strokes", api.stroke, methods=["POST"]),
        Route("/api/edits", api.edit, methods=["POST"]),
        Route("/api/teach", api.teach, methods=["POST"]),
        Route("/api/finish", api.finish, methods=["POST"]),
    ]
    guard = Middleware(Guard, hosts=None if hosts is None else list(hosts), token=token)
    return Starlette(
        routes=routes, middleware=[guard], exception_handlers={TerrashotError: _explain}
    )


class _Api:
    """The answers.

    Args:
        session: The session.
        finisher: Makes model and maps.
    """

    def __init__(self, session: Session, finisher: Finisher) -> None:
        self._session = session
        self._store = session.store
        self._finisher = finisher

    def page(self, request: Request) -> Response:
        """The page itself."""
        return FileResponse(PAGE / "index.html")

    def session(self, request: Request) -> Response:
        """What there is: scenes, classes, labels' version, head."""
        session = self._session
        scenes = [
            {
                "name": scene.path.name,
                "height": scene.height,
                "width": scene.width,
                "lowest": picture.lowest,
                "advice": picture.advice,
            }
            for scene, picture in zip(session.scenes, session.pictures, strict=True)
        ]
        return JSONResponse(
            {
                "scenes": scenes,
                "cell": session.overlay.side,
                "labels": str(self._store.path),
                **self._state(),
                "head": _head(session.head),
            }
        )

    def status(self, request: Request) -> Response:
        """What may have changed meanwhile."""
        progress = self._finisher.progress
        return JSONResponse(
            {
                "version": self._store.version,
                "head": self._session.head.number,
                "trouble": self._session.trouble,
                "finish": {
                    "state": progress.state,
                    "share": progress.share,
                    "files": progress.files,
                    "error": progress.error,
                },
            }
        )

    def labels(self, request: Request) -> Response:
        """All labels on a scene."""
        version, shapes = self._session.shapes(request.path_params["scene"])
        return JSONResponse({"version": version, "labels": shapes})

    def tile(self, request: Request) -> Response:
        """A picture of the scene."""
        values = request.path_params
        scene, zoom = values["scene"], values["zoom"]
        if not _ZOOM.fullmatch(zoom) or scene >= len(self._session.pictures):
            return Response(status_code=404)
        found = self._session.pictures[scene].tile(int(zoom), values["column"], values["row"])
        if found is None:
            return Response(status_code=404)
        kind = "image/jpeg" if found[:2] == b"\xff\xd8" else "image/png"
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(found, media_type=kind, headers=headers)

    def cell(self, request: Request) -> Response:
        """What the head says: a byte of class and a byte of confidence a pixel, plane by plane."""
        values = request.path_params
        number, ids, confidence = self._session.cell(
            Cell(values["scene"], values["row"], values["column"])
        )
        packed = gzip.compress(ids.tobytes() + confidence.tobytes(), compresslevel=1)
        headers = {
            "Content-Encoding": "gzip",
            "X-Head": str(number),
            "X-Height": str(ids.shape[0]),
            "X-Width": str(ids.shape[1]),
        }
        return Response(packed, media_type="application/octet-stream", headers=headers)

    def places(self, request: Request) -> Response:
        """Where a label would help most."""
        share, found = self._session.places()
        rows = [
            {
                "scene": place.scene,
                "x": place.x,
                "y": place.y,
                "doubt": round(place.doubt, 3),
                "classes": list(place.classes),
            }
            for place in found
        ]
        return JSONResponse({"share": share, "places": rows, "head": self._session.head.number})

    async def stroke(self, request: Request) -> Response:
        """A label, or what the eraser takes away."""
        body = await _body(request)
        scene = body.get("scene")
        if not isinstance(scene, int) or isinstance(scene, bool):
            raise RefusedError("A stroke is on a scene.")
        name, version = str(body.get("class")), str(body.get("version"))
        return await self._edited(scene, lambda: self._session.draw(version, scene, name, body))

    async def edit(self, request: Request) -> Response:
        """Undo, redo, a label that goes, and all that is done to classes."""
        body = await _body(request)
        store, version = self._store, str(body.get("version"))
        name = str(body.get("name"))
        acts: dict[str, Callable[[], Edited]] = {
            "undo": lambda: store.undo(version),
            "redo": lambda: store.redo(version),
            "remove": lambda: store.remove(version, _keys(body.get("keys"))),
            "add_class": lambda: store.add_class(version, body.get("name"), body.get("color")),
            "rename_class": lambda: store.rename_class(version, name, body.get("new")),
            "recolor_class": lambda: store.recolor_class(version, name, body.get("color")),
            "merge_class": lambda: store.merge_class(version, name, str(body.get("into"))),
            "remove_class": lambda: store.remove_class(version, name),
        }
        act = acts.get(str(body.get("act")))
        if act is None:
            raise RefusedError("There is no such edit.")
        scene = body.get("scene")
        return await self._edited(scene if isinstance(scene, int) else 0, act)

    async def teach(self, request: Request) -> Response:
        """A head of all labels so far."""
        await _body(request)
        head = await run_in_threadpool(self._session.teach)
        return JSONResponse(_head(head))

    async def finish(self, request: Request) -> Response:
        """Begin to make model and maps."""
        await _body(request)
        return JSONResponse({"started": await run_in_threadpool(self._finisher.start)})

    async def _edited(self, scene: int, act: Callable[[], Edited]) -> Response:
        def work() -> dict[str, Any]:
            edited = act()
            self._session.prepare()
            return {
                "name": edited.name,
                "gone": list(edited.gone),
                "changed": self._session.plain(scene, edited.labels),
                **self._state(),
            }

        return JSONResponse(await run_in_threadpool(work))

    def _state(self) -> dict[str, Any]:
        undo, redo = self._store.undoable
        counts: dict[str, int] = {}
        for label in self._store.labels:
            counts[label.name] = counts.get(label.name, 0) + 1
        classes = [
            {"name": c.name, "color": c.color, "base": c.is_base, "labels": counts.get(c.name, 0)}
            for c in self._store.classes
        ]
        return {"version": self._store.version, "undo": undo, "redo": redo, "classes": classes}


def _head(head: Head) -> dict[str, Any]:
    taught = head.taught
    return {
        "number": head.number,
        "version": taught.version,
        "seconds": round(taught.seconds, 3),
        "windows": taught.windows,
        "notes": list(taught.notes),
        "classes": [
            {"name": c.name, "color": c.color, "novel": c.index >= taught.network.taxonomy.num_base}
            for c in taught.network.taxonomy.classes
        ],
    }


def _keys(value: object) -> list[int]:
    if not isinstance(value, list) or not all(isinstance(key, int) for key in value):
        raise RefusedError("Labels are named by their rows.")
    return value


async def _body(request: Request) -> dict[str, Any]:
    try:
        value = await request.json()
    except ValueError as error:  # no JSON, or text that is no text
        raise RefusedError("The request is no JSON.") from error
    if not isinstance(value, dict):
        raise RefusedError("The request is no JSON object.")
    return value


async def _explain(request: Request, error: Exception) -> Response:
    status, kind = next(
        (found for known, found in _STATUS.items() if isinstance(error, known)), (400, "failed")
    )
    return JSONResponse({"error": str(error), "kind": kind}, status)
