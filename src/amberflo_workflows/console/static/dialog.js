// Confirmation dialogs: a dialog opens when its content is loaded, and closes when its form was submitted.
"use strict";

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target?.matches("dialog")) event.detail.target.showModal();
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  event.target.closest("[data-closes]")?.closest("dialog").close();
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt?.matches("dialog form")) event.detail.elt.closest("dialog").close();
});

// Move the focus to the result, since the button that was pressed may be gone.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target?.id === "result") event.detail.target.focus();
});
