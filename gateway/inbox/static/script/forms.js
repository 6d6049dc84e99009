// What is written is kept in this browser until it has been sent
const draft = (field) => `draft ${new URL(field.form.action).pathname} ${field.name}`;
onPage(() => {
  const fields = all("textarea[data-draft]"), pending = sessionStorage.getItem("sent");
  if (pending && fields.some((field) => draft(field) === pending)) {  // back where it was written
    if (one(".said:not(.bad)")) localStorage.removeItem(pending);
    sessionStorage.removeItem("sent");
  }
  for (const field of fields) {
    const name = draft(field);
    field.value ||= localStorage.getItem(name) ?? "";
    if (field.value) localStorage.setItem(name, field.value);  // also what the server gave back
    field.addEventListener("input", () => { if (field.value) localStorage.setItem(name, field.value); else localStorage.removeItem(name); });
    field.form.addEventListener("submit", () => sessionStorage.setItem("sent", name));
  }
  one('form[action="/sign-out"]')?.addEventListener("submit", () => {
    for (const name of Object.keys(localStorage)) if (name.startsWith("draft ")) localStorage.removeItem(name);
  });

  // What cannot be taken back is asked about
  for (const form of all("form")) {
    form.addEventListener("submit", (event) => {
      const sure = event.submitter?.dataset.sure ?? form.dataset.sure;
      if (sure && !confirm(sure)) event.preventDefault();
    });
  }
  one("form[data-send]")?.requestSubmit();
});

// A form is sent once, however often it is clicked
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => { for (const form of all("[data-sent]")) delete form.dataset.sent; });
