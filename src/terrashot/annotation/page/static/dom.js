// Small helpers for elements; texts are always set as text, never as markup.

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/static/icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export function toast(text, kind = "error") {
  const box = byId("toasts");
  if ([...box.children].some((other) => other.firstChild.textContent === text)) return;
  const close = make("button", { className: "icon", textContent: "×", ariaLabel: "Close" });
  const note = make("div", { className: `toast ${kind}` }, make("span", { textContent: text }), close);
  close.onclick = () => note.remove();
  box.append(note);
  setTimeout(() => note.remove(), kind === "error" ? 12000 : 5000);
}
