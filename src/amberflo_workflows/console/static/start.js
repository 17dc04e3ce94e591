// The input is checked as it is written, and what a start was refused for is told beside it.
"use strict";

{
  const input = document.getElementById("input");
  const check = document.getElementById("check");
  const LARGEST = 262144;

  // Where the parser stopped; browsers tell it in their own words, as an offset or as line and column.
  function place(text, message) {
    const offset = /position (\d+)/.exec(message)?.[1];
    const at = /line (\d+) column (\d+)/.exec(message);
    if (at) return `line ${at[1]}, column ${at[2]}`;
    if (offset === undefined) return `line ${text.split("\n").length}, its end`;
    const before = text.slice(0, Number(offset)).split("\n");
    return `line ${before.length}, column ${before.at(-1).length + 1}`;
  }

  function problem(text) {
    if (!text.trim()) return "It is empty; an input is JSON, {} at least.";
    try {
      JSON.parse(text);
    } catch (error) {
      return `No JSON at ${place(text, error.message)}: ${error.message.replace(/ (in JSON )?at position.*/, "")}.`;
    }
    const bytes = new TextEncoder().encode(text).length;
    return bytes > LARGEST ? `It has ${bytes.toLocaleString("en")} bytes; an execution takes ${LARGEST.toLocaleString("en")}.` : "";
  }

  function isGood() {
    const found = problem(input.value);
    check.textContent = found || "✓ JSON";
    check.className = found ? "bad" : "good";
    input.setAttribute("aria-invalid", String(Boolean(found)));
    return !found;
  }

  let soon;
  input.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(isGood, 150);
    document.getElementById("problem").textContent = "";
  });
  document.getElementById("workflow").addEventListener("change", (event) => event.target.form.requestSubmit());
  const form = document.getElementById("start");
  form.addEventListener("htmx:beforeRequest", (event) => {
    if (isGood()) return;
    event.preventDefault();
    input.focus();
  });
  form.addEventListener("htmx:beforeSwap", (event) => {
    event.detail.shouldSwap = event.detail.xhr.status >= 400;
    event.detail.isError = false;
  });
  isGood();
}
