"""A record server on this machine that can be told to misbehave."""

import hashlib
import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from terrashot.data.download.fetch import Fetcher
from terrashot.data.download.zenodo import RemoteFile


class RecordServer:
    """Serves ``files`` (name -> bytes) as record 7 and remembers what was asked."""

    def __init__(self):
        self.files = {}
        self.md5 = {}  # name -> wrong checksum to claim
        self.cuts = []  # bytes after which the next answers break off
        self.statuses = []  # statuses of the next answers in place of the content
        self.ranges = True  # whether Range is understood
        self.record_body = None  # what to send in place of the record
        self.asked = []  # (name, Range header) of each content request
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def remote(self, name):
        content = self.files[name]
        md5 = self.md5.get(name) or hashlib.md5(content).hexdigest()
        return RemoteFile(name, len(content), md5, f"{self.url}/content/{name}")

    def record(self):
        rows = [self.remote(name) for name in self.files]
        return {
            "id": 7,
            "metadata": {"title": "Tiles"},
            "files": [
                {
                    "id": "0",
                    "key": r.name,
                    "size": r.size,
                    "checksum": f"md5:{r.md5}",
                    "links": {"self": r.url},
                }
                for r in rows
            ],
        }

    def answer(self, request):
        if request.path == "/api/records/7":
            body = self.record_body or json.dumps(self.record()).encode()
            kind = "text/html" if self.record_body else "application/json"
            self._send(request, 200, body, {"Content-Type": kind})
        elif request.path.startswith("/content/"):
            self._content(request, request.path.removeprefix("/content/"))
        else:
            self._send(request, 404, b"{}")

    def _content(self, request, name):
        span = request.headers.get("Range")
        self.asked.append((name, span))
        if self.statuses:
            self._send(request, self.statuses.pop(0), b"busy", {"Retry-After": "7"})
            return
        content = self.files[name]
        start = int(span.removeprefix("bytes=").rstrip("-")) if span and self.ranges else 0
        if start >= len(content):
            self._send(request, 416, b"")
            return
        headers = {}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = self.cuts.pop(0) if self.cuts else None
        self._send(request, 206 if start else 200, content[start:], headers, cut)

    @staticmethod
    def _send(request, status, body, headers=None, cut=None):
        request.send_response(status)
        for key, value in (headers or {}).items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[:cut])
        request.close_connection = True


def zip_bytes(members):
    """A zip of ``members``: path -> bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in members.items():
            archive.writestr(path, content)
    return buffer.getvalue()


@pytest.fixture(name="make_zip")
def _make_zip():
    return zip_bytes


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    record_server = RecordServer()
    yield record_server
    record_server.close()


@pytest.fixture
def naps():
    """Seconds that the fetcher would have waited."""
    return []


@pytest.fixture
def fetcher(tmp_path, naps):
    return Fetcher(tmp_path / "work", retries=4, timeout=5, sleep=naps.append)
