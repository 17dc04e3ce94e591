// Rows that are ticked: all at once, counted, and meant by what is done next.
"use strict";

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-ticks]");
  if (!form || event.target.type !== "checkbox") return;
  const boxes = [...form.querySelectorAll("input[name=item]")];
  const all = form.querySelector("[data-tick-all]");
  if (event.target === all) boxes.forEach((box) => { box.checked = all.checked; });
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  form.querySelector("[data-ticked]").textContent = `${ticked} ticked`;
});
