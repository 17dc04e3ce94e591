// The page of one execution: the selected state, and updates while the execution runs.
"use strict";

{
  const graph = document.getElementById("graph");
  const panel = document.getElementById("state");
  let shownSummary = "";

  const readOutcomes = () => JSON.parse(document.getElementById("outcomes").dataset.outcomes);
  const selectedState = () => new URL(location.href).searchParams.get("state") ?? "";

  function markSelected() {
    for (const link of document.querySelectorAll("[data-state]")) {
      if (link.dataset.state && link.dataset.state === selectedState()) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  // The outcome of the selected state as text. The panel is loaded again when it changes.
  function summarize(outcomes) {
    return selectedState() ? JSON.stringify(outcomes.states[selectedState()]) : JSON.stringify(outcomes);
  }

  function loadPanel() {
    shownSummary = summarize(readOutcomes());
    const url = new URL(panel.dataset.part, location.href);
    if (selectedState()) url.searchParams.set("state", selectedState());
    return htmx.ajax("GET", url.pathname + url.search, { source: panel, target: panel, swap: "morph:innerHTML" });
  }

  async function select(name) {
    if (name !== selectedState()) {
      const url = new URL(location.href);
      if (name) url.searchParams.set("state", name);
      else url.searchParams.delete("state");
      history.pushState({}, "", url);
    }
    markSelected();
    await loadPanel();
    const box = panel.getBoundingClientRect();
    if (box.top > innerHeight - 120 || box.bottom < 0) panel.scrollIntoView({ block: "start" });
  }

  function refresh() {
    const outcomes = readOutcomes();
    document.title = document.getElementById("outcomes").dataset.title;
    showOutcomes(graph, outcomes);
    markSelected();
    renderJson();
    if (summarize(outcomes) !== shownSummary) loadPanel();
  }

  // Scroll the graph to the selected state, or else to a state that failed or runs. The page itself does not scroll.
  function scrollToState() {
    const node = graph.querySelector("[aria-current]")
      ?? graph.querySelector(".node.failed, .node.timed-out, .node.aborted, .node.running") ?? graph.querySelector(".node");
    const [inner, outer] = [node.getBoundingClientRect(), graph.getBoundingClientRect()];
    graph.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
    graph.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
  }

  // Whether Idiomorph may replace an element. Parts that scripts rendered or the user loaded are kept.
  function mayReplace(current, replacement) {
    if (!current.dataset) return true;
    if ("static" in current.dataset) return false;
    // The log lines stay until new ones are loaded.
    if ("log" in current.dataset && current.querySelector(".log") && replacement.dataset?.log !== undefined) {
      current.setAttribute("hx-get", replacement.getAttribute("hx-get"));
      return false;
    }
    if ("json" in current.dataset) return current.dataset.json !== replacement.dataset?.json;
    return !("paged" in current.dataset && current.querySelector(":scope > [data-loaded]"));
  }

  document.addEventListener("DOMContentLoaded", () => {
    Idiomorph.defaults.callbacks.beforeNodeMorphed = mayReplace;
    drawGraph(graph, readOutcomes());
    shownSummary = summarize(readOutcomes());
    refresh();
    scrollToState();
    addZoom(graph);
  });

  document.addEventListener("htmx:afterSettle", () => { if (graph.firstChild) refresh(); });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.target.matches?.("[data-log]")) event.target.textContent = "The logs could not be loaded.";
  });
  addEventListener("popstate", () => { markSelected(); loadPanel(); });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-state]");
    if (link && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      select(link.dataset.state);
    }
    const button = event.target.closest("[data-copy-data]");
    if (button) copyText(document.getElementById(button.dataset.copyData).dataset.json);
  });
}
