// One execution: which state is in focus, and what changes while it runs.
"use strict";

{
  const graph = document.getElementById("graph");
  const panel = document.getElementById("state");
  let shown = "";

  const outcomesNow = () => JSON.parse(document.getElementById("outcomes").dataset.outcomes);
  const focused = () => new URL(location.href).searchParams.get("state") ?? "";

  function mark() {
    for (const link of document.querySelectorAll("[data-state]")) {
      if (link.dataset.state && link.dataset.state === focused()) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  // What the panel shows of the state in focus, in short; it is read anew when that has changed.
  function essence(outcomes) {
    return focused() ? JSON.stringify(outcomes.states[focused()]) : JSON.stringify(outcomes);
  }

  function read() {
    shown = essence(outcomesNow());
    const address = new URL(panel.dataset.part, location.href);
    if (focused()) address.searchParams.set("state", focused());
    return htmx.ajax("GET", address.pathname + address.search, { source: panel, target: panel, swap: "morph:innerHTML" });
  }

  async function choose(name) {
    if (name !== focused()) {
      const address = new URL(location.href);
      if (name) address.searchParams.set("state", name);
      else address.searchParams.delete("state");
      history.pushState({}, "", address);
    }
    mark();
    await read();
    const seen = panel.getBoundingClientRect();
    if (seen.top > innerHeight - 120 || seen.bottom < 0) panel.scrollIntoView({ block: "start" });
  }

  function refresh() {
    const outcomes = outcomesNow();
    document.title = document.getElementById("outcomes").dataset.title;
    showOutcomes(graph, outcomes);
    mark();
    drawJson();
    if (essence(outcomes) !== shown) read();
  }

  // To what went wrong, else to what is in focus; the page itself stays where it is.
  function reveal() {
    const node = graph.querySelector("[aria-current]")
      ?? graph.querySelector(".node.failed, .node.timed-out, .node.aborted, .node.running") ?? graph.querySelector(".node");
    const [inner, box] = [node.getBoundingClientRect(), graph.getBoundingClientRect()];
    graph.scrollTop += inner.top - box.top - (box.height - inner.height) / 2;
    graph.scrollLeft += inner.left - box.left - (box.width - inner.width) / 2;
  }

  function offerWhole() {
    const button = document.getElementById("fit");
    button.hidden = graph.scrollWidth <= graph.clientWidth && graph.scrollHeight <= graph.clientHeight;
    button.addEventListener("click", () => {
      const whole = graph.classList.toggle("whole");
      button.setAttribute("aria-pressed", String(whole));
      if (!whole) reveal();
    });
  }

  // Some parts are drawn here or were asked for one by one; what is drawn anew around them leaves them alone.
  function leave(old, fresh) {
    if (!old.dataset) return true;
    if ("still" in old.dataset) return false;
    // A log stays until it was read anew.
    if ("awaited" in old.dataset && old.querySelector(".log") && fresh.dataset?.awaited !== undefined) {
      old.setAttribute("hx-get", fresh.getAttribute("hx-get"));
      return false;
    }
    if ("json" in old.dataset) return old.dataset.json !== fresh.dataset?.json;
    return !("kept" in old.dataset && old.querySelector(":scope > [data-loaded]"));
  }

  document.addEventListener("DOMContentLoaded", () => {
    Idiomorph.defaults.callbacks.beforeNodeMorphed = leave;
    drawGraph(graph, outcomesNow());
    shown = essence(outcomesNow());
    refresh();
    reveal();
    offerWhole();
  });

  document.addEventListener("htmx:afterSettle", () => { if (graph.firstChild) refresh(); });
  document.addEventListener("htmx:responseError", (event) => {
    if (event.target.matches?.("[data-awaited]")) event.target.textContent = "It could not be read.";
  });
  addEventListener("popstate", () => { mark(); read(); });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-state]");
    if (link && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      choose(link.dataset.state);
    }
    const copy = event.target.closest("[data-copy-data]");
    if (copy) {
      const text = document.getElementById(copy.dataset.copyData).dataset.json;
      navigator.clipboard.writeText(text).then(() => tell("Copied.", true), () => tell("The browser did not let it be copied."));
    }
  });
}
