// Going on: the next page is fetched and put in place of this one, and what is typed meanwhile waits for it
const WIDE = matchMedia("(min-width: 87.5rem)");  // a record is read beside its list
let going = null, here = location.pathname + location.search;
const typed = [];
const put = (next, stays) => {
  const top = stays ? scrollY : 0;
  document.title = next.title;
  document.body.replaceWith(document.adoptNode(next.body));
  scrollTo(0, top);
  start();
  const heading = one("#pane article header h1") ?? (one(".row.here") ? null : one("main h1"));
  if (heading) { heading.tabIndex = -1; heading.focus({ preventScroll: true }); }
};
const visit = async (address, { body, back } = {}) => {
  const mine = going = {};
  try {
    await sent_all();
    const answer = await fetch(address, { method: body ? "POST" : "GET", body, headers: { accept: "text/html" } });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== going) return;  // somebody went on from there
    if (one("script", next)?.getAttribute("src") !== one("script").getAttribute("src")) return location.assign(body ? here : answer.url);
    const { pathname, search } = new URL(answer.url), [path, query] = here.split("?");
    if (!back) history[pathname + search === here ? "replaceState" : "pushState"](null, "", answer.url);
    put(next, path === pathname && list_of(query ?? "") === list_of(search));
    here = location.pathname + location.search;
    going = null;
  } catch (error) {
    if (mine !== going) return;
    going = null;
    typed.length = 0;
    for (const form of all("[data-sent]")) delete form.dataset.sent;
    if (body) tell({ say: one("[data-failed]")?.dataset.failed ?? String(error), bad: true });
    else location.assign(address);
  }
  while (typed.length && !going) pressed(...typed.shift());
};
const beside = (link) => {  // where a row leads on a wide screen
  const [record, own] = [new URL(link.href), new URL(location.href)];
  for (const name of ["at", "all"]) own.searchParams.delete(name);
  own.searchParams.set("open", record.pathname.split("/")[2]);
  own.hash = "";
  return own.href;
};
addEventListener("click", (event) => {
  const link = event.target.closest?.("a.title, .back a, .matching a");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!document.body.dataset.page) return;
  event.preventDefault();
  visit(WIDE.matches && link.matches("a.title") ? beside(link) : link.href);
});
addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || form.method !== "post" || form.enctype !== "application/x-www-form-urlencoded") return;
  const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  if (!document.body.dataset.page || !/^\/(records|inbox)\//.test(new URL(action).pathname)) return;
  event.preventDefault();
  visit(action, { body: new URLSearchParams(new FormData(form, submitter)) });
});
addEventListener("popstate", () => {
  if (location.pathname + location.search !== here) visit(location.href, { back: true });
});
