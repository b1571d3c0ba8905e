"""A folder over HTTP with byte ranges, as object stores serve it, each answer a moment late.

python scripts/benchmarking/range_server.py FOLDER --latency 0.05

Prints its port. It stands alone, without the package, so that it starts at once and in a process of
its own: GDAL may hold Python's lock while it waits for an answer.
"""

import argparse
import re
import sys
import time
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class RangeHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for files of a folder, whole or in part.

    Args:
        latency: Seconds before each answer.
    """

    protocol_version = "HTTP/1.1"  # connections stay open, as those of real stores do

    def __init__(self, *arguments: object, latency: float = 0.0, **further: object) -> None:
        self.latency = latency
        super().__init__(*arguments, **further)  # type: ignore[arg-type] # whatever the server gives

    def do_GET(self) -> None:
        """Answer with a file or a part of it."""
        self.answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with the length of a file."""
        self.answer(body=False)

    def answer(self, body: bool) -> None:
        """Wait for the latency, then answer."""
        time.sleep(self.latency)
        file = Path(str(self.directory)) / unquote(urlsplit(self.path).path).lstrip("/")
        if not file.is_file():
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        size = file.stat().st_size
        first, stop = 0, size
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first, stop = int(asked[1]), min(int(asked[2] or size - 1) + 1, size)
            if first >= size:
                self.send_error(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                return
        self.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Length", str(stop - first))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{size}")
        self.end_headers()
        if body:
            with file.open("rb") as source:
                source.seek(first)
                self.send_body(source.read(stop - first))

    def send_body(self, content: bytes) -> None:
        """Send what was asked for."""
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class RangeServer(ThreadingHTTPServer):
    """A thread a connection, none of which is waited for at the end."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that hung up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type] # as it came


def serve(handler: type[RangeHandler], folder: str, latency: float) -> None:
    """Serve a folder on a free port of this machine until the process is stopped."""
    server = RangeServer(("127.0.0.1", 0), partial(handler, directory=folder, latency=latency))
    print(server.server_address[1], flush=True)
    server.serve_forever()


def main() -> None:
    """Serve the folder of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    serve(RangeHandler, options.folder, options.latency)


if __name__ == "__main__":
    main()
