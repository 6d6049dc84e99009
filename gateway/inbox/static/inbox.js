// What pages can do besides when scripts run: the keyboard, live arrival, copying. Nothing depends on it.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector, within = document) => within.querySelector(selector);
  const show = (element) => { if (element) element.hidden = false; };

  // Times are shown in this zone from the next page on, unless the account says otherwise.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.includes("zone=")) {
    document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  }

  // Filters apply as they are chosen; empty ones stay out of the address.
  for (const form of all("form[data-auto]")) {
    form.addEventListener("change", (event) => { if (event.target.matches("select")) form.requestSubmit(); });
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
    });
  }
  addEventListener("pageshow", () => { for (const field of all("[data-auto] :disabled")) field.disabled = false; });

  // Copying
  for (const button of all("[data-copy]")) {
    show(button);
    const said = button.textContent;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      const text = source.value ?? source.textContent;
      try { await navigator.clipboard.writeText(text); } catch { select(source); document.execCommand("copy"); }
      button.textContent = "✓";
      setTimeout(() => { button.textContent = said; }, 1500);
    });
  }
  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }

  // The list: rows, the chosen ones, and where the keyboard is
  const rows = all(".row");
  const boxes = all(".row > input");
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
    sessionStorage.setItem("row", rows[at].dataset.id);
  };
  for (const [index, row] of rows.entries()) {
    row.addEventListener("focusin", () => { rows[at]?.classList.remove("here"); at = index; row.classList.add("here"); });
  }
  if (rows.length) {  // back from a record, or after a change: where one was
    const last = rows.findIndex((row) => row.dataset.id === sessionStorage.getItem("row"));
    if (last >= 0) go(last);
  }

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
      if (boxes.length && !boxes.some((box) => box.checked)) { if (at < 0) return; boxes[at].checked = true; }
      if (boxes.length) { sessionStorage.setItem("row", (rows[at + 1] ?? rows[at - 1] ?? rows[0]).dataset.id); press("e"); }
      else one('#labels button[value="resolved"]:not(:disabled)')?.click();
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

  // Live: a quiet line says how many are new; a list that is empty shows the first by itself
  const page = document.body.dataset;
  const every_ms = 5000;
  if (page.page === "inbox") {
    const arrived = one("#arrived");
    const look = async () => {
      if (document.hidden) return;
      const query = new URLSearchParams(page.query);
      query.set("after", page.newest);
      try {
        const answer = await fetch(`/inbox/fresh?${query}`, { headers: { accept: "application/json" } });
        if (!answer.ok) return;
        const { count, say } = await answer.json();
        if (count && !rows.length && one(".teach")) { location.assign("/inbox"); return; }
        arrived.hidden = !count;
        if (one("a", arrived).textContent !== say) one("a", arrived).textContent = say;
        document.title = document.title.replace(/^(\(\d+\+?\) )?/, count ? `(${say.split(" ")[0]}) ` : "");
      } catch { /* away for a moment: asked again */ }
    };
    if (!new URLSearchParams(location.search).has("cursor")) setInterval(look, every_ms);
    document.addEventListener("visibilitychange", look);
  }

  // What is being written stays in this browser until it is taken
  for (const field of all("[data-draft]")) {
    const name = `draft ${field.dataset.draft}`;
    const keep = () => { if (field.value) localStorage.setItem(name, field.value); else localStorage.removeItem(name); };
    if ("sent" in field.dataset) localStorage.removeItem(name);
    else if (!field.value) field.value = localStorage.getItem(name) ?? "";
    keep();
    field.addEventListener("input", keep);
  }

  // What cannot be taken back is asked about
  for (const form of all("form[data-sure]")) {
    form.addEventListener("submit", (event) => { if (!confirm(form.dataset.sure)) event.preventDefault(); });
  }

  // A training: how it goes, and the page anew when it has ended
  const training = one("[data-training]");
  if (training) {
    setInterval(async () => {
      try {
        const answer = await fetch(training.dataset.training, { headers: { accept: "application/json" } });
        const { ended, say } = await answer.json();
        if (ended) location.reload();
        else if (training.textContent !== say) training.textContent = say;
      } catch { /* asked again */ }
    }, 2000);
  }

  // Waiting for a first delivery
  const waiting = one("[data-wait]");
  if (waiting) {
    const ask = async () => {
      try {
        const answer = await fetch(waiting.dataset.wait, { headers: { accept: "application/json" } });
        const { received, say } = await answer.json();
        if (!received) return;
        clearInterval(timer);
        waiting.textContent = say;
        waiting.classList.add("received");
      } catch { /* asked again */ }
    };
    const timer = setInterval(ask, 3000);
  }
})();
