// The prediction: a canvas a cell, coloured here, so that switches need no request.
import { cell } from "./api.js";

const NO_DATA = 255;
// From unsure to sure: dark violet, teal, yellow (as in viridis, which print and the colour-blind keep apart).
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

export const CellLayer = L.GridLayer.extend({
  initialize(options) {
    L.GridLayer.prototype.initialize.call(this, options);
    this._heads = new Map();
  },

  // What the ids of a head mean: [{name, color}], and how a class is shown now.
  setHead(number, classes) {
    this._heads.set(number, classes);
    for (const canvas of this._canvases()) {
      if (canvas.found?.head === number) this._show(canvas);
    }
  },

  setStyle(style) {
    this._style = style;
    for (const canvas of this._canvases()) this._paint(canvas);
  },

  // Ask for everything in view again; what is shown stays until its successor is here.
  refresh() {
    for (const key in this._tiles) {
      const tile = this._tiles[key];
      this._fetch(tile.el, tile.coords);
    }
  },

  createTile(coords, done) {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = this.options.side;
    canvas.done = done;
    this._fetch(canvas, coords);
    return canvas;
  },

  _canvases() {
    return Object.values(this._tiles || {}).map((tile) => tile.el);
  },

  // Leaflet shows a tile once it is told that it is done, whichever request that was.
  _done(canvas, error) {
    canvas.done?.(error, canvas);
    canvas.done = null;
  },

  async _fetch(canvas, coords) {
    canvas.abort?.abort();
    const abort = (canvas.abort = new AbortController());
    try {
      const found = await cell(this.options.scene, coords.y, coords.x, abort.signal);
      canvas.found = found;
      this._done(canvas, null);
      // A head that this page has not heard of yet: what is shown stays until it has.
      if (this._heads.has(found.head)) this._show(canvas);
      else this.fire("unknownhead");
    } catch (error) {
      if (error.name !== "AbortError") {
        this._done(canvas, error);
        this.fire("trouble", { error });
      }
    }
  },

  _show(canvas) {
    this._paint(canvas);
    this.fire("painted", { head: canvas.found.head });
  },

  _paint(canvas) {
    const found = canvas.found;
    const classes = found && this._heads.get(found.head);
    if (!classes || !this._style) return;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    const picture = context.createImageData(found.width, found.height);
    const pixels = new Uint32Array(picture.data.buffer);
    const { visible, colors, confidence } = this._style;
    const shown = new Uint32Array(256);
    classes.forEach((land, id) => {
      if (visible(land.name)) shown[id] = packed(rgb(colors(land.name) || land.color));
    });
    shown[NO_DATA] = 0;
    if (confidence) {
      const ramp = Uint32Array.from({ length: 256 }, (_, percent) => packed(along(percent / 100)));
      for (let i = 0; i < pixels.length; i++) {
        pixels[i] = shown[found.ids[i]] ? ramp[found.confidence[i]] : 0;
      }
    } else {
      for (let i = 0; i < pixels.length; i++) pixels[i] = shown[found.ids[i]];
    }
    context.putImageData(picture, 0, 0);
  },
});

function rgb(color) {
  const value = parseInt(color.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

function packed([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function along(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1);
  const first = Math.min(Math.floor(place), RAMP.length - 2);
  return RAMP[first].map((v, i) => Math.round(v + (RAMP[first + 1][i] - v) * (place - first)));
}
