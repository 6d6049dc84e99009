// What is written is kept in this browser until it has been sent
const pending = sessionStorage.getItem("sent");
if (one("[data-draft]") && pending?.startsWith(`draft ${location.pathname} `)) {  // back where it was written
  if (one(".said:not(.bad)")) localStorage.removeItem(pending);
  sessionStorage.removeItem("sent");
}
for (const field of all("textarea[data-draft]")) {
  const name = `draft ${location.pathname} ${field.name}`;
  field.value ||= localStorage.getItem(name) ?? "";
  if (field.value) localStorage.setItem(name, field.value);  // also what the server gave back
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


// What cannot be taken back is asked about
for (const form of all("form")) {
  form.addEventListener("submit", (event) => {
    const sure = event.submitter?.dataset.sure ?? form.dataset.sure;
    if (sure && !confirm(sure)) event.preventDefault();
  });
}
