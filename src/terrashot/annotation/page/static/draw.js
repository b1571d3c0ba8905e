// Tools: what a mouse, a pen or a finger does on the scene, as strokes in pixels of the scene.
import { at, pixel } from "./scene.js";

export const TOOLS = [
  { name: "hand", title: "Move", key: "h" },
  { name: "polygon", title: "Polygon", key: "p" },
  { name: "rectangle", title: "Rectangle", key: "r" },
  { name: "brush", title: "Brush", key: "b" },
  { name: "point", title: "Point", key: "o" },
  { name: "eraser", title: "Eraser", key: "e" },
];
const HAS_WIDTH = new Set(["brush", "point", "eraser"]);
const NEAR = 10; // pixels of the screen within which a click closes a polygon
const FINE = 2; // pixels of the screen between two points of a brush

export class Drawing {
  // hooks: color() of the active class, stroke(stroke), ready() whether something can be drawn.
  constructor(scene, cursor, hooks) {
    Object.assign(this, { scene, map: scene.map, cursor, hooks });
    this.tool = "hand";
    this.width = 24;
    this.corners = [];
    this.fingers = new Set();
    this.sketch = L.layerGroup().addTo(this.map);
    const box = (this.box = this.map.getContainer());
    box.addEventListener("pointerdown", (e) => this._down(e), { capture: true });
    box.addEventListener("pointermove", (e) => this._move(e));
    window.addEventListener("pointerup", (e) => this._up(e));
    window.addEventListener("pointercancel", (e) => this._up(e, true));
    box.addEventListener("pointerleave", () => (cursor.hidden = true));
    box.addEventListener("dblclick", () => this.close());
    this.map.on("zoomend", () => this._ring());
  }

  use(tool) {
    this.cancel();
    this.tool = tool;
    this.box.dataset.tool = tool;
    this._hold(tool !== "hand");
    this._ring();
  }

  get hasWidth() {
    return HAS_WIDTH.has(this.tool);
  }

  setWidth(width) {
    this.width = Math.min(Math.max(Math.round(width), 1), 200);
    this._ring();
  }

  // While the space bar is held the scene moves whatever the tool.
  pan(on) {
    this.panning = on;
    this.box.classList.toggle("panning", on);
    this._hold(!on && this.tool !== "hand");
  }

  cancel() {
    this.line = null;
    this.corners = [];
    this.sketch.clearLayers();
  }

  back() {
    if (!this.corners.length) return false;
    this.corners.pop();
    this._show();
    return true;
  }

  close() {
    if (this.tool !== "polygon" || this.corners.length < 3) return false;
    const points = this.corners;
    this.cancel();
    this.hooks.stroke({ tool: "polygon", points });
    return true;
  }

  get busy() {
    return Boolean(this.line || this.corners.length);
  }

  _hold(on) {
    this.map.dragging[on ? "disable" : "enable"]();
    this.box.style.touchAction = "none";
  }

  _place(event) {
    const point = this.map.mouseEventToContainerPoint(event);
    return pixel(this.map.containerPointToLatLng(point)).map((v) => Math.round(v * 100) / 100);
  }

  _down(event) {
    if (event.target.closest(".leaflet-control")) return;
    this.fingers.add(event.pointerId);
    if (this.fingers.size > 1) return this.cancel(); // two fingers move the scene
    if (this.tool === "hand" || this.panning || event.button === 1) {
      if (event.button === 1) this._drag(event);
      this.pressed = [event.clientX, event.clientY];
      return;
    }
    if (event.button !== 0) return;
    event.preventDefault();
    if (!this.hooks.ready()) return;
    const place = this._place(event);
    if (this.tool === "polygon") {
      const first = this.corners[0];
      if (first && this.corners.length > 2 && this._distance(first, place) < NEAR) return this.close();
      const last = this.corners.at(-1);
      if (!last || this._distance(last, place) > 3) this.corners.push(place);
      this._show();
    } else {
      this.line = [place];
      this.pointer = event.pointerId;
      this._show();
    }
  }

  _move(event) {
    const place = this._place(event);
    this._ring(event);
    if (this.line && event.pointerId === this.pointer) {
      if (this.tool === "rectangle") this.line[1] = place;
      else if (this.tool !== "point" && this._distance(this.line.at(-1), place) >= FINE) {
        this.line.push(place);
      }
      this._show();
    } else if (this.corners.length) {
      this._show(place);
    }
  }

  _up(event, lost = false) {
    this.fingers.delete(event.pointerId);
    if (this.pressed && this.tool === "hand") {
      const [x, y] = this.pressed;
      if (Math.hypot(event.clientX - x, event.clientY - y) < 4) this.hooks.pick(this._place(event));
    }
    this.pressed = null;
    if (!this.line || event.pointerId !== this.pointer) return;
    const { tool, width, line: points } = this;
    this.line = null;
    this.sketch.clearLayers();
    if (lost) return;
    if (tool === "rectangle") {
      if (points.length < 2 || this._distance(points[0], points[1]) < 3) return;
      this.hooks.stroke({ tool, points });
    } else {
      this.hooks.stroke({ tool, points, width });
    }
  }

  // The middle button drags the scene whatever the tool.
  _drag(event) {
    event.preventDefault();
    let last = [event.clientX, event.clientY];
    const move = (e) => {
      this.map.panBy([last[0] - e.clientX, last[1] - e.clientY], { animate: false });
      last = [e.clientX, e.clientY];
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", () => window.removeEventListener("pointermove", move), {
      once: true,
    });
  }

  _distance([x0, y0], [x1, y1]) {
    return Math.hypot(x1 - x0, y1 - y0) * this.scene.scale;
  }

  _show(next) {
    this.sketch.clearLayers();
    const color = this.tool === "eraser" ? "#ffffff" : this.hooks.color();
    const style = { pane: "sketch", interactive: false, color, weight: 2.5 };
    const add = (layer) => this.sketch.addLayer(layer);
    if (this.tool === "polygon" && this.corners.length) {
      const points = [...this.corners, ...(next ? [next] : [])].map(([x, y]) => at(x, y));
      add(L.polygon(points, { ...style, fillOpacity: 0.15, dashArray: "5 5" }));
      this.corners.forEach(([x, y], i) =>
        add(L.circleMarker(at(x, y), { ...style, radius: i ? 3 : 5, fillOpacity: 1, fillColor: "#fff" })),
      );
    } else if (this.line && this.tool === "rectangle" && this.line[1]) {
      const corners = this.line.map(([x, y]) => at(x, y));
      add(L.rectangle(L.latLngBounds(corners), { ...style, fillOpacity: 0.15 }));
    } else if (this.line && this.hasWidth) {
      const points = this.line.map(([x, y]) => at(x, y));
      const weight = Math.max(1, this.width * this.scene.scale);
      const path = points.length > 1 ? points : [points[0], points[0]];
      add(L.polyline(path, { ...style, weight, opacity: 0.45, lineCap: "round", lineJoin: "round", smoothFactor: 0 }));
    }
  }

  // The brush under the mouse.
  _ring(event) {
    if (event) this.last = [event.clientX, event.clientY];
    const shown = this.hasWidth && this.last && event?.pointerType !== "touch" && !this.panning;
    this.cursor.hidden = !shown;
    if (!shown) return;
    const size = Math.max(4, this.width * this.scene.scale);
    const frame = this.box.getBoundingClientRect();
    Object.assign(this.cursor.style, {
      width: `${size}px`, height: `${size}px`,
      left: `${this.last[0] - frame.left - size / 2}px`,
      top: `${this.last[1] - frame.top - size / 2}px`,
    });
  }
}
