// What every page does: the token on what changes something, errors told, keys.
"use strict";

const token = document.querySelector("meta[name=csrf-token]").content;

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
});

function tell(text, good = false) {
  const message = document.createElement("p");
  message.textContent = text;
  message.className = good ? "good" : "";
  document.getElementById("messages").append(message);
  setTimeout(() => message.remove(), good ? 4000 : 12000);
}

document.addEventListener("htmx:responseError", (event) => tell(event.detail.xhr.responseText || "It failed."));
document.addEventListener("htmx:sendError", () => tell("The console does not answer; does it still run?"));

// A part that is drawn anew keeps what its reader has opened.
document.addEventListener("DOMContentLoaded", () => {
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS");
});

document.addEventListener("click", (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(() => tell("Copied.", true), () => tell("The browser did not let it be copied."));
  }
  if (event.target.closest("[data-help]")) document.getElementById("help").showModal();
});

// Keys: one letter each, never while something is being written.
let before = "";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open]")) return;
  const key = event.key;
  if (before === "g") document.querySelector(`nav a[data-key="${CSS.escape(key)}"]`)?.click();
  else if (key === "?") document.getElementById("help").showModal();
  else if (key === "/") { event.preventDefault(); document.querySelector("[data-filter]")?.focus(); }
  else if (key === "j" || key === "k") step(key === "j" ? 1 : -1);
  before = key;
});

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const at = rows.indexOf(document.activeElement);
  rows[at < 0 ? 0 : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}
