// The list of classes: which one is drawn, which are shown, and what is done to them.
import { byId, icon, make } from "./dom.js";

const HIDDEN_AT_FIRST = 0; // the background

export class ClassList {
  // hooks: edit(body) sends an edit, changed() when what is shown or drawn is another.
  constructor(hooks) {
    this.hooks = hooks;
    this.classes = [];
    this.hidden = null;
    this.active = null;
    byId("add").onclick = () => this.ask();
    byId("new-class").onsubmit = (event) => {
      event.preventDefault();
      this._add(byId("new-name").value);
    };
    byId("new-name").onkeydown = (event) => {
      if (event.key === "Escape") byId("new-class").hidden = true;
    };
    byId("edit-form").onsubmit = (event) => this._edited(event.submitter?.value);
  }

  color(name) {
    return this.classes.find((c) => c.name === name)?.color;
  }

  isVisible(name) {
    return !this.hidden.has(name);
  }

  set(classes) {
    this.hidden ??= new Set(classes.slice(HIDDEN_AT_FIRST, 1).map((c) => c.name));
    this.classes = classes;
    if (!classes.some((c) => c.name === this.active)) {
      this.active = classes.findLast((c) => !c.base)?.name ?? null;
    }
    this._draw();
  }

  choose(name) {
    this.active = name;
    this._draw();
    this.hooks.changed();
  }

  chooseNumber(number) {
    const order = this._order();
    if (order[number - 1]) this.choose(order[number - 1].name);
  }

  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this._draw();
    this.hooks.changed();
  }

  ask() {
    byId("new-class").hidden = false;
    byId("new-name").value = "";
    byId("new-name").focus();
  }

  async _add(name) {
    if (await this.hooks.edit({ act: "add_class", name })) {
      byId("new-class").hidden = true;
      const own = this.classes.findLast((c) => !c.base);
      if (own) this.choose(own.name);
      byId("map").focus();
    }
  }

  // New classes first: they are what a person is here for.
  _order() {
    return [...this.classes.filter((c) => !c.base), ...this.classes.filter((c) => c.base)];
  }

  _draw() {
    const focused = document.activeElement?.dataset?.class;
    const rows = this._order().map((land, index) => this._row(land, index));
    byId("classes").replaceChildren(...rows);
    const first = this.classes.findIndex((c) => !c.base) < 0;
    byId("classes").classList.toggle("without-new", first);
    if (focused) this._radio(focused)?.focus();
  }

  _radio(name) {
    return [...document.querySelectorAll("#classes input")].find((i) => i.dataset.class === name);
  }

  _row(land, index) {
    const radio = make("input", { type: "radio", name: "class", checked: land.name === this.active });
    radio.dataset.class = land.name;
    radio.onchange = () => this.choose(land.name);
    const swatch = make("i", { className: "swatch" });
    swatch.style.background = land.color;
    const name = make("span", { className: "name", textContent: land.name, title: land.name });
    const count = make("span", { className: "count", textContent: land.labels || "" });
    if (land.labels) count.title = `${land.labels} label(s)`;
    const label = make("label", {}, radio, swatch, name, count);
    if (index < 9) label.append(make("kbd", { textContent: index + 1 }));
    const shown = this.isVisible(land.name);
    const eye = make("button", {
      className: "icon eye", title: shown ? "Hide" : "Show", ariaLabel: `Show ${land.name} in the prediction`,
      ariaPressed: String(shown),
    }, icon("eye"));
    eye.onclick = () => this.toggle(land.name);
    const row = make("li", { className: land.base ? "base" : "own" }, label, eye);
    if (!land.base) {
      const more = make("button", { className: "icon", title: "Change", ariaLabel: `Change ${land.name}` }, icon("dots"));
      more.onclick = () => this._change(land);
      row.append(more);
    }
    return row;
  }

  _change(land) {
    this.changing = land;
    byId("edit-title").textContent = land.name;
    byId("edit-name").value = land.name;
    byId("edit-color").value = land.color;
    const others = this.classes.filter((c) => c.name !== land.name);
    const choices = others.map((c) => make("option", { value: c.name, textContent: c.name }));
    byId("edit-into").replaceChildren(make("option", { value: "", textContent: "no other class" }), ...choices);
    byId("edit").showModal();
  }

  async _edited(what) {
    const land = this.changing;
    const [name, color, into] = ["edit-name", "edit-color", "edit-into"].map((id) => byId(id).value);
    if (what === "remove") return this.hooks.edit({ act: "remove_class", name: land.name });
    if (what !== "save") return undefined;
    if (into) return this.hooks.edit({ act: "merge_class", name: land.name, into });
    if (color !== land.color) await this.hooks.edit({ act: "recolor_class", name: land.name, color });
    if (name.trim() !== land.name) {
      const wasActive = this.active === land.name;
      if (await this.hooks.edit({ act: "rename_class", name: land.name, new: name })) {
        if (wasActive) this.choose(name.trim());
      }
    }
    return undefined;
  }
}
