// The map: one scene in its own pixels, the labels on it, the prediction over it.
import { CellLayer } from "./cells.js";

const CLOSEST = 5;
const FEW_CELLS = 64; // a scene of so few is predicted from farther away

export const at = (x, y) => L.latLng(-y, x);
export const pixel = (place) => [place.lng, -place.lat];

export class SceneMap {
  constructor(element) {
    this.map = L.map(element, {
      crs: L.CRS.Simple,
      attributionControl: false,
      zoomControl: false,
      zoomSnap: 0.5,
      keyboardPanDelta: 120,
      preferCanvas: true,
      doubleClickZoom: false,
      boxZoom: false,
      maxBoundsViscosity: 0.6,
    });
    for (const [name, level] of [["prediction", 350], ["labels", 450], ["sketch", 460]]) {
      this.map.createPane(name).style.zIndex = level;
    }
    this.map.getPane("sketch").style.pointerEvents = "none";
    this.labels = L.layerGroup().addTo(this.map);
    this.shapes = new Map();
    this.renderer = L.canvas({ pane: "labels", padding: 0.3 });
  }

  // Show another scene.
  open(index, scene, side) {
    this.image?.remove();
    this.cells?.remove();
    this.clear();
    this.scene = scene;
    const bounds = L.latLngBounds(at(0, scene.height), at(scene.width, 0));
    const cells = Math.ceil(scene.width / side) * Math.ceil(scene.height / side);
    this.farthest = cells <= FEW_CELLS ? -2 : -1;
    this.map.setMinZoom(scene.lowest - 1).setMaxZoom(CLOSEST);
    this.map.setMaxBounds(bounds.pad(0.5));
    this.image = L.tileLayer(`/api/tiles/${index}/{z}/{x}/{y}`, {
      bounds, minNativeZoom: scene.lowest, maxNativeZoom: 0, minZoom: scene.lowest - 1,
      maxZoom: CLOSEST, noWrap: true, className: "scene-tile",
    }).addTo(this.map);
    this.cells = new CellLayer({
      scene: index, side, tileSize: side, bounds, pane: "prediction", minNativeZoom: 0,
      maxNativeZoom: 0, minZoom: this.farthest, maxZoom: CLOSEST, noWrap: true, keepBuffer: 0,
      updateWhenIdle: true, updateWhenZooming: false,
    });
    this.whole();
  }

  whole() {
    const { width, height } = this.scene;
    this.map.fitBounds(L.latLngBounds(at(0, height), at(width, 0)), { animate: false });
  }

  // Pixels of the screen that one of the scene takes.
  get scale() {
    return this.map.getZoomScale(this.map.getZoom(), 0);
  }

  get showsPrediction() {
    return this.map.getZoom() >= this.farthest;
  }

  clear() {
    this.labels.clearLayers();
    this.shapes.clear();
  }

  // A label that is new or other than before.
  put(label, color) {
    this.drop(label.key);
    const rings = label.parts.map((part) => part.map((ring) => ring.map(([x, y]) => at(x, y))));
    const shape = L.polygon(rings, { renderer: this.renderer, interactive: false, ...look(color) });
    this.shapes.set(label.key, { label, shape });
    this.labels.addLayer(shape);
  }

  drop(key) {
    const found = this.shapes.get(key);
    if (found) this.labels.removeLayer(found.shape);
    this.shapes.delete(key);
  }

  recolor(colorOf) {
    for (const { label, shape } of this.shapes.values()) shape.setStyle(look(colorOf(label.class)));
  }

  // Which label lies at a place; the one that was drawn last.
  under(x, y) {
    const found = [...this.shapes.values()].filter(({ label }) =>
      label.parts.some((part) => inside(part[0], x, y) && !part.slice(1).some((h) => inside(h, x, y))),
    );
    return found.at(-1)?.label;
  }
}

function look(color) {
  return { color, weight: 2, opacity: 1, fillColor: color, fillOpacity: 0.12 };
}

function inside(ring, x, y) {
  let odd = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [xi, yi] = ring[i];
    const [xj, yj] = ring[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}
