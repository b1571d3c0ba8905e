"use strict";
// Tooltips, walking through heat maps by arrow keys, reading values off curves.
(() => {
  const tip = document.getElementById("tip");
  let shown = null;
  const show = (cell) => {
    shown = cell;
    tip.textContent = cell.dataset.tip;
    tip.hidden = false;
    const at = cell.getBoundingClientRect();
    const left = at.left + at.width / 2 - tip.offsetWidth / 2;
    const above = at.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(6, Math.min(left, innerWidth - tip.offsetWidth - 6))}px`;
    tip.style.top = `${above > 54 ? above : at.bottom + 6}px`;
  };
  const hide = () => { tip.hidden = true; };
  const target = (event) => event.target.closest?.("[data-tip]");
  for (const [name, act] of [["pointerover", true], ["focusin", true], ["pointerout", false], ["focusout", false]]) {
    document.addEventListener(name, (event) => {
      const cell = target(event);
      if (cell) (act ? show : hide)(cell);
    });
  }
  // A cell that the arrow keys brought into view keeps its words.
  const follow = () => { if (!tip.hidden) (shown === document.activeElement ? show : hide)(shown); };
  addEventListener("scroll", follow, { passive: true, capture: true });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  for (const table of document.querySelectorAll("table.heat")) {
    const grid = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td[data-tip]")]);
    const cells = grid.flat();
    if (!cells.length) continue;
    // One stop for the Tab key; arrows walk on from there.
    const enter = (cell, focus) => {
      cells.forEach((other) => { other.tabIndex = -1; });
      cell.tabIndex = 0;
      if (focus) cell.focus({ preventScroll: false });
    };
    enter(cells[0], false);
    table.addEventListener("keydown", (event) => {
      const move = moves[event.key];
      const row = grid.findIndex((line) => line.includes(event.target));
      if (!move || row < 0) return;
      event.preventDefault();
      const column = grid[row].indexOf(event.target) + move[1];
      let next = row + move[0];
      while (grid[next] && !grid[next].length) next += move[0];
      const cell = grid[next]?.[column];
      if (cell) { enter(cell, true); show(cell); }
    });
    table.addEventListener("click", (event) => {
      const cell = target(event);
      if (cell) enter(cell, true);
    });
  }

  const [LEFT, RIGHT] = [46, 468];  // of the plot, in units of the SVG
  for (const svg of document.querySelectorAll("svg[data-chart]")) {
    const chart = JSON.parse(svg.dataset.chart);
    const figure = svg.closest("figure");
    const cursor = svg.querySelector(".cursor");
    const readings = [...figure.querySelectorAll(".reading")];
    const where = figure.querySelector(".where");
    const last = readings.map((reading) => reading.textContent);
    const steps = [...new Set(chart.series.flat().map((point) => point[0]))].sort((a, b) => a - b);
    let step = steps.length - 1;
    const read = () => {
      const x = steps[step];
      const at = LEFT + (RIGHT - LEFT) * (x - chart.x[0]) / (chart.x[1] - chart.x[0]);
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      cursor.removeAttribute("hidden");
      chart.series.forEach((points, index) => {
        // The newest value at or before x.
        const known = points.filter((point) => point[0] <= x);
        readings[index].textContent = known.length ? known[known.length - 1][1].toFixed(chart.unit ? 1 : 3) : "–";
      });
      where.textContent = `${chart.x_title} ${x}`;
    };
    const leave = () => {
      cursor.setAttribute("hidden", "");
      readings.forEach((reading, index) => { reading.textContent = last[index]; });
      where.textContent = "last value";
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width * 480 - LEFT) / (RIGHT - LEFT);
      const x = chart.x[0] + share * (chart.x[1] - chart.x[0]);
      step = steps.reduce((best, value, index) => (Math.abs(value - x) < Math.abs(steps[best] - x) ? index : best), 0);
      read();
    });
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("blur", leave);
    svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      step = Math.max(0, Math.min(steps.length - 1, step + by));
      read();
    });
  }
})();
