"use strict";
// The viewer of query tiles: maps of class ids are coloured here, class by class.
(() => {
  const data = JSON.parse(document.getElementById("tile-data").textContent);
  const viewer = document.getElementById("viewer");
  const find = (selector) => viewer.querySelector(selector);
  const names = { image: "image", truth: "truth", prediction: "prediction", error: "error" };
  const state = { tile: 0, shown: new Set(data.classes.map((c) => c.id)) };
  const colors = new Map(data.classes.map((c) => [c.id, c.rgb]));
  const WRONG = [214, 39, 40];
  const IGNORED = [128, 128, 128];

  const inflate = async (text) => {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };
  const pixels = async (tile) => {
    const image = new Image();
    image.src = tile.image;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [tile.width, tile.height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0, tile.width, tile.height);
    return context.getImageData(0, 0, tile.width, tile.height).data;
  };
  const load = (tile) => {
    tile.loaded ??= Promise.all([pixels(tile), inflate(tile.truth), inflate(tile.prediction)]);
    return tile.loaded;
  };

  // One layer of a tile as ImageData.
  const compose = (tile, [image, truth, prediction], layer, opacity) => {
    const out = new ImageData(tile.width, tile.height);
    const map = layer === "truth" ? truth : prediction;
    const target = out.data;
    for (let i = 0, p = 0; i < truth.length; i += 1, p += 4) {
      let color = null;
      let weight = opacity;
      const ignored = truth[i] === data.ignore;
      let [r, g, b] = [image[p], image[p + 1], image[p + 2]];
      if (layer === "error") {
        // Pale grey, so that red stands out.
        r = g = b = 255 - 0.3 * (255 - (r + g + b) / 3);
        weight = 1;
        if (ignored) color = IGNORED;
        else if (truth[i] !== prediction[i] && (state.shown.has(truth[i]) || state.shown.has(prediction[i]))) color = WRONG;
      } else if (layer !== "image") {
        if (map[i] === data.ignore) color = IGNORED;
        else if (state.shown.has(map[i])) color = colors.get(map[i]);
      }
      if (color) {
        r += weight * (color[0] - r);
        g += weight * (color[1] - g);
        b += weight * (color[2] - b);
      }
      target[p] = r;
      target[p + 1] = g;
      target[p + 2] = b;
      target[p + 3] = 255;
    }
    return out;
  };
  const draw = (canvas, picture, from = 0) => {
    if (canvas.width !== picture.width || canvas.height !== picture.height) [canvas.width, canvas.height] = [picture.width, picture.height];
    // Written pixel by pixel all the time, so it is better kept off the graphics card.
    canvas.getContext("2d", { willReadFrequently: true }).putImageData(picture, 0, 0, from, 0, picture.width - from, picture.height);
  };
  const cut = () => find("#divider").value / 1000;
  let layers = null;  // the two pictures of the swipe, which moving the divider does not change
  const drawSwipe = () => {
    const canvas = find("#swipe-canvas");
    draw(canvas, layers[0]);
    draw(canvas, layers[1], Math.round(cut() * layers[1].width));
    find(".divider").style.left = `${100 * cut()}%`;
  };

  const paint = async () => {
    const tile = data.tiles[state.tile];
    const loaded = await load(tile);
    if (tile !== data.tiles[state.tile]) return;  // another one was chosen meanwhile
    const opacity = find("#opacity").value / 100;
    const swipe = find("input[name=view]:checked").value === "swipe";
    find(".four").hidden = swipe;
    find(".swipe").hidden = !swipe;
    find(".pair").hidden = !swipe;
    if (swipe) {
      const chosen = ["#left-layer", "#right-layer"].map((id) => find(id).value);
      layers = chosen.map((layer) => compose(tile, loaded, layer, opacity));
      find(".side.left").textContent = names[chosen[0]];
      find(".side.right").textContent = names[chosen[1]];
      drawSwipe();
    } else {
      for (const canvas of viewer.querySelectorAll(".four canvas")) {
        draw(canvas, compose(tile, loaded, canvas.dataset.layer, opacity));
      }
    }
    viewer.dataset.painted = Number(viewer.dataset.painted || 0) + 1;
  };

  const chips = find(".chips");
  const boxes = data.classes.map((land) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    const swatch = document.createElement("span");
    box.type = "checkbox";
    box.checked = true;
    box.value = land.id;
    swatch.className = "swatch";
    swatch.style.setProperty("--c", land.color);
    label.append(box, swatch, land.name);
    chips.append(label);
    box.addEventListener("change", () => {
      state.shown[box.checked ? "add" : "delete"](land.id);
      paint();
    });
    return box;
  });
  // Only classes that the tile shows have a chip.
  const chooseChips = async (tile) => {
    const [, truth, prediction] = await load(tile);
    const present = new Set([...new Set(truth), ...new Set(prediction)]);
    for (const box of boxes) box.parentElement.hidden = !present.has(Number(box.value));
  };
  for (const button of viewer.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => {
      const on = button.dataset.all === "true";
      state.shown = new Set(on ? data.classes.map((c) => c.id) : []);
      for (const box of boxes) box.checked = on;
      paint();
    });
  }

  const picker = find(".picker");
  const choose = (index, focus = false) => {
    state.tile = index;
    const tile = data.tiles[index];
    for (const [number, button] of [...picker.querySelectorAll("button")].entries()) {
      button.setAttribute("aria-checked", String(number === index));
      button.tabIndex = number === index ? 0 : -1;
      if (focus && number === index) button.focus();
    }
    find("#tile-name").textContent = tile.name;
    find("#tile-score").textContent = `mean IoU ${tile.score} %, stage-1 head ${tile.before} %${tile.diverged ? "; the adaptation diverged" : ""}`;
    chooseChips(tile);
    paint();
  };
  let group = "";
  data.tiles.forEach((tile, index) => {
    if (tile.group !== group) {
      group = tile.group;
      const label = document.createElement("span");
      label.className = "group";
      label.textContent = group;
      picker.append(label);
    }
    const button = document.createElement("button");
    const image = document.createElement("img");
    const score = document.createElement("b");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", `${tile.group}: ${tile.name}, mean IoU ${tile.score} %`);
    image.src = tile.image;
    image.alt = "";
    score.textContent = `${tile.score} %`;
    button.append(image, score);
    button.addEventListener("click", () => choose(index));
    picker.append(button);
  });
  picker.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    choose((state.tile + by + data.tiles.length) % data.tiles.length, true);
  });

  for (const input of viewer.querySelectorAll("input[name=view], select")) input.addEventListener("change", paint);
  find("#opacity").addEventListener("input", (event) => {
    find(".tools output").textContent = `${event.target.value} %`;
    paint();
  });
  find("#divider").addEventListener("input", drawSwipe);
  const stage = find(".stage");
  const slide = (event) => {
    const box = stage.getBoundingClientRect();
    find("#divider").value = Math.round(1000 * Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)));
    drawSwipe();
  };
  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); slide(event); });
  stage.addEventListener("pointermove", (event) => { if (event.buttons) slide(event); });
  choose(0);
})();
