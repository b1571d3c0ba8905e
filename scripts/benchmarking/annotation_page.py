"""The annotation page without its browser: a server of this process, asked as the page asks it."""

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from terrashot.annotation.allocator import give_back_large_blocks
from terrashot.annotation.finish import Finisher
from terrashot.annotation.server import make_app
from terrashot.annotation.session import Session
from terrashot.annotation.store import LabelStore
from terrashot.annotation.teacher import Teaching
from terrashot.mapping.scene import inspect_scene
from terrashot.model.model import Model
from terrashot.networks.features import DECODER

CONNECTIONS = 6
"""That a browser opens to one host."""


class Page:
    """What the page does.

    Args:
        port: Of the server.

    Attributes:
        port: Of the server.
        classes: Names of the head's classes, in the order of their ids.
        size: Height and width of the scene.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._threads = ThreadPoolExecutor(CONNECTIONS)
        self._own = threading.local()
        found = self.get("/api/session")
        self._version, self.side = found["version"], found["cell"]
        scene = found["scenes"][0]
        self.size, self.lowest = (scene["height"], scene["width"]), scene["lowest"]
        self.classes = [c["name"] for c in found["head"]["classes"]]

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """An answer."""
        return json.loads(self._ask("GET", path)[0])

    def post(self, path: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
        """An answer to an edit, which the next edit has seen."""
        body = {"version": self._version, "scene": 0, **body}
        answer = json.loads(self._ask("POST", path, json.dumps(body))[0])
        self._version = answer.get("version", self._version)
        return answer

    def draw(self, name: str, points: list[list[float]]) -> None:
        """A polygon of a class."""
        self.post("/api/strokes", tool="polygon", points=points, **{"class": name})

    def clear(self) -> None:
        """Take all labels out."""
        keys = [label["key"] for label in self.get("/api/labels/0")["labels"]]
        if keys:
            self.post("/api/edits", act="remove", keys=keys)

    def teach(self) -> None:
        """A head of all labels."""
        head = json.loads(self._ask("POST", "/api/teach", "{}")[0])
        self.classes = [c["name"] for c in head["classes"]]

    def tiles(self) -> int:
        """Ask for the pictures of the whole scene and for those one zoom closer; how many."""
        asked = []
        for zoom in (self.lowest, min(0, self.lowest + 1)):
            rows, columns = (-(-length // (256 << -zoom)) for length in self.size)
            asked += [
                f"/api/tiles/0/{zoom}/{column}/{row}"
                for row in range(rows)
                for column in range(columns)
            ]
        return len(list(self._threads.map(lambda path: self._ask("GET", path), asked)))

    def overlay(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Ids of the classes in a view, uint8 [height, width]; whole cells are asked for."""
        side = self.side
        rows = range(top // side, -(-min(top + height, self.size[0]) // side))
        columns = range(left // side, -(-min(left + width, self.size[1]) // side))
        found = np.empty((len(rows) * side, len(columns) * side), np.uint8)

        def fetch(place: tuple[int, int]) -> None:
            row, column = place
            packed, headers = self._ask("GET", f"/api/cells/0/{row}/{column}")
            shape = int(headers["X-Height"]), int(headers["X-Width"])
            ids = np.frombuffer(gzip.decompress(packed), np.uint8, shape[0] * shape[1])
            y, x = (row - rows.start) * side, (column - columns.start) * side
            found[y : y + shape[0], x : x + shape[1]] = ids.reshape(shape)

        list(self._threads.map(fetch, [(row, column) for row in rows for column in columns]))
        y, x = top - rows.start * side, left - columns.start * side
        return found[y : y + height, x : x + width]

    def map(self) -> np.ndarray:
        """Ids of the classes of the scene, uint8 [H, W]."""
        return self.overlay(0, 0, *self.size)

    def close(self) -> None:
        """Close all connections."""
        self._threads.shutdown()

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[bytes, Any]:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {"Content-Type": "application/json"}
        self._own.connection.request(method, path, body, headers)
        answer = self._own.connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content, answer.headers


@contextmanager
def served(
    model: Model, scene: Path, labels: Path, seed: int = 0, features: str = DECODER
) -> Iterator[Page]:
    """A page on one scene, as ``terrashot annotate`` serves it.

    Args:
        model: A stage-1 network.
        scene: The scene.
        labels: The GeoPackage; it is made.
        seed: Of the head.
        features: What it sees.
    """
    give_back_large_blocks()
    own = inspect_scene(scene, model.imagery)
    store = LabelStore(labels, model.taxonomy.classes, own.crs, author="script")
    session = Session(model, [own], store, Teaching(seed=seed, features=features))
    listening = socket.create_server(("127.0.0.1", 0))
    app = make_app(session, Finisher(lambda tell: []), ["127.0.0.1"])
    # Between two questions scripts think longer than browsers do.
    config = uvicorn.Config(app, log_level="warning", timeout_keep_alive=3600)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    session.start()
    page = Page(listening.getsockname()[1])
    try:
        yield page
    finally:
        page.close()
        server.should_exit = True
        thread.join()
        session.close()
