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

  // What is written is kept in this browser until it has been sent
  const pending = sessionStorage.getItem("sent");
  if (one("[data-draft]") && pending?.startsWith(`draft ${location.pathname} `)) {  // back where it was written
    if (one(".said:not(.bad)")) localStorage.removeItem(pending);
    sessionStorage.removeItem("sent");
  }
  for (const field of all("textarea[data-draft]")) {
    const name = `draft ${location.pathname} ${field.name}`;
    field.value ||= localStorage.getItem(name) ?? "";
    field.addEventListener("input", () => { if (field.value) localStorage.setItem(name, field.value); else localStorage.removeItem(name); });
    field.form.addEventListener("submit", () => sessionStorage.setItem("sent", name));
  }
  one('form[action="/sign-out"]')?.addEventListener("submit", () => {
    for (const name of Object.keys(localStorage)) if (name.startsWith("draft ")) localStorage.removeItem(name);
  });
  one("form[data-send]")?.requestSubmit();

  // A form is sent once, however often it is clicked
  addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
  addEventListener("pageshow", () => { for (const form of all("[data-sent]")) delete form.dataset.sent; });

  // The keyboard
  const help = one("#keys");
  const help_me = () => help && !help.open && help.showModal();
  for (const button of all("[data-help]")) { show(button); button.addEventListener("click", help_me); }
  const press = (key) => {
    const target = all("[data-key]").find((element) => element.dataset.key === key && !element.disabled && !element.hidden);
    if (!target) return false;
    if (target.matches("input")) { target.focus(); target.select(); } else { target.click(); }
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
