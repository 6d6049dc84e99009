// A chart is one stop for Tab; the arrow keys go from bar to bar.
onPage(() => { for (const chart of all("svg.chart")) {
  const bars = all("a", chart);
  if (!bars.length) continue;
  const stop = (bar) => { for (const each of bars) each.setAttribute("tabindex", each === bar ? "0" : "-1"); };
  stop(bars.at(-1));
  chart.addEventListener("keydown", (event) => {
    const at = bars.indexOf(document.activeElement);
    const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
    if (at < 0 || !bars[next]) return;
    event.preventDefault();
    stop(bars[next]);
    bars[next].focus();
  });
} });
