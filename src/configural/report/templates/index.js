"use strict";
const table = document.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
const curves = JSON.parse(document.getElementById("curves").textContent);
const chart = document.getElementById("chart"), legend = document.getElementById("legend");
const STYLES = [["blue", ""], ["orange", "7 4"], ["green", "2 3"], ["ink", "10 3 2 3"]];

for (const [column, button] of [...table.querySelectorAll("thead button")].entries()) {
  button.addEventListener("click", () => {
    const head = button.closest("th");
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const value = (row) => row.cells[column + 1].dataset.value ?? row.cells[column + 1].textContent.trim();
    const order = new Intl.Collator("en", { numeric: true }).compare;
    rows.sort((a, b) => (down ? -1 : 1) * order(value(a), value(b)));
    body.append(...rows);
  });
}

document.getElementById("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  const shown = rows.filter((row) => !row.hidden).length;
  document.getElementById("shown").textContent = `${shown} of ${rows.length} shown`;
});

function element(name, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

function draw() {
  const chosen = rows.map((row) => row.querySelector("input:checked")).filter(Boolean).map((box) => box.value);
  chart.replaceChildren();
  legend.replaceChildren();
  document.getElementById("overlay").hidden = chosen.length === 0;
  if (!chosen.length) return;
  const last = Math.max(2, ...chosen.map((name) => curves[name].length));
  const low = Math.min(...chosen.flatMap((name) => curves[name]));
  const start = [0.9, 0.8, 0.5, 0].find((zoom) => zoom <= low) ?? 0;
  const x = (epoch) => 60 + (560 * (epoch - 1)) / (last - 1), y = (value) => 250 - (220 * (value - start)) / (1 - start);
  for (const part of [0, 0.25, 0.5, 0.75, 1]) {
    const value = start + part * (1 - start);
    chart.append(element("line", { x1: 60, x2: 620, y1: y(value), y2: y(value), class: "grid" }));
    chart.append(element("text", { x: 52, y: y(value) + 4, "text-anchor": "end" }, `${+(100 * value).toFixed(1)} %`));
  }
  for (const epoch of new Set([1, Math.ceil(last / 2), last]))
    chart.append(element("text", { x: x(epoch), y: 272, "text-anchor": "middle" }, `${epoch}`));
  chart.append(element("text", { x: 340, y: 292, "text-anchor": "middle" }, "epoch"));
  chosen.forEach((name, number) => {
    const [colour, dashes] = STYLES[number % STYLES.length], values = curves[name];
    const points = values.map((value, epoch) => `${x(epoch + 1)},${y(value)}`).join(" ");
    const look = { class: `curve ${colour}`, "stroke-dasharray": dashes };
    chart.append(values.length > 1 ? element("polyline", { points, ...look }) : element("circle", { cx: x(1), cy: y(values[0]), r: 4, ...look }));
    const item = document.createElement("li");
    const sample = element("svg", { width: 34, height: 10, "aria-hidden": "true" });
    sample.append(element("line", { x1: 0, x2: 34, y1: 5, y2: 5, ...look }));
    item.append(sample, ` ${name}: ${(100 * values.at(-1)).toFixed(2)} % at epoch ${values.length}`);
    legend.append(item);
  });
}

body.addEventListener("change", draw);
draw();
