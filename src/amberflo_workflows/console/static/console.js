// Shared by all pages: the CSRF token of requests, messages, keyboard shortcuts.
"use strict";

const token = document.querySelector("meta[name=csrf-token]").content;

document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token;
});

function showMessage(text, isSuccess = false) {
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

document.addEventListener("htmx:responseError", (event) => showMessage(event.detail.xhr.responseText || "The request failed."));
document.addEventListener("htmx:timeout", () => showMessage("There was no response in time. Try again."));
document.addEventListener("htmx:sendError", () => showMessage("Cannot reach the console. Check that it is running."));

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
  else if (key === "/") { event.preventDefault(); document.querySelector("[data-filter]")?.focus(); }
  else if (key === "j" || key === "k") moveFocus(key === "j" ? 1 : -1);
  previousKey = key;
});

function moveFocus(offset) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const current = rows.indexOf(document.activeElement);
  rows[current < 0 ? 0 : Math.min(Math.max(current + offset, 0), rows.length - 1)]?.focus();
}
