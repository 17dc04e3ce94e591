// Shows times as chosen in the header: in UTC, in local time, or relative to now. The server renders them in UTC.
"use strict";

{
  const ZONES = { utc: "UTC", local: "local time", relative: "relative" };
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const stored = () => localStorage.getItem("times");
  let choice = stored() in ZONES ? stored() : "utc";

  function formatOffset(minutes) {
    const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
    return `UTC${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
  }

  function formatAbsolute(time, form) {
    const offset = choice === "utc" ? 0 : -time.getTimezoneOffset();
    const [day, clock] = new Date(time.getTime() + offset * 60000).toISOString().slice(0, 23).split("T");
    if (form === "clock") return clock;
    const text = `${day} ${clock.slice(0, form === "minutes" ? 5 : 8)}`;
    return form === "zoned" ? `${text} ${choice === "utc" ? "UTC" : formatOffset(offset)}` : text;
  }

  function formatRelative(time) {
    const seconds = Math.round((Date.now() - time.getTime()) / 1000);
    const distance = Math.abs(seconds);
    if (distance < 1) return "now";
    // Two days and more in days, two hours and more in hours, and so on.
    const [size, unit] = UNITS.find(([size]) => distance >= (size === 1 ? 1 : 2 * size));
    const text = `${Math.floor(distance / size)} ${unit}`;
    return seconds < 0 ? `in ${text}` : `${text} ago`;
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function show(element) {
    if (element.dataset.zone !== undefined) return setText(element, ZONES[choice]);
    const [time, form] = [new Date(element.dateTime), element.dataset.form];
    setText(element, choice === "relative" && form !== "clock" ? formatRelative(time) : formatAbsolute(time, form));
  }

  function showAll(root = document) {
    for (const element of root.querySelectorAll("time[data-form], [data-zone]")) show(element);
  }

  // Parts of the page are inserted and updated at any time. An observer is called before the browser paints them.
  new MutationObserver((mutations) => {
    if (choice === "utc") return;
    for (const { target } of mutations) {
      const element = target.nodeType === Node.ELEMENT_NODE ? target : target.parentElement;
      const own = element?.closest("time[data-form], [data-zone]");
      if (own) show(own);
      else if (element) showAll(element);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });

  setInterval(() => { if (choice === "relative") showAll(); }, 10000);

  function choose(value) {
    choice = value;
    showAll();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const select = document.getElementById("times");
    select.value = choice;
    select.addEventListener("change", () => { localStorage.setItem("times", select.value); choose(select.value); });
    // The choice of another tab.
    addEventListener("storage", () => { if (stored() in ZONES) choose(select.value = stored()); });
  });
}
