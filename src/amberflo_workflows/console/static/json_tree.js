// JSON as a tree that folds. What is inside is made when it is opened, so that much of it costs nothing.
"use strict";

{
  const AT_ONCE = 100;
  const LONGEST = 300;
  const OPENED = 600;

  // Numbers as they were written: a browser's own have 53 bits.
  class Digits { constructor(text) { this.text = text; } }

  function parsed(text) {
    return JSON.parse(text, (_, value, context) =>
      typeof value === "number" && context?.source !== undefined && String(value) !== context.source
        ? new Digits(context.source) : value);
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Empty ones are leaves.
  const isContainer = (value) =>
    value !== null && typeof value === "object" && !(value instanceof Digits) && Object.keys(value).length > 0;

  function kindOf(value) {
    if (value === null || typeof value === "object" && !(value instanceof Digits)) return "null";
    return value instanceof Digits ? "number" : typeof value;
  }

  function leaf(value) {
    const text = value instanceof Digits ? value.text : JSON.stringify(value);
    if (text.length <= LONGEST) return element("span", `json-${kindOf(value)}`, text);
    const whole = element("span", `json-${kindOf(value)}`, `${text.slice(0, LONGEST)}…`);
    const more = element("button", "quiet", `all ${text.length.toLocaleString("en")} characters`);
    more.type = "button";
    more.addEventListener("click", () => { whole.textContent = text; more.remove(); });
    const both = element("span");
    both.append(whole, " ", more);
    return both;
  }

  function sizeOf(value) {
    const count = Array.isArray(value) ? value.length : Object.keys(value).length;
    return Array.isArray(value) ? `[${count}]` : `{${count}}`;
  }

  // The beginning of what is inside, for a closed one.
  function glimpse(value) {
    const parts = [];
    for (const key of Object.keys(value).slice(0, 4)) {
      const inner = value[key];
      const shown = isContainer(inner) ? sizeOf(inner) : inner instanceof Digits ? inner.text : JSON.stringify(inner).slice(0, 24);
      parts.push(Array.isArray(value) ? shown : `${key.slice(0, 24)}: ${shown}`);
    }
    return parts.join(", ").slice(0, 90);
  }

  function fill(list, value, from) {
    const keys = Object.keys(value);
    for (const key of keys.slice(from, from + AT_ONCE)) {
      const item = element("li");
      item.append(entry(key, value[key], Array.isArray(value)));
      list.append(item);
    }
    const next = from + AT_ONCE;
    if (next >= keys.length) return;
    const item = element("li");
    const more = element("button", "quiet", `${(keys.length - next).toLocaleString("en")} more`);
    more.type = "button";
    more.addEventListener("click", () => { item.remove(); fill(list, value, next); });
    item.append(more);
    list.append(item);
  }

  function entry(key, value, isIndex) {
    const name = key === null ? "" : `${isIndex ? key : JSON.stringify(key)}: `;
    if (!isContainer(value)) {
      const line = element("span");
      line.append(element("span", "json-key", name), leaf(value));
      return line;
    }
    const folding = element("details");
    const head = element("summary");
    head.append(element("span", "json-key", name), element("span", "json-size", sizeOf(value)), " ", element("span", "json-glimpse", glimpse(value)));
    const list = element("ul");
    folding.append(head, list);
    folding.addEventListener("toggle", () => { if (folding.open && !list.hasChildNodes()) fill(list, value, 0); });
    return folding;
  }

  function open(folding, value, room) {
    folding.open = true;
    const list = folding.lastElementChild;
    if (!list.hasChildNodes()) fill(list, value, 0);
    // Small ones are shown whole.
    if (room <= 0) return;
    [...list.children].forEach((item, at) => {
      const inner = item.firstElementChild;
      const key = Object.keys(value)[at];
      if (inner.tagName === "DETAILS" && key !== undefined) open(inner, value[key], room - 1);
    });
  }

  function draw(place) {
    const text = place.dataset.json;
    let value;
    try {
      value = parsed(text);
    } catch {
      place.replaceChildren(element("pre", "", text.length > 20000 ? `${text.slice(0, 20000)}…` : text));
      return;
    }
    const root = entry(null, value, false);
    place.replaceChildren(root);
    if (isContainer(value)) open(root, value, text.length <= OPENED ? 3 : 0);
  }

  globalThis.drawJson = () => {
    for (const place of document.querySelectorAll("[data-json]")) if (!place.hasChildNodes()) draw(place);
  };
}
