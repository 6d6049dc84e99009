// The list: rows, the chosen ones, and where the keyboard is
let rows = [], boxes = [], every = null, at = -1, last = -1;
const box_of = (row) => one("input[name=id]", row);
const chosen_rows = () => rows.filter((row) => box_of(row)?.checked);
const matching = () => !!one(".tools ~ .matching [name=filter]");  // all that match are chosen, also those not shown
const count = () => {
  const chosen = boxes.filter((box) => box.checked).length;
  one(".tools")?.classList.toggle("some", chosen > 0);
  if (!every) return;
  every.checked = chosen > 0 && chosen === boxes.length;
  every.indeterminate = chosen > 0 && !every.checked;
  const label = one(".tools .count");
  label.dataset.all ??= label.textContent;
  label.textContent = chosen ? String(chosen) : label.dataset.all;
  offer(every.checked ? chosen : 0);
};
const offer = async (chosen) => {  // to choose those that match and are not shown
  const more = one(".matching[data-matching]");
  if (!more) return;
  more.hidden = !chosen;
  one(".chosen", more).textContent = chosen ? more.dataset.chosen : "";
  if (!chosen || more.dataset.counted) return;
  more.dataset.counted = "1";
  try {
    const answer = await fetch(more.dataset.matching, { headers: { accept: "application/json" } });
    if (answer.ok) one("a", more).textContent = (await answer.json()).say;
  } catch { /* it says so without a number */ }
};
const choose = (from, to, checked = true) => {
  for (let index = Math.min(from, to); index <= Math.max(from, to); index++) if (boxes[index]) boxes[index].checked = checked;
  last = to;
  count();
};
const go = (index) => {
  if (!rows.length) return;
  rows[at]?.classList.remove("here");
  at = Math.max(0, Math.min(rows.length - 1, index));
  rows[at].classList.add("here");
  one(".title", rows[at]).focus({ preventScroll: true });
  rows[at].scrollIntoView({ block: "nearest" });
  remember();
};
const remember = () => sessionStorage.setItem("row", JSON.stringify([list_of(location.search), rows[at].dataset.id, at]));
const list_of = (search) => {  // which list it is, whatever is open beside it
  const query = new URLSearchParams(search);
  for (const name of ["open", "at", "stay", "all"]) query.delete(name);
  return query.toString();
};
onPage(() => {
  rows = all(".row");
  boxes = rows.map(box_of).filter(Boolean);
  every = one("#all");
  at = last = -1;
  if (every && boxes.length) {
    if (!matching()) show(every.closest("label"));
    every.addEventListener("change", () => choose(0, boxes.length - 1, every.checked));
    one("#bulk").addEventListener("change", count);
    count();
  }
  for (const [index, row] of rows.entries()) {
    row.addEventListener("focusin", () => { rows[at]?.classList.remove("here"); at = index; row.classList.add("here"); remember(); });
    box_of(row)?.addEventListener("click", (event) => { if (event.shiftKey && last >= 0) choose(last, index, box_of(row).checked); last = index; });
  }
  if (!rows.length) return;
  const opened = rows.findIndex((row) => row.matches(".here"));
  if (opened >= 0) { at = opened; remember(); rows[at].scrollIntoView({ block: "nearest" }); return; }
  if (one("#pane")) { at = JSON.parse(sessionStorage.getItem("row") ?? "[]")[2] ?? -1; return; }
  // back from a record, or after a change: where one was, or what stands there now
  const [list, id, index] = JSON.parse(sessionStorage.getItem("row") ?? "[]");
  const found = rows.findIndex((row) => row.dataset.id === id);
  if (found >= 0) go(found);
  else if (list === list_of(location.search)) go(index);
});
