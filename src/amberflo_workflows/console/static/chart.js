// Bars: read out where the pointer or the focus is, and gone along with the arrow keys.
"use strict";

function readOut(bar) {
  document.querySelector("[data-readout]").textContent = bar.getAttribute("aria-label");
}

document.addEventListener("pointerover", (event) => {
  const bar = event.target.closest("[data-chart] .bar");
  if (bar) readOut(bar);
});

document.addEventListener("focusin", (event) => {
  const bar = event.target.closest("[data-chart] .bar");
  if (bar) readOut(bar);
});

document.addEventListener("keydown", (event) => {
  const bar = event.target.closest("[data-chart] .bar");
  if (!bar) return;
  const bars = [...bar.parentNode.querySelectorAll(".bar")];
  const at = bars.indexOf(bar);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  const target = bars[Math.min(Math.max(next, 0), bars.length - 1)];
  bar.setAttribute("tabindex", "-1");
  target.setAttribute("tabindex", "0");
  target.focus();
});

// What is longer than the page shows its newest end.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll(".plot").forEach((plot) => { plot.scrollLeft = plot.scrollWidth; });
});
