// The page: what belongs together of scene, classes, tools and teaching.
import { get, post } from "./api.js";
import { ClassList } from "./classes.js";
import { byId, icon, make, toast } from "./dom.js";
import { Drawing, TOOLS } from "./draw.js";
import { setUpFinish } from "./finish.js";
import { setUpKeys } from "./keys.js";
import { Places } from "./places.js";
import { SceneMap } from "./scene.js";

const PAUSE = 500; // milliseconds after a stroke until it teaches
const WATCH = 4000;

const state = { scene: 0, version: "", head: -1, asked: 0, selected: null };
const scene = new SceneMap("map");
const classes = new ClassList({ edit, changed: restyle });
const drawing = new Drawing(scene, byId("cursor"), {
  color: () => classes.color(classes.active) || "#ffffff",
  ready,
  stroke: (stroke) => send("/api/strokes", { class: classes.active, ...stroke }),
  pick,
});
const places = new Places(scene, { scene: () => state.scene, open });
let session;

function ready() {
  if (drawing.tool === "eraser" || classes.active) return true;
  toast("Add a class first: what are you going to draw?", "note");
  classes.ask();
  return false;
}

// Send an edit; what it has changed comes back. False where it was refused.
let line = Promise.resolve();
function send(path, body) {
  const work = async () => {
    byId("saved").textContent = "saving";
    try {
      take(await post(path, { version: state.version, scene: state.scene, ...body }));
      byId("saved").textContent = "saved";
      later();
      return true;
    } catch (error) {
      byId("saved").textContent = error.kind === "stale" ? "" : "not saved";
      toast(error.message);
      if (error.kind === "stale") await reload();
      return false;
    }
  };
  // One after the other: each has to have seen the version of the one before.
  return (line = line.then(work, work));
}

function edit(body) {
  return send("/api/edits", body);
}

function take(answer) {
  state.version = answer.version;
  classes.set(answer.classes);
  answer.gone.forEach((key) => scene.drop(key));
  answer.changed.forEach((label) => scene.put(label, classes.color(label.class)));
  scene.recolor((name) => classes.color(name));
  buttons(answer);
  restyle();
}

function buttons({ undo, redo }) {
  for (const [id, name, word] of [["undo", undo, "Undo"], ["redo", redo, "Redo"]]) {
    const button = byId(id);
    button.disabled = !name;
    button.title = name ? `${word}: ${name}` : `Nothing to ${id}`;
  }
}

async function reload() {
  const [now, found] = await Promise.all([get("/api/session"), get(`/api/labels/${state.scene}`)]);
  scene.clear();
  state.selected = null;
  classes.set(now.classes);
  found.labels.forEach((label) => scene.put(label, classes.color(label.class)));
  state.version = found.version;
  buttons(now);
  learned(now.head);
  return now;
}

async function open(index) {
  state.scene = index;
  byId("scene").value = String(index);
  drawing.cancel();
  scene.open(index, session.scenes[index], session.cell);
  if (session.scenes[index].advice) toast(session.scenes[index].advice, "note");
  scene.cells.on("unknownhead", async () => learned((await get("/api/session")).head));
  scene.cells.on("trouble", ({ error }) => toast(error.message));
  scene.cells.on("painted", ({ head }) => (byId("map").dataset.painted = head));
  if (state.classesOfHead) scene.cells.setHead(state.head, state.classesOfHead);
  showLayers();
  await reload();
}

// Teaching: half a second after the last stroke, one at a time.
let waiting, teaching = false, again = false;
function later() {
  clearTimeout(waiting);
  if (byId("automatic").checked) waiting = setTimeout(teach, PAUSE);
}

async function teach() {
  if (teaching) return void (again = true);
  teaching = true;
  busy("Teaching");
  try {
    learned(await post("/api/teach", {}));
    await places.look();
  } catch (error) {
    toast(error.message);
  } finally {
    teaching = false;
    busy("");
    if (again) {
      again = false;
      teach();
    }
  }
}

function learned(head) {
  if (head.number !== state.head) {
    state.head = head.number;
    state.classesOfHead = head.classes;
    scene.cells?.setHead(head.number, head.classes);
    if (scene.map.hasLayer(scene.cells)) scene.cells.refresh();
  }
  const fresh = head.classes.filter((c) => c.novel).map((c) => c.name);
  byId("lesson").textContent = [
    fresh.length ? `Taught in ${head.seconds.toFixed(1)} s from ${head.windows} window(s).` : "",
    ...head.notes,
  ].filter(Boolean).join(" ");
  restyle();
}

function busy(text) {
  byId("busy").hidden = !text;
  byId("busy-text").textContent = text;
}

function restyle() {
  scene.cells?.setStyle({
    visible: (name) => classes.isVisible(name),
    colors: (name) => classes.color(name),
    confidence: document.querySelector("input[name=what]:checked").value === "confidence",
  });
}

function showLayers() {
  const { map } = scene;
  const swiped = byId("show-swipe").checked && byId("show-prediction").checked;
  for (const [layer, on] of [
    [scene.labels, byId("show-labels").checked],
    [scene.cells, byId("show-prediction").checked],
  ]) {
    if (layer && map.hasLayer(layer) !== on) map[on ? "addLayer" : "removeLayer"](layer);
  }
  map.getPane("prediction").style.opacity = byId("opacity").value / 100;
  byId("opacity-shown").textContent = `${byId("opacity").value} %`;
  byId("ramp").hidden = document.querySelector("input[name=what]:checked").value !== "confidence";
  byId("teach").hidden = byId("automatic").checked;
  byId("swipe").hidden = !swiped;
  clip();
  restyle();
  hint();
}

// With swipe the prediction is shown right of the line alone.
function clip() {
  const pane = scene.map.getPane("prediction");
  if (byId("swipe").hidden) return void (pane.style.clip = "");
  const size = scene.map.getSize();
  const x = (byId("divider").value / 1000) * size.x;
  byId("swipe").style.setProperty("--x", `${x}px`);
  const first = scene.map.containerPointToLayerPoint([x, 0]);
  const last = scene.map.containerPointToLayerPoint(size);
  pane.style.clip = `rect(${first.y}px, ${last.x}px, ${last.y}px, ${first.x}px)`;
}

function hint() {
  const far = byId("show-prediction").checked && scene.scene && !scene.showsPrediction;
  const select = state.selected && "Delete removes this label";
  const tools = { polygon: drawing.busy ? "Click the first corner, or Enter, to close" : "" };
  byId("hint").textContent = far
    ? "Zoom in to see the prediction"
    : select || tools[drawing.tool] || "";
}

function pick([x, y]) {
  const label = scene.under(x, y);
  scene.recolor((name) => classes.color(name));
  state.selected = label?.key ?? null;
  if (label) {
    scene.shapes.get(label.key).shape.setStyle({ weight: 5, fillOpacity: 0.35 });
    classes.choose(label.class);
  }
  hint();
}

function use(tool) {
  drawing.use(tool);
  state.selected = null;
  scene.recolor((name) => classes.color(name));
  for (const button of byId("tools").children) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    button.tabIndex = button.dataset.tool === tool ? 0 : -1;
  }
  byId("width").hidden = !drawing.hasWidth;
  widen(drawing.width);
  hint();
}

function widen(width) {
  drawing.setWidth(width);
  byId("width-range").value = drawing.width;
  byId("width-shown").textContent = `${drawing.width} px`;
}

function flip(id) {
  byId(id).checked = !byId(id).checked;
  showLayers();
}

function fold() {
  const folded = document.body.classList.toggle("folded");
  byId("fold").setAttribute("aria-expanded", String(!folded));
  scene.map.invalidateSize();
  clip();
}

// What other pages and programs have changed meanwhile.
async function watch() {
  try {
    const now = await get("/api/status");
    if (now.version !== state.version && byId("saved").textContent !== "saving") await reload();
    else if (now.head !== state.head) learned((await get("/api/session")).head);
    if (now.trouble) toast(now.trouble);
    byId("saved").classList.remove("gone");
  } catch (error) {
    byId("saved").textContent = "no server";
    byId("saved").classList.add("gone");
  }
  setTimeout(watch, WATCH);
}

async function start() {
  for (const { name, title, key } of TOOLS) {
    const button = make("button", { className: "icon", title: `${title} (${key.toUpperCase()})`, ariaLabel: title }, icon(name));
    button.dataset.tool = name;
    button.onclick = () => use(name);
    byId("tools").append(button);
  }
  byId("undo").onclick = () => edit({ act: "undo" });
  byId("redo").onclick = () => edit({ act: "redo" });
  byId("fold").onclick = fold;
  byId("closer").onclick = () => scene.map.zoomIn();
  byId("farther").onclick = () => scene.map.zoomOut();
  byId("whole").onclick = () => scene.whole();
  byId("teach").onclick = teach;
  byId("width-range").oninput = (event) => widen(Number(event.target.value));
  byId("divider").oninput = clip;
  for (const id of ["show-labels", "show-prediction", "show-swipe", "automatic"]) byId(id).onchange = showLayers;
  byId("opacity").oninput = showLayers;
  for (const choice of document.querySelectorAll("input[name=what]")) choice.onchange = showLayers;
  setUpKeys({
    scene, classes, drawing, places, edit, use, widen, flip, fold, showLayers, hint,
    selected: () => state.selected,
  });
  scene.map.on("move zoom resize", clip).on("zoomend", hint);

  session = await get("/api/session");
  byId("scene").replaceChildren(...session.scenes.map(({ name }, i) => make("option", { value: i, textContent: name })));
  byId("scene").onchange = (event) => open(Number(event.target.value));
  byId("saved").title = `Labels are in ${session.labels}`;
  document.title = `${session.scenes[0].name} – terrashot`;
  setUpFinish(session.labels);
  use("hand");
  if (matchMedia("(max-width: 700px)").matches) fold();
  await open(0);
  if (classes.classes.some((c) => c.labels)) teach();
  if (!classes.active) classes.ask();
  setTimeout(watch, WATCH);
  places.watch();
  document.body.dataset.ready = "true";
}

start().catch((error) => toast(error.message));
