// Zooms the graph with buttons, Ctrl and the wheel, or keys, and moves it with the mouse.
"use strict";

{
  const [MIN_SCALE, MAX_SCALE, STEP] = [0.2, 3, 1.2];
  const KEYS = { "+": "in", "=": "in", "-": "out", 0: "full", f: "fit" };

  globalThis.addZoom = (container) => {
    const svg = container.querySelector("svg");
    const { width, height } = svg.viewBox.baseVal;
    let scale = svg.width.baseVal.value / width;

    // The point at (x, y) of the container stays where it is.
    function zoomTo(next, x = container.clientWidth / 2, y = container.clientHeight / 2) {
      const [left, top] = [(container.scrollLeft + x) / scale, (container.scrollTop + y) / scale];
      scale = Math.min(Math.max(next, MIN_SCALE), MAX_SCALE);
      svg.setAttribute("width", Math.floor(width * scale));
      svg.setAttribute("height", Math.floor(height * scale));
      container.scrollLeft = left * scale - x;
      container.scrollTop = top * scale - y;
    }

    function zoom(action) {
      if (action === "in") zoomTo(scale * STEP);
      else if (action === "out") zoomTo(scale / STEP);
      else if (action === "full") zoomTo(1);
      else zoomTo(Math.min((container.clientWidth - 2) / width, (container.clientHeight - 2) / height, 1));
    }

    const panel = container.parentElement;
    panel.addEventListener("click", (event) => {
      const button = event.target.closest("[data-zoom]");
      if (button) zoom(button.dataset.zoom);
    });
    panel.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
      event.preventDefault();
      zoom(KEYS[event.key]);
    });
    container.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = container.getBoundingClientRect();
      zoomTo(scale * (event.deltaY < 0 ? STEP : 1 / STEP), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });

    // Touch screens scroll by themselves.
    container.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest("a")) return;
      container.setPointerCapture(event.pointerId);
      container.classList.add("moving");
    });
    container.addEventListener("pointermove", (event) => {
      if (!container.classList.contains("moving")) return;
      container.scrollLeft -= event.movementX;
      container.scrollTop -= event.movementY;
    });
    for (const end of ["pointerup", "pointercancel"]) container.addEventListener(end, () => container.classList.remove("moving"));
  };
}
