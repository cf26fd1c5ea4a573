"use strict";
const table = document.getElementById("error-table");
const body = table.tBodies[0];
const rows = Array.from(body.rows);
const filters = document.getElementById("filters");
const value = (name) => (filters.elements[name] ? filters.elements[name].value : "");

function show() {
  const text = value("text").toLowerCase();
  const differ = filters.elements.differ && filters.elements.differ.checked;
  let shown = 0;
  for (const row of rows) {
    const hit =
      (!value("topic") || row.dataset.topic === value("topic")) &&
      (!value("kind") || row.dataset.kind === value("kind")) &&
      (!value("wrong") || row.dataset.wrong.split(" ").includes(value("wrong"))) &&
      (!differ || "differ" in row.dataset) &&
      (!text || row.textContent.toLowerCase().includes(text));
    row.hidden = !hit;
    shown += hit;
  }
  document.getElementById("count").textContent = `${shown} of ${rows.length} errors shown`;
}

function sort(heading) {
  const column = heading.cellIndex;
  const down = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.value || row.cells[column].textContent.trim();
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;
  const number = (text) => (/^\d+\.\d+$/.test(text) ? Number(text) : NaN);
  const keyed = rows.map((row) => [key(row), row]);
  keyed.sort(([one], [other]) => (number(one) - number(other) || compare(one, other)) * (down ? -1 : 1));
  body.append(...keyed.map(([, row]) => row));
}

filters.addEventListener("input", show);
filters.addEventListener("submit", (event) => event.preventDefault());
table.tHead.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) sort(button.closest("th"));
});
