"""The page in a real Chromium: drawn, seen, taken back, gone on with after a restart, finished."""

import base64
import io
import json
import socket
import threading
import time

import numpy as np
import pytest
import rasterio
from PIL import Image
from tests.fixtures.ground import UTM, grid

import terrashot

pytest.importorskip("starlette")
import uvicorn

from terrashot.annotation.finish import Finisher, Sources, finish
from terrashot.annotation.overlay import Cell
from terrashot.annotation.server import make_app
from terrashot.annotation.teacher import Teaching

pytestmark = pytest.mark.slow
BLUE = np.array([20, 60, 220], np.uint8)[:, None, None]
# The share of a part of the scene that the prediction paints in a colour, from the page's canvas.
SHARE = """
const [left, top, width, height, color] = arguments;
const canvas = document.querySelector(".leaflet-prediction-pane canvas.leaflet-tile");
const data = canvas.getContext("2d").getImageData(left, top, width, height).data;
const wanted = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
let found = 0;
for (let i = 0; i < data.length; i += 4) found += wanted.every((v, j) => data[i + j] === v);
return found / (data.length / 4);
"""

COUNT = "return document.querySelector('#classes .own .count').textContent === arguments[0]"
GONE = f"return (function () {{{SHARE}}})(...arguments) === 0;"
FOUND = f"return (function () {{{SHARE}}})(...arguments) > 0.5;"


@pytest.fixture
def scene_file(write_raster):
    pixels = np.random.default_rng(0).integers(60, 120, (3, 384, 512), dtype=np.uint8)
    pixels[:, 40:140, 60:220] = BLUE
    pixels[:, 240:340, 300:460] = BLUE
    return write_raster("city.tif", pixels, crs=UTM, transform=grid())


@pytest.fixture
def serve(open_session, base, scene_file, tmp_path):
    servers = []

    def stop():
        server, thread, session = servers.pop()
        server.should_exit = True
        thread.join()
        session.close()

    def start(port=0):
        teaching = Teaching()  # a window shows all of the scene, as the map does
        session = open_session(teaching=teaching, side=512, margin=128)
        sources = Sources(tmp_path / "stage1.ckpt", str(scene_file), tmp_path / "out")
        finisher = Finisher(lambda tell: finish(base, session.store, teaching, sources, tell))
        listening = socket.create_server(("127.0.0.1", port))
        app = make_app(session, finisher, ["127.0.0.1"])
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        session.start()
        servers.append((server, thread, session))
        return listening.getsockname()[1], session

    yield start, stop
    while servers:
        stop()


def until(browser, script, *arguments, seconds=600):
    """Wait for a script to say something; the limit is for what will never come."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = browser.execute_script(script, *arguments)
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s for: {script}")


def click(browser, selector):
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def on_screen(browser, x, y):
    """Where a pixel of the scene is on the map, from its middle, for the mouse."""
    script = """
    const tile = document.querySelector(".leaflet-prediction-pane canvas.leaflet-tile");
    const frame = tile.getBoundingClientRect(), map = document.getElementById("map");
    const box = map.getBoundingClientRect(), scale = frame.width / 512;
    return [frame.left + arguments[0] * scale - box.left - box.width / 2,
            frame.top + arguments[1] * scale - box.top - box.height / 2];
    """
    return browser.execute_script(script, x, y)


def polygon(browser, *corners):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    click(browser, "[data-tool=polygon]")
    scene = browser.find_element("id", "map")
    hand = ActionChains(browser, duration=50)
    for corner in corners:
        x, y = on_screen(browser, *corner)
        hand.move_to_element_with_offset(scene, round(x), round(y)).click()
    hand.send_keys(Keys.ENTER).perform()


def prediction(browser):
    """Colours and opacity of the prediction's only canvas [H, W, 4]."""
    script = """
    const canvas = document.querySelector(".leaflet-prediction-pane canvas.leaflet-tile");
    return canvas.toDataURL("image/png").split(",")[1];
    """
    picture = base64.b64decode(browser.execute_script(script))
    return np.array(Image.open(io.BytesIO(picture)).convert("RGBA"))


def open_page(browser, port):
    browser.get(f"http://127.0.0.1:{port}/")
    until(browser, "return document.body.dataset.ready")
    until(browser, "return document.getElementById('map').dataset.painted !== undefined")


def test_a_class_from_the_first_corner_to_the_map(browser, serve, scene_file, tmp_path):
    start, stop = serve
    port, session = start()
    browser.get_log("browser"), browser.get_log("performance")
    size = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    open_page(browser, port)

    browser.find_element("id", "new-name").send_keys("pool\n")
    until(browser, "return document.querySelector('#classes .own')")
    polygon(browser, (65, 45), (215, 45), (215, 135), (65, 135))
    until(browser, COUNT, "1")
    assert session.store.labels[0].name == "pool"
    color = session.store.classes[-1].color
    pool = (75, 55, 130, 70, color)
    until(browser, FOUND, *pool)

    click(browser, "#undo")
    until(browser, COUNT, "")
    until(browser, GONE, *pool)
    click(browser, "#redo")
    until(browser, COUNT, "1")
    until(browser, FOUND, *pool)
    click(browser, "#classes .own .eye")
    assert browser.execute_script(GONE, *pool)
    click(browser, "#classes .own .eye")

    stop()  # a restart in the middle of it
    _, session = start(port)
    open_page(browser, port)
    until(browser, COUNT, "1")
    until(browser, FOUND, *pool)
    polygon(browser, (320, 160), (400, 160), (400, 200), (320, 200))
    until(browser, COUNT, "2")
    click(browser, "#undo")
    until(browser, COUNT, "1")
    until(browser, FOUND, *pool)

    click(browser, "#finish")
    click(browser, "#done-start")
    progress = "return document.getElementById('done-state').textContent"
    ended = f"return !/^(|Making.*|Mapping.*)$/.test((function () {{{progress}}})())"
    until(browser, ended)
    assert browser.execute_script(progress) == "Done."
    model = terrashot.load(tmp_path / "out/adapted.ckpt")
    _, overlay, _ = session.cell(Cell(0, 0, 0))
    assert (overlay == 3).any()
    palette = np.array([(*rgb, 255) for rgb in model.taxonomy.palette().tolist()])
    palette[0] = 0  # the page begins with the background switched off
    np.testing.assert_array_equal(prediction(browser)[:384], palette[overlay])
    # The page shows the scene as it is; maps average mirrored views of it too, unless told not to,
    # which to a network of random weights makes a difference.
    terrashot.map_scene(model, scene_file, tmp_path / "plain", views="plain")
    with rasterio.open(tmp_path / "plain/city.tif") as source:
        assert (source.read(1) == overlay).mean() > 0.995  # features are kept in half precision
    with rasterio.open(tmp_path / "out/maps/city.tif") as source:
        assert (source.read(1)[55:125, 75:205] == 3).mean() > 0.5

    told = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    # While the server was away the page asked for its state; Chromium reports that itself.
    assert [text for text in told if "net::ERR_" not in text] == []
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    hosts = {a["request"]["url"] for a in asked if a["request"]["url"].startswith("http")}
    assert hosts
    assert all(url.startswith(f"http://127.0.0.1:{port}/") for url in hosts)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_a_laptop_a_tablet_and_a_phone(browser, serve, theme):
    start, _ = serve
    port, _ = start()
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    for width, height in [(1366, 768), (820, 1180), (390, 780)]:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 1000}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        open_page(browser, port)
        needed, there = browser.execute_script(
            "return [document.documentElement.scrollWidth, innerWidth]"
        )
        assert needed <= there == width
        ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground.strip("rgb()").split(","))) > 380) == (theme == "light")
        nameless = browser.execute_script(
            "return [...document.querySelectorAll('button, input, select')].filter((e) =>"
            " !(e.ariaLabel || e.textContent.trim() || e.labels?.length || e.title)).length"
        )
        assert nameless == 0


def test_keys_choose_tools_and_layers(browser, serve):
    from selenium.webdriver.common.keys import Keys

    start, _ = serve
    port, _ = start()
    size = {"width": 1366, "height": 768, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    open_page(browser, port)
    scene = browser.find_element("id", "map")
    pressed = "return document.querySelector('#tools [aria-pressed=true]').dataset.tool"
    for key, tool in {"p": "polygon", "r": "rectangle", "b": "brush", "e": "eraser"}.items():
        scene.send_keys(key)
        assert browser.execute_script(pressed) == tool
    before = browser.execute_script("return document.getElementById('width-range').value")
    scene.send_keys("]")
    assert int(browser.execute_script("return document.getElementById('width-range').value")) > int(
        before
    )
    scene.send_keys("c")
    assert browser.execute_script("return !document.getElementById('ramp').hidden")
    scene.send_keys("s")
    assert browser.execute_script("return !document.getElementById('swipe').hidden")
    scene.send_keys("?")
    assert browser.execute_script("return document.getElementById('keys').open")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    scene.send_keys("h")
    assert browser.execute_script(pressed) == "hand"
