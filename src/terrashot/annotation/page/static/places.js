// Places where a label would help most, to jump through.
import { get } from "./api.js";
import { byId, make } from "./dom.js";
import { at } from "./scene.js";

const CLOSE = 0; // the zoom at which a pixel of the screen is one of the scene
const EVERY = 3000;

export class Places {
  // hooks: scene() number of the scene that is shown, open(number) shows another.
  constructor(scene, hooks) {
    Object.assign(this, { scene, hooks, found: [], next: 0 });
    byId("next").onclick = () => this.go();
  }

  async look() {
    const { share, places } = await get("/api/places");
    const percent = Math.floor(share * 100);
    byId("looked").textContent =
      share < 1 ? `${percent} % of the scenes looked at` : "Where a new class is most in doubt";
    const before = this.found[this.next - 1];
    this.found = places;
    this.next = before ? places.findIndex((p) => p.x === before.x && p.y === before.y) + 1 : 0;
    this._draw();
    return share;
  }

  // Look again until the whole of the scenes was looked at.
  async watch() {
    const share = await this.look().catch(() => 0); // the next look tells
    if (share < 1) setTimeout(() => this.watch(), EVERY);
  }

  go(index = this.next) {
    const place = this.found[index % Math.max(this.found.length, 1)];
    if (!place) return;
    this.next = (index % this.found.length) + 1;
    if (place.scene !== this.hooks.scene()) this.hooks.open(place.scene);
    const { map } = this.scene;
    map.setView(at(place.x, place.y), Math.max(map.getZoom(), CLOSE), { animate: false });
    this.mark?.remove();
    const style = { pane: "sketch", interactive: false, color: "#fff", weight: 2, dashArray: "4 4" };
    this.mark = L.circleMarker(at(place.x, place.y), { ...style, radius: 26, fill: false }).addTo(map);
    this._draw();
  }

  _draw() {
    const rows = this.found.map((place, index) => {
      const words = make("span", { textContent: `${place.classes[0]} or ${place.classes[1]}?` });
      const doubt = make("span", { className: "count", textContent: `${Math.round(place.doubt * 100)}` });
      doubt.title = "Doubt, 0 to 100";
      const button = make("button", { ariaCurrent: String(index === this.next - 1) }, words, doubt);
      button.onclick = () => this.go(index);
      return make("li", {}, button);
    });
    byId("places").replaceChildren(...rows);
    byId("next").disabled = !rows.length;
  }
}
