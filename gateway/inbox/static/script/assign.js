// Menus to assign and snooze: where they open the keyboard is, and Enter does it
onPage(() => { for (const menu of all("details.menu")) {
  menu.addEventListener("toggle", () => { if (menu.open) one("select", menu)?.focus(); });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { menu.open = false; one("summary", menu).focus(); event.preventDefault(); }
    if (event.key !== "Enter" || !event.target.matches("select, input")) return;
    event.preventDefault();
    one("button", menu).click();
  });
} });
// Without a chosen record the one that is here is meant
onPage(() => { for (const button of all("#bulk button[formaction]")) {
  button.addEventListener("click", () => {
    if (!boxes.some((box) => box.checked) && boxes.length) boxes[Math.max(at, 0)].checked = true;
  });
} });

// Who else looks at a record
const say_here = async (body) => {
  const looking = one("[data-presence]");
  if (!looking || (document.hidden && !body)) return;
  try {
    const answer = await fetch(looking.dataset.presence, { method: "POST", body: new URLSearchParams(body), keepalive: true, headers: { accept: "application/json" } });
    const told = answer.ok ? (await answer.json()).say : "";
    if (looking.textContent !== told) looking.textContent = told;
  } catch { /* away for a while: what was told stands */ }
};
onPage(() => { say_here(); });
setInterval(say_here, 20_000);
document.addEventListener("visibilitychange", () => say_here());
addEventListener("pagehide", () => say_here({ gone: "1" }));

// Names in a note: @ and the first letters
onPage(() => { for (const field of all("textarea[data-names]")) {
  const names = JSON.parse(field.dataset.names);
  const list = document.createElement("ul");
  Object.assign(list, { className: "names", id: `${field.id}-names`, hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "@");
  field.after(list);
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-autocomplete", "list");
  let chosen = 0;
  const begun = () => field.value.slice(0, field.selectionStart).match(/(?<![\p{L}\p{N}_])@([^@\n]{0,100})$/u)?.[1];
  const close = () => { list.hidden = true; list.replaceChildren(); field.removeAttribute("aria-activedescendant"); };
  const mark = () => {
    for (const [index, item] of [...list.children].entries()) item.setAttribute("aria-selected", String(index === chosen));
    field.setAttribute("aria-activedescendant", list.children[chosen].id);
  };
  const take = (name) => {
    const start = field.selectionStart - begun().length;
    field.setRangeText(`${name} `, start, field.selectionStart, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    close();
  };
  field.addEventListener("input", () => {
    const text = begun()?.toLowerCase();
    const fits = text === undefined ? [] : names.filter((name) => name.toLowerCase().startsWith(text) && name.toLowerCase() !== text.trim()).slice(0, 6);
    close();
    if (!fits.length) return;
    chosen = 0;
    list.append(...fits.map((name, index) => {
      const item = document.createElement("li");
      Object.assign(item, { id: `${list.id}-${index}`, textContent: name });
      item.setAttribute("role", "option");
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(name); });
      return item;
    }));
    list.hidden = false;
    mark();
  });
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const count = list.children.length;
    if (event.key === "ArrowDown") chosen = (chosen + 1) % count;
    else if (event.key === "ArrowUp") chosen = (chosen + count - 1) % count;
    else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); take(list.children[chosen].textContent); return; }
    else if (event.key === "Escape") { event.stopPropagation(); close(); return; }
    else return;
    event.preventDefault();
    mark();
  });
  field.addEventListener("blur", close);
} });
