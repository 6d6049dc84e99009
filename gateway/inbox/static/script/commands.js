// The command bar: what can be done here, views and pages, found as one types (Ctrl-K)
let links = [];  // of /inbox/keys, asked for each time the bar opens
const verbs = () => [...names()].flatMap(([key, name]) => {
  const told = one(`#keys dt[data-name="${name}"] + dd`).dataset.label, marked = all("[data-key]").filter((one) => one.dataset.key === key && !one.disabled);
  if (name === "commands" || (!scripted[name] && !marked.length)) return [];
  if (scripted[name] && document.body.dataset.page !== "inbox" && !marked.length && name !== "help") return [];
  const entry = one(`#keys dt[data-name="${name}"]`), several = entry.dataset.keys.includes(" ");
  return [{ label: several ? `${told}: ${marked[0].textContent.trim()}` : told, cap: several ? key : one("kbd", entry).textContent, act: () => pressed(key) }];
});
const found = (text) => {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = ({ label }) => (label.toLowerCase().startsWith(words[0] ?? "") ? 0 : 1);
  return [...verbs(), ...links].filter(({ label }) => words.every((word) => label.toLowerCase().includes(word))).sort((a, b) => rank(a) - rank(b));
};
const commands = () => {
  const bar = one("#commands"), field = one("input", bar), list = one("ul", bar);
  if (bar.open) return;
  let shown = [], chosen = 0;
  const point = (index) => {
    chosen = (index + shown.length) % (shown.length || 1);
    [...list.children].forEach((option, number) => option.setAttribute("aria-selected", number === chosen));
    list.children[chosen]?.scrollIntoView({ block: "nearest" });
    if (shown.length) field.setAttribute("aria-activedescendant", list.children[chosen].id); else field.removeAttribute("aria-activedescendant");
  };
  const fill = () => {
    shown = found(field.value);
    list.replaceChildren(...shown.map(({ label, cap }, number) => {
      const option = document.createElement("li");
      Object.assign(option, { id: `command-${number}`, role: "option" });
      option.append(Object.assign(document.createElement("span"), { textContent: label }));
      if (cap) option.append(Object.assign(document.createElement("kbd"), { textContent: cap }));
      option.addEventListener("click", () => act(number));
      return option;
    }));
    list.hidden = !shown.length;
    one("p", bar).textContent = shown.length ? "" : bar.dataset.none;
    point(0);
  };
  const act = (number) => {
    const command = shown[number];
    if (!command) return;
    bar.close();
    if (command.act) command.act(); else location.assign(command.href);
  };
  field.value = "";
  field.oninput = fill;
  field.onkeydown = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) point(chosen + by); else if (event.key === "Enter") act(chosen); else return;
    event.preventDefault();
  };
  bar.showModal();
  fill();
  fetch("/inbox/keys", { headers: { accept: "text/html" } }).then((answer) => answer.text()).then((text) => {
    const page = new DOMParser().parseFromString(text, "text/html");
    links = all("[data-leads] a", page).map((link) => ({ label: link.textContent.trim(), href: link.getAttribute("href") }));
    fill();
  }).catch(() => {});
};
