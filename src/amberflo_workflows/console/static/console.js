// Shared by all pages: the CSRF token of requests, messages, keyboard shortcuts.
"use strict";

const token = document.querySelector("meta[name=csrf-token]").content;

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
  // What only reads is given up after a minute; an action may take longer.
  if (event.detail.verb === "get" && !event.detail.timeout) event.detail.timeout = 60000;
});

function showMessage(text, isSuccess = false) {
  if ([...document.getElementById("messages").children].some((message) => message.textContent === text)) return;
  const message = document.createElement("p");
  message.textContent = text;
  message.className = isSuccess ? "success" : "";
  document.getElementById("messages").append(message);
  setTimeout(() => message.remove(), isSuccess ? 4000 : 12000);
}

function copyText(text) {
  navigator.clipboard.writeText(text).then(
    () => showMessage("Copied.", true), () => showMessage("The browser did not allow access to the clipboard."));
}

document.addEventListener("htmx:responseError", (event) => showProblem(event, event.detail.xhr.responseText || "The request failed."));
document.addEventListener("htmx:timeout", (event) => showProblem(event, "There was no response in time."));
document.addEventListener("htmx:sendError", (event) => showProblem(event, "Cannot reach the console. Check that it is running."));

// A part that loads by itself shows why it is missing, and a button that loads it; what a user clicked can be clicked again.
function showProblem(event, text) {
  const part = event.detail.elt;
  if (!part.matches?.("[hx-trigger*=load]")) { showMessage(text); return; }
  const problem = document.createElement("p");
  problem.className = "problem";
  problem.setAttribute("role", "alert");
  problem.textContent = text;
  const retry = document.createElement("button");
  retry.type = "button";
  retry.textContent = "Try again";
  const { path } = event.detail.requestConfig, target = event.detail.target;
  retry.addEventListener("click", () => {
    problem.textContent = "Loading…";
    problem.className = "remark";
    retry.remove();
    htmx.ajax("GET", path, { source: part, target });
  });
  part.replaceChildren(problem, retry);
}

// A live part says when it is not up to date, and why.
function showLiveProblem(part, text) {
  const place = part.closest("table")?.parentElement ?? part;
  let problem = place.previousElementSibling;
  if (!problem?.matches("[data-live-problem]")) {
    if (!text) return;
    problem = document.createElement("p");
    problem.className = "problem";
    problem.dataset.liveProblem = "";
    problem.setAttribute("role", "status");
    place.before(problem);
  }
  problem.textContent = text && `This is not up to date: ${text} Trying again…`;
  problem.hidden = !text;
}
document.addEventListener("htmx:sseOpen", (event) => {
  const part = event.detail.elt;
  showLiveProblem(part, "");
  event.detail.source.addEventListener("problem", (message) => showLiveProblem(part, message.data));
});
document.addEventListener("htmx:sseError", (event) => showLiveProblem(event.detail.elt ?? event.target, "The console cannot be reached."));

// When a part of the page is replaced, details stay open or closed as the user left them.
document.addEventListener("DOMContentLoaded", () => {
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copyText(document.getElementById(button.dataset.copy).textContent);
  if (event.target.closest("[data-help]")) document.getElementById("help").showModal();
});

// Keyboard shortcuts: single letters, ignored while the user types into a field or a dialog is open.
let previousKey = "";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open]")) return;
  const key = event.key;
  if (previousKey === "g") document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`)?.click();
  else if (key === "?") document.getElementById("help").showModal();
  else if (key === "s") { event.preventDefault(); document.getElementById("search").focus(); }
  else if (key === "/") { event.preventDefault(); document.querySelector("[data-filter]")?.focus(); }
  else if (key === "j" || key === "k") moveFocus(key === "j" ? 1 : -1);
  previousKey = key;
});

function moveFocus(offset) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const current = rows.indexOf(document.activeElement);
  rows[current < 0 ? 0 : Math.min(Math.max(current + offset, 0), rows.length - 1)]?.focus();
}
