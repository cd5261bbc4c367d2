"use strict";

for (const compare of document.querySelectorAll(".compare")) {
  const range = compare.querySelector("input");
  const move = () => {
    compare.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % before, ${100 - range.value} % after`);
  };
  range.addEventListener("input", move);
  move();
}

const byName = new Intl.Collator(undefined, { numeric: true });

function sortBy(heading, column) {
  const rising = heading.getAttribute("aria-sort") !== "ascending";
  const body = heading.closest("table").tBodies[0];
  const keyed = [...body.rows].map((row) => {
    const cell = row.cells[column];
    return [cell.dataset.value ?? cell.textContent, row];
  });
  const isNumber = heading.classList.contains("number");
  keyed.sort(([a], [b]) => (isNumber ? a - b : byName.compare(a, b)) * (rising ? 1 : -1));
  body.replaceChildren(...keyed.map(([, row]) => row));
  for (const other of heading.parentElement.cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
}

for (const heading of document.querySelectorAll("#rows thead th")) {
  heading.firstElementChild.addEventListener("click", () => sortBy(heading, heading.cellIndex));
}

const showAll = document.querySelector("#all");
showAll?.addEventListener("click", () => {
  document.querySelector("#rows").classList.remove("short");
  showAll.remove();
});
