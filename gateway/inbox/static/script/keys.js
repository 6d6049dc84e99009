// The keyboard
const help = one("#keys");
const help_me = () => help && !help.open && help.showModal();
for (const button of all("[data-help]")) { show(button); button.addEventListener("click", help_me); }
const press = (key) => {
  const target = all("[data-key]").find((element) => element.dataset.key === key && !element.disabled && !element.hidden);
  if (!target) return false;
  if (target.matches("input")) { target.focus(); target.select(); }
  else if (target.matches("textarea")) target.focus();
  else target.click();
  return true;
};
const keys = {
  j: () => go(at + 1),
  k: () => go(at - 1),
  x: () => { const box = boxes[Math.max(at, 0)]; if (box) { box.checked = !box.checked; if (at < 0) go(0); count(); } },
  e: () => {
    const button = one('#bulk button[data-key="e"]');
    if (!button) { one('#labels button[value="resolved"]:not(:disabled)')?.click(); return; }
    const chosen = rows.filter((row) => one("input[name=id]", row).checked);
    change(chosen.length ? chosen : [rows[Math.max(at, 0)]], button);
    if (!chosen.length) go(Math.max(at, 0) + 1);
  },
  z: () => {
    if (!unsent.size) { press("z"); return; }
    const chosen = [...unsent.values()].flatMap((some) => [...some]);
    chosen.forEach(unmark);
    go(rows.indexOf(chosen[0]));
    unsent.clear();
    clearTimeout(timer);
  },
  "?": help_me,
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || help?.open) return;
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  if (keys[event.key]) { keys[event.key](); event.preventDefault(); }
  else if (press(event.key)) event.preventDefault();
});
