// Changes from the list are shown at once, sent together, and said in one line
const unsent = new Map();  // by what is set, the rows that are not sent yet
let timer, sending = Promise.resolve();
const AT_ONCE = /^(status|category|sentiment):/;  // what a row shows
const mark = (row, button) => {
  const [name, value] = button.value.split(":"), meta = one(".meta", row);
  row.undo ??= [row.className, one(".when", row).innerHTML, meta?.innerHTML];
  if (name === "category") { const label = one(".cat", row); if (label) { label.textContent = button.dataset.said; label.className = `cat ${value}`; } }
  if (name !== "status") return;
  row.classList.toggle("done", ["resolved", "ignored"].includes(value));
  one(".when .status", row)?.remove();
  if (value !== "open") one(".when", row).insertAdjacentHTML("beforeend", `<span class="status ${value}"></span>`);
  if (value !== "open") one(".when .status", row).textContent = button.dataset.said;
};
const unmark = (row) => {
  if (row.undo) [row.className, one(".when", row).innerHTML] = row.undo;
  if (row.undo?.[2]) one(".meta", row).innerHTML = row.undo[2];
  delete row.undo;
};
const change = (chosen, button) => {
  const [name] = button.value.split(":");
  one(".said")?.remove();
  for (const [set, others] of unsent) if (set.startsWith(`${name}:`)) for (const row of chosen) others.delete(row);
  if (!unsent.has(button.value)) unsent.set(button.value, new Set());
  for (const row of chosen) { unsent.get(button.value).add(row); mark(row, button); box_of(row).checked = false; }
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
const sent_all = () => { flush(); return sending; };
const send = async (set, chosen) => {
  const form = one("#bulk") ?? chosen[0].closest("form");
  const body = new URLSearchParams({ set, back: one("[name=back]", form).value });
  for (const row of chosen) { body.append("id", row.dataset.id); body.append("seen", one("[name=seen]", row).value); }
  try {
    const answer = await fetch("/inbox/bulk", { method: "POST", body, keepalive: true, headers: { accept: "application/json" } });
    if (answer.status === 401) return location.assign(`/sign-in?then=${encodeURIComponent(location.pathname + location.search)}`);
    if (!answer.ok) throw new Error(answer.status);
    const told = await answer.json();
    if (told.left) return location.reload();  // somebody else was quicker: what stands there now
    for (const row of chosen) {
      const seen = one("[name=seen]", row), [name, value] = set.split(":"), shown = seen.value.split(":");
      shown[{ status: 1, category: 2, sentiment: 3 }[name]] = value;
      seen.value = shown.join(":");
      delete row.undo;
    }
    tell(told);
    recount();
  } catch {
    chosen.forEach(unmark);
    tell({ say: form.dataset.failed, bad: true });
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
const take_back = () => {  // what is not sent yet
  const chosen = [...unsent.values()].flatMap((some) => [...some]);
  chosen.forEach(unmark);
  unsent.clear();
  clearTimeout(timer);
  go(rows.indexOf(chosen[0]));
};
onPage(() => {
  one("#bulk")?.addEventListener("submit", (event) => {
    if (event.submitter?.name !== "set" || matching()) return;
    if (!chosen_rows().length && rows[at]) choose(at, at);
    const chosen = chosen_rows();
    if (!chosen.length || !AT_ONCE.test(event.submitter.value)) return;
    event.preventDefault();
    change(chosen, event.submitter);
    flush();
  });
});
addEventListener("pagehide", flush);
