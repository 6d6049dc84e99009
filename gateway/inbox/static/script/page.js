// What pages can do besides when scripts run: the keyboard, live arrival, copying. Nothing depends on it.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);
const show = (element) => { if (element) element.hidden = false; };
const starts = [];  // done on each page, also on one that came without being loaded (visit.js)
const onPage = (act) => starts.push(act);
const start = () => { for (const act of starts) act(); };
addEventListener("DOMContentLoaded", start);

// Times are shown in this zone from the next page on, unless the account says otherwise.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes("zone=")) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}

// Filters apply as they are chosen; empty ones stay out of the address.
onPage(() => { for (const form of all("form[data-auto]")) {
  let typed = false;  // an arrow key changes a list, too, and must not lead away (WCAG 3.2.2)
  form.addEventListener("keydown", (event) => {
    typed = true;
    if (event.key === "Enter" && event.target.matches("select")) form.requestSubmit();
  });
  form.addEventListener("pointerdown", () => { typed = false; });
  form.addEventListener("change", (event) => { if (event.target.matches("select") && !typed) form.requestSubmit(); });
  form.addEventListener("submit", () => {
    for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
  });
} });
addEventListener("pageshow", () => { for (const field of all("[data-auto] :disabled")) field.disabled = false; });

// Copying
onPage(() => { for (const button of all("[data-copy]")) {
  show(button);
  const said = button.textContent;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const text = source.value ?? source.textContent;
    try { await navigator.clipboard.writeText(text); } catch { select(source); document.execCommand("copy"); }
    button.textContent = "✓";
    setTimeout(() => { button.textContent = said; }, 1500);
  });
} });
function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}
