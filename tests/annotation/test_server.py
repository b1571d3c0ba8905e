"""What the page asks the server, and what nobody else may."""

import gzip
import io
import sqlite3

import numpy as np
import pytest
from PIL import Image
from tests.annotation.conftest import SIZE, box

pytest.importorskip("starlette")
from starlette.testclient import TestClient

from terrashot.annotation.finish import Finisher
from terrashot.annotation.guard import Guard, is_loopback, new_token
from terrashot.annotation.server import PAGE, make_app
from terrashot.errors import DataError

LOCAL = ["localhost", "127.0.0.1"]


@pytest.fixture
def finisher():
    def work(tell):
        tell("mapping", 0.5)
        raise DataError("the scene has gone")

    return Finisher(work)


@pytest.fixture
def client(session, finisher):
    app = make_app(session, finisher, LOCAL)
    return TestClient(app, base_url="http://localhost:8008", follow_redirects=False)


def post(client, path, **body):
    body.setdefault("version", client.get("/api/session").json()["version"])
    return client.post(path, json=body)


def draw(client, stroke, name="pool", **more):
    return post(client, "/api/strokes", scene=0, **{"class": name}, **stroke, **more)


def test_a_session_from_the_first_stroke_to_the_map(client):
    found = client.get("/api/session").json()
    scene = {"name": "city.tif", "height": 150, "width": 200, "lowest": 0, "advice": ""}
    assert found["scenes"] == [scene]
    assert [c["name"] for c in found["classes"]] == ["background", "tree", "road", "pool"]
    assert found["head"]["number"] == 0
    drawn = draw(client, box(30, 20, 90, 60)).json()
    assert drawn["undo"] == "draw pool"
    assert drawn["classes"][3]["labels"] == 1
    assert drawn["changed"][0]["class"] == "pool"
    head = client.post("/api/teach", json={}).json()
    assert head["number"] == 1
    assert [c["novel"] for c in head["classes"]] == [False, False, False, True]
    cell = client.get("/api/cells/0/0/0")
    assert cell.headers["X-Head"] == "1"
    assert (cell.headers["X-Height"], cell.headers["X-Width"]) == ("64", "64")
    ids, confidence = np.frombuffer(cell.content, np.uint8).reshape(2, 64, 64)
    assert (ids[25:55, 35:60] == 3).mean() > 0.9
    assert confidence.max() <= 100
    undone = post(client, "/api/edits", act="undo").json()
    assert (undone["gone"], undone["redo"]) == ([drawn["changed"][0]["key"]], "draw pool")
    assert client.get("/api/labels/0").json()["labels"] == []
    assert client.get("/api/places").json()["share"] > 0


def test_a_cell_at_the_border_is_cut_and_packed(client):
    answer = client.get("/api/cells/0/2/3", headers={"accept-encoding": "identity"})
    assert (answer.headers["X-Height"], answer.headers["X-Width"]) == ("22", "8")
    assert len(answer.content) == 2 * 22 * 8


def test_tiles_show_the_scene(client, scene_file):
    answer = client.get("/api/tiles/0/0/0/0")
    assert answer.headers["content-type"] == "image/png"  # it is smaller than a tile
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert picture.shape == (256, 256, 4)
    assert picture[40, 60].tolist() == [20, 60, 220, 255]
    assert picture[: SIZE[0], : SIZE[1], 3].min() == 255
    assert picture[SIZE[0] :, :, 3].max() == 0
    for path in ("0/0/1/0", "0/1/0/0", "0/-1/0/0", "7/0/0/0", "0/x/0/0", "0/-/0/0", "0/²/0/0"):
        assert client.get(f"/api/tiles/{path}").status_code == 404


def test_two_pages_at_once(client):
    seen = client.get("/api/session").json()["version"]
    assert draw(client, box(30, 20, 90, 60)).status_code == 200
    late = draw(client, box(100, 100, 120, 120), version=seen)
    assert late.status_code == 409
    assert late.json()["kind"] == "stale"
    assert "loaded again" in late.json()["error"]
    assert len(client.get("/api/labels/0").json()["labels"]) == 1


def test_a_full_disk_is_said(client, session):
    session.store._journal.connection.execute("PRAGMA max_page_count = 1")
    zigzag = [[i % 200, (i * 37) % 150] for i in range(5000)]
    answer = draw(client, {"tool": "brush", "points": zigzag, "width": 1})
    assert answer.status_code == 507
    assert "no space left" in answer.json()["error"]
    assert session.store.labels == []


def test_classes_over_http(client):
    assert post(client, "/api/edits", act="add_class", name="<b>").status_code == 200
    assert (
        post(client, "/api/edits", act="rename_class", name="<b>", new="court").status_code == 200
    )
    assert post(client, "/api/edits", act="recolor_class", name="court", color="#123456").is_success
    names = {c["name"]: c["color"] for c in client.get("/api/session").json()["classes"]}
    assert names["court"] == "#123456"
    assert post(client, "/api/edits", act="merge_class", name="court", into="road").is_success
    assert post(client, "/api/edits", act="remove_class", name="pool").is_success
    assert len(client.get("/api/session").json()["classes"]) == 3


@pytest.mark.parametrize(
    "body",
    [
        {"act": "format"},
        {"act": "add_class", "name": ["x"]},
        {"act": "remove", "keys": "all"},
        {"act": "undo", "scene": 99},
    ],
)
def test_edits_that_are_none_are_refused(client, body):
    assert post(client, "/api/edits", **body).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 422), (b"[]", 422), (b"\xff\xfe", 422), (b'{"scene": true}', 422), (b"{}", 422)],
)
def test_requests_that_are_no_json_object_are_refused(client, body, status):
    headers = {"content-type": "application/json"}
    assert client.post("/api/strokes", content=body, headers=headers).status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/static/../index.html",
        "/static/..%2f..%2fserver.py",
        "/static/%2e%2e/%2e%2e/server.py",
        "/static//etc/passwd",
        "/api/labels/99",
        "/api/labels/..%2f..%2fetc",
        "/etc/passwd",
    ],
)
def test_no_other_path_can_be_read(client, path):
    answer = client.get(path)
    assert answer.status_code in (404, 405, 422)
    assert b"root:" not in answer.content
    assert b"starlette" not in answer.content


def test_another_name_is_not_answered(client):
    for host in ("evil.example", "evil.example:8008", "localhost.evil.example", ""):
        assert client.get("/api/session", headers={"host": host}).status_code == 421
    assert client.get("/api/session", headers={"host": "127.0.0.1:8008"}).status_code == 200


def test_other_sites_change_nothing(client, session):
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"content-type": "text/plain"},
    ):
        given = {"content-type": "application/json"} | headers
        body = b'{"act": "add_class", "name": "x"}'
        assert client.post("/api/edits", content=body, headers=given).status_code in (403, 415)
    own = {"origin": "http://localhost:8008"}
    assert client.post("/api/teach", json={}, headers=own).status_code == 200
    big = client.post("/api/teach", json={"x": "y" * (5 * 2**20)})
    assert big.status_code == 413
    assert len(session.store.classes) == 4


def test_another_address_takes_the_token(session, finisher):
    token = new_token("0.0.0.0")
    assert new_token("127.0.0.1") is new_token("localhost") is new_token("::1") is None
    app = make_app(session, finisher, None, token)
    client = TestClient(app, base_url="http://anywhere:8008", follow_redirects=False)
    for path in ("/", "/api/session", "/?token=", "/?token=wrong", "/static/app.js"):
        assert client.get(path).status_code == 403
    entered = client.get(f"/?token={token}")
    assert entered.status_code == 303
    assert entered.headers["location"] == "/"
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert client.get("/api/session").status_code == 200
    with pytest.raises(ValueError, match="needs a token"):
        Guard(app, None, None)


def test_loopback():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.5", "example.org", ""]))


def test_the_page_loads_from_this_server_alone(client):
    page = client.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "style=" not in page.text
    assert "://" not in page.text
    for file in sorted((PAGE / "static").glob("*.js")):
        text = file.read_text(encoding="utf-8")
        assert "innerHTML" not in text
        assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
        assert client.get(f"/static/{file.name}").status_code == 200
    assert (PAGE / "static/leaflet/LICENSE").is_file()
    assert b"sourceMappingURL" not in (PAGE / "static/leaflet/leaflet.js").read_bytes()


def test_finishing_that_fails_says_why(client, finisher):
    assert client.post("/api/finish", json={}).json() == {"started": True}
    finisher._thread.join()
    assert client.get("/api/status").json()["finish"] == {
        "state": "failed", "share": 0.0, "files": [], "error": "the scene has gone",
    }  # fmt: skip


def test_what_another_program_has_written_is_seen(client, session):
    before = client.get("/api/status").json()["version"]
    with sqlite3.connect(session.store.path) as other:
        other.execute("UPDATE terrashot_classes SET color = '#000001'")
    other.close()
    assert client.get("/api/status").json()["version"] != before
    assert client.get("/api/session").json()["classes"][3]["color"] == "#000001"


def test_cells_travel_packed(client):
    request = client.build_request("GET", "/api/cells/0/0/0")
    raw = b"".join(client.send(request, stream=True).iter_raw())
    assert len(gzip.decompress(raw)) == 2 * 64 * 64
