// Selection of table rows with checkboxes.
"use strict";

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-selection]");
  if (!form || event.target.type !== "checkbox") return;
  const boxes = [...form.querySelectorAll("input[name=item]")];
  const all = form.querySelector("[data-select-all]");
  if (event.target === all) boxes.forEach((box) => { box.checked = all.checked; });
  const selected = boxes.filter((box) => box.checked).length;
  all.checked = selected === boxes.length;
  all.indeterminate = selected > 0 && selected < boxes.length;
  form.querySelector("[data-selected]").textContent = `${selected} selected`;
});
