"""The annotation page in a real Chromium, drawn on with the mouse."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapely

_PATIENCE = 300.0
"""Seconds after which something is taken for broken."""
_NEAR = 12
"""Pixels of the screen; a click so near to the first corner closes a polygon."""

# Notes when a stroke leaves the page, and the frame in which all parts of the view show a head that
# is newer than the one before it.
_WATCH = """
const own = (window.watched = { began: null, seconds: null });
const parts = () => [...document.querySelectorAll(".leaflet-prediction-pane canvas.leaflet-tile")];
const ask = window.fetch;
window.fetch = (path, ...more) => {
  if (path === "/api/strokes") {
    const heads = parts().map((part) => part.found?.head ?? -1);
    Object.assign(own, { began: performance.now(), seconds: null, last: Math.max(...heads) });
  }
  return ask(path, ...more);
};
(function look(now) {
  const all = own.began !== null && own.seconds === null ? parts() : [];
  if (all.length && all.every((part) => part.found?.head > own.last)) {
    own.seconds = (performance.now() - own.began) / 1000;
  }
  requestAnimationFrame(look);
})();
"""
# Where the scene's upper left corner is on the screen, and how large its pixels are there.
_FRAME = r"""
for (const tile of document.querySelectorAll(".scene-tile img")) {
  const found = tile.src.match(/\/(-?\d+)\/(\d+)\/(\d+)$/);
  if (!found || !tile.complete || !tile.naturalWidth) continue;
  const [zoom, column, row] = found.slice(1).map(Number);
  const box = tile.getBoundingClientRect(), side = 256 << -zoom, scale = box.width / side;
  return [box.left - column * side * scale, box.top - row * side * scale, scale];
}
"""
_AREA = """
const box = document.getElementById("map").getBoundingClientRect();
return [box.left, box.top, box.width, box.height];
"""
_SHOWN = """
const all = [...document.querySelectorAll(".leaflet-prediction-pane canvas.leaflet-tile")];
return all.length > 0 && all.every((part) => part.found);
"""


class BrowserPage:
    """The page on a screen.

    Args:
        driver: A Chromium.
        port: Of the server.
        view: Height and width of the map on the screen, in pixels.
    """

    def __init__(self, driver: Any, port: int, view: tuple[int, int]) -> None:  # noqa: ANN401
        self.driver = driver
        self.resize(1366, 768)
        driver.get(f"http://127.0.0.1:{port}/")
        self._until("return document.body.dataset.ready")
        beyond = self.area[0] + 1366 - sum(self.area[::2]), 768 - self.area[3]
        self.resize(view[1] + round(beyond[0]), view[0] + round(beyond[1]))
        self._still()  # the map has heard of its size
        self.click("#whole")
        while (scale := self._still()[2]) < 0.99:
            self.click("#closer")
            self._until(f"return (() => {{{_FRAME}}})()?.[2] > {scale}")
        self._until(_SHOWN)
        driver.execute_script(_WATCH)

    @property
    def area(self) -> tuple[float, ...]:
        """Left, top, width and height of the map on the screen."""
        return tuple(self.driver.execute_script(_AREA))

    def _still(self) -> list[float]:
        """Where the scene is once it no longer moves: zooming is animated."""
        before: list[float] = []
        while True:
            time.sleep(0.5)
            now: list[float] = self._until(_FRAME)
            if now == before:
                return now
            before = now

    @property
    def view(self) -> tuple[int, ...]:
        """Top, left, height and width of what is shown, in pixels of the scene."""
        left, top, scale = self._still()
        area = self.area
        place = ((area[1] - top) / scale, (area[0] - left) / scale)
        return tuple(round(v) for v in (*place, area[3] / scale, area[2] / scale))

    def resize(self, width: int, height: int, theme: str = "light", mobile: bool = False) -> None:
        """Another screen."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        feature = {"name": "prefers-color-scheme", "value": theme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def click(self, selector: str) -> None:
        """Press a button."""
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def add_class(self, name: str) -> None:
        """Add a class, which is drawn from now on."""
        self.click("#add")
        self.driver.find_element("id", "new-name").send_keys(f"{name}\n")
        self.choose(name)

    def choose(self, name: str) -> None:
        """Draw another class."""
        script = """
        const all = [...document.querySelectorAll("#classes input")];
        const own = all.find((radio) => radio.dataset.class === arguments[0]);
        own?.click();
        return Boolean(own);
        """
        self._until(script, name)

    def draw(self, points: list[list[float]]) -> float:
        """Draw a polygon; seconds from its last key to the overlay of the view."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        self.click("[data-tool=polygon]")
        left, top, scale = self._until(_FRAME)
        x0, y0, width, height = self.area
        scene = self.driver.find_element("id", "map")
        hand = ActionChains(self.driver, duration=50)
        for x, y in points:
            across, down = left + x * scale - x0 - width / 2, top + y * scale - y0 - height / 2
            hand.move_to_element_with_offset(scene, round(across), round(down)).click()
        hand.send_keys(Keys.ENTER).perform()
        seconds: float = self._until("return window.watched.seconds")
        return seconds

    def pictures(self, folder: Path) -> None:
        """The page as it is, on a laptop and a tablet, light and dark, as PNG files."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, size in {"laptop": (1366, 768), "tablet": (820, 1180)}.items():
            for theme in ("light", "dark"):
                self.resize(*size, theme, mobile=name == "tablet")
                time.sleep(3)  # until all parts are there
                self.driver.save_screenshot(str(folder / f"{name}_{theme}.png"))

    def _until(self, script: str, *arguments: Any) -> Any:  # noqa: ANN401 - JSON
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            found = self.driver.execute_script(script, *arguments)
            if found:
                return found
            time.sleep(0.05)
        raise RuntimeError(f"waited {_PATIENCE:.0f} s for: {script}")


def by_hand(points: list[list[float]]) -> list[list[float]] | None:
    """Corners as one clicks them; None: the object is too small for that."""
    area = shapely.Polygon(points)
    corners = list(area.simplify(3).exterior.coords[:-1])
    first = shapely.Point(corners[0])
    kept = corners[:1] + [c for c in corners[1:] if first.distance(shapely.Point(c)) > _NEAR]
    if len(kept) < 3 or not shapely.Polygon(kept).is_valid:
        return None
    likeness = shapely.Polygon(kept).intersection(area).area / area.area
    return [list(corner) for corner in kept] if likeness > 0.8 else None


@contextmanager
def chromium(folder: Path) -> Iterator[Any]:
    """A headless Chromium.

    Args:
        folder: For its files.

    Raises:
        SystemExit: it is not installed.
    """
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        raise SystemExit("chromium and chromedriver are not here (Debian: chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update",
        "--disable-dev-shm-usage", f"--user-data-dir={folder}",
    ]:  # fmt: skip
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield window
    finally:
        window.quit()
