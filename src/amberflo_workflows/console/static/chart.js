// Shows the value of the bar under the pointer or with the focus. Arrow keys move between bars.
"use strict";

function showValue(bar) {
  document.querySelector("[data-readout]").textContent = bar.getAttribute("aria-label");
}

document.addEventListener("pointerover", (event) => {
  const bar = event.target.closest("[data-chart] .bar");
  if (bar) showValue(bar);
});

document.addEventListener("focusin", (event) => {
  const bar = event.target.closest("[data-chart] .bar");
  if (bar) showValue(bar);
});

document.addEventListener("keydown", (event) => {
  const bar = event.target.closest("[data-chart] .bar");
  if (!bar) return;
  const bars = [...bar.parentNode.querySelectorAll(".bar")];
  const index = bars.indexOf(bar);
  const next = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const target = bars[Math.min(Math.max(next, 0), bars.length - 1)];
  bar.setAttribute("tabindex", "-1");
  target.setAttribute("tabindex", "0");
  target.focus();
});

// A chart that is wider than the page is scrolled to its newest end.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".plot").forEach((plot) => { plot.scrollLeft = plot.scrollWidth; });
});
