// Live: a quiet line says how many are new; a list that is empty shows the first by itself
const every_ms = 5000;
const look = async () => {
  const arrived = one("#arrived"), page = document.body.dataset;
  if (page.page !== "inbox" || document.hidden || new URLSearchParams(location.search).has("cursor")) return;
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
setInterval(look, every_ms);
document.addEventListener("visibilitychange", look);


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

// Waiting for a first delivery, or for what becomes of a test
const waiting = one("[data-wait]");
if (waiting) {
  const ask = async () => {
    try {
      const answer = await fetch(waiting.dataset.wait, { headers: { accept: "application/json" } });
      const { received, say, bad } = await answer.json();
      if (!received) return;
      clearInterval(timer);
      waiting.textContent = say;
      waiting.className = bad ? "negative" : "received";
    } catch { /* asked again */ }
  };
  const timer = setInterval(ask, 3000);
}
