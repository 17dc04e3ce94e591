// The event history: expand and collapse all rows, and keep the filter while the execution runs.
"use strict";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-expand]");
  if (!button) return;
  for (const details of document.querySelectorAll("#events details[id]")) details.open = button.dataset.expand === "all";
});

// Updates do not replace rows that were loaded for a filter, so these are loaded again.
document.addEventListener("htmx:sseMessage", () => {
  if (document.querySelector("#events > [data-loaded]")) htmx.trigger("#history-filter", "submit");
});
