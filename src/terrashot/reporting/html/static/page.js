"use strict";
// Theme, sortable tables, the search in the configuration, copying.
(() => {
  const root = document.documentElement;
  const remember = (value) => { try { localStorage.setItem("terrashot-theme", value); } catch { /* a file page may have no storage */ } };
  const recall = () => { try { return localStorage.getItem("terrashot-theme"); } catch { return null; } };
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const stored = recall();
  if (stored === "light" || stored === "dark") root.dataset.theme = stored;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
    root.dataset.theme = dark ? "light" : "dark";
    remember(root.dataset.theme);
  });

  // The number that a cell begins with; text where it is none; a dash comes last either way.
  const key = (cell) => {
    const text = (cell.dataset.value ?? cell.textContent).trim();
    if (text === "–" || text === "") return null;
    const number = parseFloat(text.replace("−", "-"));
    return Number.isNaN(number) || !cell.classList.contains("number") ? text.toLowerCase() : number;
  };
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if ("noSort" in head.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const was = head.getAttribute("aria-sort");
        const down = was ? was === "ascending" : numeric;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        for (const body of table.tBodies) {
          const rows = [...body.rows].filter((row) => !("fixed" in row.dataset));
          const end = rows.length ? rows[rows.length - 1].nextSibling : null;
          rows.sort((a, b) => {
            const [x, y] = [key(a.cells[column]), key(b.cells[column])];
            if (x === null || y === null) return (x === null) - (y === null);
            return down ? compare(y, x) : compare(x, y);
          });
          rows.forEach((row) => body.insertBefore(row, end));
        }
      });
    });
  }

  for (const input of document.querySelectorAll("input.filter")) {
    const rows = [...document.getElementById(input.dataset.filters).tBodies[0].rows];
    const empty = input.parentElement.querySelector("[data-empty]");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      empty.hidden = shown > 0;
    });
  }

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "copied";
      } catch {
        // Without the permission, select the text for the reader's own Ctrl-C.
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "selected";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
  }
  // A closed section would print as one line.
  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("#config details, #tiles details")) part.open = true;
  });
})();
