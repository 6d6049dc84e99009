// On fire: what resolved by itself is told as it does, and the groups are shown anew while nobody is at work in them
if (document.body.dataset.page === "alerts") {
  const told = one("#resolved");
  const look = async () => {
    const groups = one("#alerts");
    if (document.hidden) return;
    const query = new URLSearchParams({ since: document.body.dataset.since, changed: groups.dataset.changed });
    try {
      const answer = await fetch(`/alerts/fresh?${query}`, { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const { changed, say } = await answer.json();
      told.hidden = !say;
      if (told.textContent !== say) told.textContent = say;
      if (!changed || groups.contains(document.activeElement) || one(".mute[open]", groups)) return;
      const shown = await fetch(location.href);
      if (!shown.ok || shown.redirected) return;
      const fresh = one("#alerts", new DOMParser().parseFromString(await shown.text(), "text/html"));
      const open = all(".folded", groups).map((part) => part.open);
      all(".folded", fresh).forEach((part, number) => { part.open = open[number] ?? false; });
      groups.replaceWith(fresh);
    } catch { /* away for a moment: asked again */ }
  };
  setInterval(look, every_ms);
  document.addEventListener("visibilitychange", look);
}
