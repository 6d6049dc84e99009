// Changes from the list are shown at once, sent together, and said in one line
const bulk = one("#bulk");
const unsent = new Map();  // by what is set, the rows that are not sent yet
let timer, sending = Promise.resolve();
const mark = (row, button) => {
  const [status, before] = [button.value.split(":")[1], [row.className, one(".when", row).innerHTML]];
  row.undo ??= before;
  row.classList.toggle("done", ["resolved", "ignored"].includes(status));
  one(".when .status", row)?.remove();
  if (status !== "open") one(".when", row).insertAdjacentHTML("beforeend", `<span class="status ${status}"></span>`);
  if (status !== "open") one(".when .status", row).textContent = button.dataset.said;
};
const unmark = (row) => { if (row.undo) [row.className, one(".when", row).innerHTML] = row.undo; delete row.undo; };
const change = (chosen, button) => {
  one(".said")?.remove();
  for (const others of unsent.values()) for (const row of chosen) others.delete(row);
  if (!unsent.has(button.value)) unsent.set(button.value, new Set());
  for (const row of chosen) { unsent.get(button.value).add(row); mark(row, button); one("input[name=id]", row).checked = false; }
  count();
  clearTimeout(timer);
  timer = setTimeout(flush, 400);
};
const flush = () => {
  clearTimeout(timer);
  for (const [set, chosen] of unsent) {
    unsent.delete(set);
    if (chosen.size) sending = sending.then(() => send(set, [...chosen]));
  }
};
const send = async (set, chosen) => {
  const body = new URLSearchParams({ set, back: one("[name=back]", bulk).value });
  for (const row of chosen) { body.append("id", row.dataset.id); body.append("seen", one("[name=seen]", row).value); }
  try {
    const answer = await fetch(bulk.action, { method: "POST", body, keepalive: true, headers: { accept: "application/json" } });
    if (answer.status === 401) return location.assign(`/sign-in?then=${encodeURIComponent(location.pathname + location.search)}`);
    if (!answer.ok) throw new Error(answer.status);
    const told = await answer.json();
    if (told.left) return location.reload();  // somebody else was quicker: what stands there now
    for (const row of chosen) { one("[name=seen]", row).value = `${row.dataset.id}:${set.split(":")[1]}`; delete row.undo; }
    tell(told);
    recount();
  } catch {
    chosen.forEach(unmark);
    tell({ say: bulk.dataset.failed, bad: true });
  }
};
const tell = (told) => {
  one(".said")?.remove();
  const box = one("#toast").content.cloneNode(true).firstElementChild;
  box.classList.toggle("bad", !!told.bad);
  if (told.undo) one("[name=undo]", box).value = told.undo; else one("form", box)?.remove();
  one("#main").before(box);
  one("p", box).textContent = told.say;  // a moment later: that is what screen readers read out
};
if (bulk) {
  bulk.addEventListener("submit", (event) => {
    const chosen = rows.filter((row) => one("input[name=id]", row)?.checked);
    if (!chosen.length || event.submitter?.name !== "set") return;
    event.preventDefault();
    change(chosen, event.submitter);
    flush();
  });
  addEventListener("pagehide", flush);
}
