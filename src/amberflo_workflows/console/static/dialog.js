// Questions: a dialog opens when it is given something to ask, and closes when it was answered.
"use strict";

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target.matches("dialog")) event.detail.target.showModal();
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();
  event.target.closest("[data-closes]")?.closest("dialog").close();
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.elt.matches("dialog form")) event.detail.elt.closest("dialog").close();
});

// What was done is where the reader goes on, since the button for it may be gone.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.id === "outcome") event.detail.target.focus();
});
