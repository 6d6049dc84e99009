// The list: rows, the chosen ones, and where the keyboard is
const rows = all(".row");
const boxes = all(".row > input[name=id]");
const every = one("#all");
let at = -1;
const count = () => {
  const chosen = boxes.filter((box) => box.checked).length;
  one(".tools")?.classList.toggle("some", chosen > 0);
  if (every) {
    every.checked = chosen > 0 && chosen === boxes.length;
    every.indeterminate = chosen > 0 && !every.checked;
    const label = one(".tools .count");
    label.dataset.all ??= label.textContent;
    label.textContent = chosen ? String(chosen) : label.dataset.all;
  }
};
if (every && boxes.length) {
  show(every.closest("label"));
  every.addEventListener("change", () => { for (const box of boxes) box.checked = every.checked; count(); });
  one("#bulk").addEventListener("change", count);
  count();
}
const go = (index) => {
  if (!rows.length) return;
  rows[at]?.classList.remove("here");
  at = Math.max(0, Math.min(rows.length - 1, index));
  rows[at].classList.add("here");
  one(".title", rows[at]).focus();
  rows[at].scrollIntoView({ block: "nearest" });
  remember();
};
const remember = () => sessionStorage.setItem("row", JSON.stringify([location.search, rows[at].dataset.id, at]));
for (const [index, row] of rows.entries()) {
  row.addEventListener("focusin", () => { rows[at]?.classList.remove("here"); at = index; row.classList.add("here"); remember(); });
}
if (rows.length) {  // back from a record, or after a change: where one was, or what stands there now
  const [list, id, index] = JSON.parse(sessionStorage.getItem("row") ?? "[]");
  const last = rows.findIndex((row) => row.dataset.id === id);
  if (last >= 0) go(last);
  else if (list === location.search) go(index);
}
