// What is done from the keyboard.
import { byId, make } from "./dom.js";
import { TOOLS } from "./draw.js";

const KEYS = [
  ["1 … 9", "Choose a class"], ["A", "Add a class"], ["Enter", "Close the polygon"],
  ["Backspace", "Take the last corner back"], ["Esc", "Drop what is being drawn"],
  ["[ ]", "Narrower, wider brush"], ["Ctrl Z", "Undo"], ["Ctrl Shift Z", "Redo"],
  ["Delete", "Remove the label that was clicked"], ["L", "Labels"], ["T", "Prediction"],
  ["C", "Classes or confidence"], ["S", "Swipe"], ["N", "Next place"], ["0", "Whole scene"],
  ["\\", "Panel"], ["Space", "Move while held"], ["?", "These keys"],
];

// page: the parts of the page and what it can do.
export function setUpKeys(page) {
  const keys = [...TOOLS.map((t) => [t.key.toUpperCase(), t.title]), ...KEYS];
  byId("keys-list").append(...keys.flatMap(([key, what]) => [
    make("dt", {}, make("kbd", { textContent: key })), make("dd", { textContent: what }),
  ]));
  byId("help").onclick = () => byId("keys").showModal();
  byId("tools").onkeydown = walk;
  document.addEventListener("keydown", (event) => press(event, page));
  document.addEventListener("keyup", (event) => event.key === " " && page.drawing.pan(false));
}

// The tools are one stop of the Tab key; arrows go from one to the next.
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const all = [...byId("tools").children];
  all.at((all.indexOf(document.activeElement) + step) % all.length).focus();
  event.preventDefault();
}

function press(event, page) {
  const typing = event.target.closest("input:not([type=range], [type=checkbox], [type=radio]), select, dialog");
  if (typing || event.altKey) return;
  const { scene, classes, drawing, edit } = page;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const control = event.ctrlKey || event.metaKey;
  const onMap = byId("map").contains(document.activeElement); // Leaflet has seen to it then
  const tool = TOOLS.find((t) => t.key === key);
  const acts = {
    a: () => classes.ask(), l: () => page.flip("show-labels"), t: () => page.flip("show-prediction"),
    s: () => page.flip("show-swipe"), n: () => page.places.go(), 0: () => scene.whole(), "\\": page.fold,
    "?": () => byId("keys").showModal(), "[": () => page.widen(drawing.width / 1.25 - 1),
    "]": () => page.widen(drawing.width * 1.25 + 1), Enter: () => drawing.close(),
    Backspace: () => drawing.back(), "+": () => onMap || scene.map.zoomIn(), "-": () => onMap || scene.map.zoomOut(),
    Escape: () => drawing.cancel(),
    Delete: () => page.selected() !== null && edit({ act: "remove", keys: [page.selected()] }),
    c: () => {
      document.querySelector("input[name=what]:not(:checked)").checked = true;
      page.showLayers();
    },
  };
  if (control && key === "z") edit({ act: event.shiftKey ? "redo" : "undo" });
  else if (control && key === "y") edit({ act: "redo" });
  else if (control) return;
  else if (key === " ") drawing.pan(true);
  else if (tool) page.use(tool.name);
  else if (/^[1-9]$/.test(key)) classes.chooseNumber(Number(key));
  else if (acts[key]) {
    if (key === "Enter" && event.target.closest("button")) return;
    acts[key]();
  } else return;
  event.preventDefault();
  page.hint();
}
