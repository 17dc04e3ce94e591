// The tabs of the workflow: its graph, the same as a table, and its definition. The address holds the tab.
"use strict";

{
  const tabs = [...document.querySelectorAll("[data-tab]")];

  // The root is outside of what updates replace.
  function show(name) {
    document.documentElement.dataset.tab = name;
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab.dataset.tab === name));
      tab.tabIndex = tab.dataset.tab === name ? 0 : -1;
    }
    if (name === "definition") htmx.trigger("#view-definition", "show-definition");
  }

  function select(name) {
    const url = new URL(location.href);
    if (name === "graph") url.searchParams.delete("tab");
    else url.searchParams.set("tab", name);
    history.replaceState(history.state, "", url);
    show(name);
  }

  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => select(tab.dataset.tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      next.focus();
      select(next.dataset.tab);
    });
  }

  const requested = new URL(location.href).searchParams.get("tab");
  document.documentElement.dataset.tab = requested ?? "graph";
  // htmx listens to events when the document is complete.
  document.addEventListener("DOMContentLoaded", () => show(tabs.some((tab) => tab.dataset.tab === requested) ? requested : "graph"));
}
