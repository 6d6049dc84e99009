// The keyboard: a key presses what is marked with it (gateway/inbox/shortcuts.py), or does one of these
const press = (key) => {
  const usable = (element) => element.dataset.key === key && !element.disabled && !element.hidden;
  const target = [...all("#pane [data-key]"), ...all("[data-key]")].find(usable);
  if (!target) return false;
  for (let around = target.closest("details:not([open])"); around; around = around.parentElement.closest("details:not([open])")) {
    if (!target.matches("button")) around.open = true;
  }
  if (target.matches("input:not([type=file])")) { target.focus(); target.select(); }
  else if (target.matches("textarea, select")) target.focus();
  else target.click();
  return true;
};
const verdict = (key) => {  // of the chosen ones, else of the record that is read, else of the row where one is
  const button = one(`#bulk button[data-key="${key}"]`), chosen = chosen_rows();
  if (button?.name !== "set" || matching() || (one("#pane") && !chosen.length)) return press(key);
  if (!chosen.length && !rows.length) return false;
  change(chosen.length ? chosen : [rows[Math.max(at, 0)]], button);
  if (!chosen.length) go(Math.max(at, 0) + (button.value.startsWith("status") ? 1 : 0));
  return true;
};
const help = () => { const keys = one("#keys"); if (keys && !keys.open) keys.showModal(); return !!keys; };
const step = (by, key) => (one("#pane") ? press(key) : rows.length > 0 && (go(at + by), true));
const grow = (by) => { if (!boxes.length) return false; choose(Math.max(at, 0), Math.max(at, 0)); go(at + by); choose(at, at); return true; };
const scripted = {
  next: () => step(1, "j") || press("j"),
  previous: () => step(-1, "k") || press("k"),
  open: () => {
    const target = document.activeElement.matches("a, button, summary") ? document.activeElement : rows[at] && one(".title", rows[at]);
    target?.click();
    return !!target;
  },
  choose: () => { const box = boxes[Math.max(at, 0)]; if (!box || box.disabled) return false; if (at < 0) go(0); choose(at, at, !box.checked); return true; },
  choose_range: () => boxes.length > 0 && (choose(last < 0 ? 0 : last, Math.max(at, 0)), true),
  choose_next: () => grow(1),
  choose_previous: () => grow(-1),
  choose_all: () => {
    const more = one(".matching[data-matching]:not([hidden]) a");
    if (more) more.click(); else if (boxes.length && !matching()) choose(0, boxes.length - 1);
    return boxes.length > 0;
  },
  clear: () => {
    if (matching() || !chosen_rows().length) return press("Escape") || (one("#pane") ? press("u") : false);
    choose(0, boxes.length - 1, false);
    return true;
  },
  undo: () => { if (unsent.size) { take_back(); return true; } return press("z"); },
  help,
  commands: () => { commands(); return true; },
};
const names = () => new Map(all("#keys dt[data-name]").flatMap((dt) => dt.dataset.keys.split(" ").map((key) => [key, dt.dataset.name])));
const pressed = (key) => {
  if (typing(document.activeElement)) return key.length === 1 && document.execCommand("insertText", false, key);  // it waited
  const name = names().get(key);
  if (scripted[name]) return scripted[name]();
  return one(`#bulk button[data-key="${CSS.escape(key)}"]`) ? verdict(key) : press(key);
};
const typing = (element) => element.closest?.("input:not([type=checkbox]), textarea, select");
addEventListener("keydown", (event) => {
  const held = event.metaKey || event.ctrlKey;
  if (held && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k" && one("#commands")) { event.preventDefault(); return scripted.commands(); }
  if (held || event.altKey || event.defaultPrevented || one("dialog[open]") || !single()) return;
  if (typing(event.target)) { if (event.key === "Escape") event.target.blur(); return; }
  if (going) { if (event.key.length === 1 || event.key === "Enter" || event.key === "Escape") { typed.push([event.key]); event.preventDefault(); } return; }
  if (event.key === "Enter" && event.target !== document.body) return;  // what has the focus is pressed
  if (pressed(event.key)) event.preventDefault();
});
const single = () => localStorage.getItem("keys") !== "off";  // WCAG 2.1.4
onPage(() => {
  const mark = one("[data-single]");
  if (!mark) return;
  show(mark);
  one("input", mark).checked = single();
  one("input", mark).addEventListener("change", (event) => localStorage.setItem("keys", event.target.checked ? "on" : "off"));
});
onPage(() => { for (const button of all("[data-help]")) { show(button); button.addEventListener("click", help); } });
