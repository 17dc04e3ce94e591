// Checks the input while the user edits it, and shows why a start was rejected.
"use strict";

{
  const input = document.getElementById("input");
  const check = document.getElementById("check");
  // The maximum input size of a Step Functions execution.
  const MAX_BYTES = 262144;

  // The position of a syntax error. Browsers report it as an offset or as line and column.
  function formatPosition(text, message) {
    const offset = /position (\d+)/.exec(message)?.[1];
    const lineAndColumn = /line (\d+) column (\d+)/.exec(message);
    if (lineAndColumn) return `line ${lineAndColumn[1]}, column ${lineAndColumn[2]}`;
    if (offset === undefined) return `the end of line ${text.split("\n").length}`;
    const lines = text.slice(0, Number(offset)).split("\n");
    return `line ${lines.length}, column ${lines.at(-1).length + 1}`;
  }

  function findProblem(text) {
    if (!text.trim()) return "The input is required. For an empty input, enter {}.";
    try {
      JSON.parse(text);
    } catch (error) {
      return `Invalid JSON at ${formatPosition(text, error.message)}: ${error.message.replace(/ (in JSON )?at position.*/, "")}.`;
    }
    const bytes = new TextEncoder().encode(text).length;
    return bytes > MAX_BYTES
      ? `The input has ${bytes.toLocaleString("en")} bytes. The maximum is ${MAX_BYTES.toLocaleString("en")} bytes.` : "";
  }

  function checkInput() {
    const problem = findProblem(input.value);
    check.textContent = problem || "✓ Valid JSON";
    check.className = problem ? "bad" : "good";
    input.setAttribute("aria-invalid", String(Boolean(problem)));
    return !problem;
  }

  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(checkInput, 150);
    document.getElementById("problem").textContent = "";
  });
  document.getElementById("workflow").addEventListener("change", (event) => event.target.form.requestSubmit());
  const form = document.getElementById("start");
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (checkInput()) return;
    event.preventDefault();
    input.focus();
  });
  form.addEventListener("htmx:beforeSwap", (event) => {
    event.detail.shouldSwap = event.detail.xhr.status >= 400;
    event.detail.isError = false;
  });
  checkInput();
}
