"""The pages in a real Chromium: quiet, offline, and every control does something."""

import json

import pytest

from terrashot.reporting.html.run_report import run_page, run_report
from terrashot.reporting.html.sweep_report import sweep_page

pytestmark = pytest.mark.slow
PIXELS = """
const done = arguments[arguments.length - 1];
const canvas = document.querySelector(arguments[0]);
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
crypto.subtle.digest("SHA-1", data).then((d) => done([...new Uint8Array(d)].join()), done);
"""


@pytest.fixture(scope="session")
def pages(run_material, sweep_material, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    results = {
        "similarity": {"name": "Uniform", "matrix": [[1 / 3, 0.2], [1 / 3, 0.5], [1 / 3, 0.3]]}
    }
    (folder / "run.html").write_text(
        run_page(run_report(run_material(results=results))), encoding="utf-8"
    )
    (folder / "sweep.html").write_text(sweep_page(sweep_material), encoding="utf-8")
    return folder


@pytest.fixture
def opened(browser, pages):
    """Open a page at a width; in the end, its console and its requests are looked at."""
    browser.get_log("browser"), browser.get_log("performance")

    def open_page(name, width=1366, theme="light"):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": theme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        browser.get((pages / name).as_uri())
        browser.execute_script("try { localStorage.clear() } catch {}")
        browser.get((pages / name).as_uri())
        return browser

    yield open_page
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    own = ("data:", "blob:", "chrome")  # the last: the browser's own pages
    pages = {a for a in requests_of(browser) if not a.startswith(own)}
    assert pages
    assert all(a.startswith("file:") and a.endswith(("/run.html", "/sweep.html")) for a in pages)


def requests_of(browser):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [params["request"]["url"] for params in asked]


def pixels(browser, selector):
    return browser.execute_async_script(PIXELS, selector)


def painted(browser, act):
    """Do something and wait until the viewer has painted again."""
    from selenium.webdriver.support.ui import WebDriverWait

    script = "return Number(document.getElementById('viewer').dataset.painted || 0)"
    before = browser.execute_script(script)
    act()
    WebDriverWait(browser, 10).until(lambda b: b.execute_script(script) > before)


def set_value(browser, selector, value, event):
    browser.execute_script(
        "const i = document.querySelector(arguments[0]); i.value = arguments[1];"
        "i.dispatchEvent(new Event(arguments[2], {bubbles: true}));",
        selector, value, event,
    )  # fmt: skip


def click(browser, selector):
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def wait_for_viewer(browser):
    from selenium.webdriver.support.ui import WebDriverWait

    script = "return document.getElementById('viewer').dataset.painted"
    WebDriverWait(browser, 10).until(lambda b: b.execute_script(script))


TRUTH, PREDICTION = "canvas[data-layer=truth]", "canvas[data-layer=prediction]"
IMAGE, ERROR = "canvas[data-layer=image]", "canvas[data-layer=error]"


@pytest.mark.parametrize("name", ["run.html", "sweep.html"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_fits_a_phone_and_a_laptop_and_follows_the_theme(opened, name, theme):
    for width in (390, 1366):
        browser = opened(name, width, theme)
        script = "return [document.documentElement.scrollWidth, innerWidth]"
        needed, there = browser.execute_script(script)
        assert needed <= there == width
        colour = "return getComputedStyle(document.body).backgroundColor"
        before = browser.execute_script(colour)
        light = sum(map(int, before.strip("rgb()").split(","))) > 380
        assert light == (theme == "light")
        click(browser, "#theme")
        after = browser.execute_script(colour)
        assert (sum(map(int, after.strip("rgb()").split(","))) > 380) != light


def test_class_toggles_and_sliders_change_the_pixels(opened):
    browser = opened("run.html")
    wait_for_viewer(browser)
    kinds = (IMAGE, TRUTH, PREDICTION, ERROR)
    first = {kind: pixels(browser, kind) for kind in kinds}
    assert len(set(first.values())) == 4

    painted(browser, lambda: click(browser, ".chips label:not([hidden]) input"))
    fewer = {kind: pixels(browser, kind) for kind in kinds}
    assert fewer[IMAGE] == first[IMAGE]
    assert fewer[TRUTH] != first[TRUTH]
    assert fewer[PREDICTION] != first[PREDICTION]
    painted(browser, lambda: click(browser, "[data-all=true]"))
    assert pixels(browser, TRUTH) == first[TRUTH]

    painted(browser, lambda: set_value(browser, "#opacity", 0, "input"))
    assert pixels(browser, PREDICTION) == pixels(browser, PREDICTION)
    assert pixels(browser, PREDICTION) != first[PREDICTION]
    painted(browser, lambda: set_value(browser, "#opacity", 100, "input"))
    painted(browser, lambda: click(browser, "[data-all=false]"))
    # Without a class only the pixels without a label are painted, and the prediction has none.
    assert pixels(browser, PREDICTION) == first[IMAGE]
    assert pixels(browser, ERROR) != first[ERROR]
    painted(browser, lambda: click(browser, "[data-all=true]"))

    painted(browser, lambda: click(browser, ".picker button:nth-of-type(3)"))
    assert pixels(browser, IMAGE) != first[IMAGE]
    assert browser.find_element("id", "tile-name").text.startswith("tile_")


def test_the_swipe_shows_one_layer_on_either_side(opened):
    browser = opened("run.html")
    wait_for_viewer(browser)
    truth, prediction = pixels(browser, TRUTH), pixels(browser, PREDICTION)
    painted(browser, lambda: click(browser, "input[value=swipe]"))
    middle = pixels(browser, "#swipe-canvas")
    assert middle not in (truth, prediction)
    set_value(browser, "#divider", 1000, "input")
    assert pixels(browser, "#swipe-canvas") == truth
    set_value(browser, "#divider", 0, "input")
    assert pixels(browser, "#swipe-canvas") == prediction
    painted(browser, lambda: set_value(browser, "#right-layer", "image", "change"))
    assert pixels(browser, "#swipe-canvas") not in (truth, prediction)


def test_colours_on_the_canvas_are_those_of_the_classes(opened, run_material, panel_of, taxonomy):
    browser = opened("run.html")
    wait_for_viewer(browser)
    script = (
        "const c = document.querySelector(arguments[0]);"
        "return [...c.getContext('2d').getImageData(arguments[1], arguments[2], 1, 1).data]"
    )
    panel = panel_of(run_material().tiles.payload["tiles"][0]["name"])
    palette = taxonomy.palette()
    for row, column in [(0, 0), (20, 3), (40, 30), (47, 47)]:
        *rgb, alpha = browser.execute_script(script, TRUTH, column, row)
        assert alpha == 255
        assert rgb == palette[panel.truth[row, column]].tolist()


def test_heat_map_cells_are_walked_by_arrow_keys_and_say_their_count(opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened("run.html")
    tips = "const tip = document.getElementById('tip'); return [tip.hidden, tip.textContent]"
    browser.execute_script("document.querySelector('#confusion td[tabindex=\"0\"]').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    hidden, text = browser.execute_script(tips)
    assert not hidden
    assert text.startswith("background → tree")
    assert "pixels" in text
    browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert browser.execute_script(tips)[1].startswith("tree → tree")
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert browser.execute_script(tips)[0]


def test_curves_are_read_by_arrow_keys(opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened("run.html")
    reading = "return document.querySelector('#curves .reading').textContent"
    assert browser.execute_script(reading) == "25.0"
    browser.execute_script("document.querySelector('#curves svg').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    assert browser.execute_script(reading) == "30.0"


def test_the_configuration_can_be_searched(opened):
    browser = opened("run.html")
    click(browser, "#config summary")
    set_value(browser, ".filter", "novel_weight", "input")
    rows = (
        "return [...document.querySelectorAll('#config-table tr')].filter((r) => !r.hidden).length"
    )
    assert browser.execute_script(rows) == 1
    set_value(browser, ".filter", "no such key", "input")
    assert browser.execute_script("return !document.querySelector('[data-empty]').hidden")


@pytest.mark.parametrize(
    ("name", "table", "column"), [("sweep.html", "#summary", 4), ("run.html", "#tiles details", 1)]
)
def test_columns_are_sorted_by_number_and_back(opened, name, table, column):
    browser = opened(name)
    script = (
        f"return [...document.querySelectorAll('{table} tbody tr')]"
        f".map((r) => parseFloat(r.cells[{column}].textContent))"
    )
    head = f"{table} thead th:nth-child({column + 1}) button"
    click(browser, head)
    assert (down := browser.execute_script(script)) == sorted(down, reverse=True)
    click(browser, head)
    assert browser.execute_script(script) == sorted(down)


def test_links_of_a_sweep_lead_to_the_jobs(opened):
    browser = opened("sweep.html")
    links = browser.find_elements("css selector", "#jobs a")
    assert len(links) == 11
    assert links[0].get_attribute("href").startswith("file:///")
    assert links[0].get_attribute("href").endswith("/stage2/ce_none_0/report.html")
