// Renders JSON as a tree. The children of a node are created when it is opened, so that large data renders quickly.
"use strict";

{
  const PAGE_SIZE = 100;
  const MAX_TEXT_LENGTH = 300;
  // Data up to this many characters is shown with its first levels open.
  const MAX_OPEN_LENGTH = 600;
  const OPEN_LEVELS = 3;

  // A number with more digits than JavaScript's numbers have, as it was written.
  class ExactNumber { constructor(text) { this.text = text; } }

  function parse(text) {
    return JSON.parse(text, (_, value, context) =>
      typeof value === "number" && context?.source !== undefined && String(value) !== context.source
        ? new ExactNumber(context.source) : value);
  }

  function createElement(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function createButton(text, onClick) {
    const button = createElement("button", "quiet", text);
    button.type = "button";
    button.addEventListener("click", onClick);
    return button;
  }

  // Empty objects and arrays are leaves.
  const isContainer = (value) =>
    value !== null && typeof value === "object" && !(value instanceof ExactNumber) && Object.keys(value).length > 0;

  function typeName(value) {
    if (value === null || typeof value === "object" && !(value instanceof ExactNumber)) return "null";
    return value instanceof ExactNumber ? "number" : typeof value;
  }

  function createLeaf(value) {
    const text = value instanceof ExactNumber ? value.text : JSON.stringify(value);
    if (text.length <= MAX_TEXT_LENGTH) return createElement("span", `json-${typeName(value)}`, text);
    const content = createElement("span", `json-${typeName(value)}`, `${text.slice(0, MAX_TEXT_LENGTH)}…`);
    const more = createButton(`Show all ${text.length.toLocaleString("en")} characters`, () => { content.textContent = text; more.remove(); });
    const leaf = createElement("span");
    leaf.append(content, " ", more);
    return leaf;
  }

  function formatSize(value) {
    const count = Array.isArray(value) ? value.length : Object.keys(value).length;
    return Array.isArray(value) ? `[${count}]` : `{${count}}`;
  }

  // The first members of a closed node, in one line.
  function formatPreview(value) {
    const parts = [];
    for (const key of Object.keys(value).slice(0, 4)) {
      const inner = value[key];
      const text = isContainer(inner) ? formatSize(inner) : inner instanceof ExactNumber ? inner.text : JSON.stringify(inner).slice(0, 24);
      parts.push(Array.isArray(value) ? text : `${key.slice(0, 24)}: ${text}`);
    }
    return parts.join(", ").slice(0, 90);
  }

  function fillList(list, value, start) {
    const keys = Object.keys(value);
    for (const key of keys.slice(start, start + PAGE_SIZE)) {
      const item = createElement("li");
      item.append(createNode(key, value[key], Array.isArray(value)));
      list.append(item);
    }
    const next = start + PAGE_SIZE;
    if (next >= keys.length) return;
    const item = createElement("li");
    item.append(createButton(`Show more (${(keys.length - next).toLocaleString("en")} remaining)`, () => { item.remove(); fillList(list, value, next); }));
    list.append(item);
  }

  function createNode(key, value, isIndex) {
    const name = key === null ? "" : `${isIndex ? key : JSON.stringify(key)}: `;
    if (!isContainer(value)) {
      const line = createElement("span");
      line.append(createElement("span", "json-key", name), createLeaf(value));
      return line;
    }
    const details = createElement("details");
    const summary = createElement("summary");
    summary.append(
      createElement("span", "json-key", name), createElement("span", "json-size", formatSize(value)), " ",
      createElement("span", "json-preview", formatPreview(value)));
    const list = createElement("ul");
    details.append(summary, list);
    details.addEventListener("toggle", () => { if (details.open && !list.hasChildNodes()) fillList(list, value, 0); });
    return details;
  }

  function openLevels(details, value, levels) {
    details.open = true;
    const list = details.lastElementChild;
    if (!list.hasChildNodes()) fillList(list, value, 0);
    if (levels <= 0) return;
    [...list.children].forEach((item, index) => {
      const inner = item.firstElementChild;
      const key = Object.keys(value)[index];
      if (inner.tagName === "DETAILS" && key !== undefined) openLevels(inner, value[key], levels - 1);
    });
  }

  function render(container) {
    const text = container.dataset.json;
    let value;
    try {
      value = parse(text);
    } catch {
      container.replaceChildren(createElement("pre", "", text.length > 20000 ? `${text.slice(0, 20000)}…` : text));
      return;
    }
    const root = createNode(null, value, false);
    container.replaceChildren(root);
    if (isContainer(value)) openLevels(root, value, text.length <= MAX_OPEN_LENGTH ? OPEN_LEVELS : 0);
  }

  globalThis.renderJson = () => {
    for (const container of document.querySelectorAll("[data-json]")) renderIfVisible(container);
  };

  // Data in details that are closed is rendered when they are opened.
  function renderIfVisible(container) {
    if (!container.hasChildNodes() && !container.closest("details:not([open])")) render(container);
  }

  document.addEventListener("toggle", (event) => {
    if (event.target.open) for (const container of event.target.querySelectorAll("[data-json]")) renderIfVisible(container);
  }, true);
}
