// Draws the graph of a workflow as SVG, laid out by dagre. The outcomes of the states are separate and may change.
"use strict";

{
  const SVG = "http://www.w3.org/2000/svg";
  const [NAME_FONT, TEXT_FONT, LABEL_FONT] = ["600 13px system-ui, sans-serif", "12px system-ui, sans-serif", "11px system-ui, sans-serif"];
  // Each state is at least wide enough for this text, so that the layout need not change with the outcomes.
  const USUAL_TEXT = "✓ succeeded, 4 attempts";
  const [PADDING, LINE_HEIGHT, HEADER_HEIGHT] = [12, 18, 46];
  const [MAX_NAME_LENGTH, MAX_LABEL_LENGTH] = [36, 24];
  // Larger graphs are laid out with dagre's faster ranker.
  const MAX_NODES_FOR_BEST_LAYOUT = 150;
  const MIN_SCALE = 0.8;
  const context = document.createElement("canvas").getContext("2d");

  function textWidth(text, font) {
    context.font = font;
    return context.measureText(text).width;
  }

  const truncate = (text, maxLength) => (text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text);

  function createElement(tag, attributes, ...children) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }

  // Show the full text as a tooltip if it was truncated.
  function addTitle(element, fullText, shownText) {
    if (fullText !== shownText) element.append(createElement("title", {}, fullText));
    return element;
  }

  // Inner graphs are laid out first and become the size of the state around them: dagre has no edges to clusters.
  function layOut(graph, outcomes) {
    const layout = new dagre.graphlib.Graph({ multigraph: true });
    const ranker = graph.nodes.length > MAX_NODES_FOR_BEST_LAYOUT ? { ranker: "longest-path" } : {};
    layout.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 28, edgesep: 10, marginx: 10, marginy: 10, ...ranker });
    layout.setDefaultEdgeLabel(() => ({}));
    layout.setNode("start", { width: 12, height: 12 });
    const ids = new Map();
    graph.nodes.forEach((node, index) => {
      const inside = node.inside.map((inner) => layOut(inner, outcomes));
      const ownWidth = 2 * PADDING + Math.max(
        textWidth(truncate(node.name, MAX_NAME_LENGTH), NAME_FONT),
        textWidth(USUAL_TEXT, TEXT_FONT),
        textWidth(outcomes.states[node.name].text, TEXT_FONT));
      const innerWidth = inside.reduce((sum, inner) => sum + inner.width + PADDING, 0);
      const innerHeight = Math.max(0, ...inside.map((inner) => inner.height + PADDING));
      ids.set(node.name, `state${index}`);
      layout.setNode(`state${index}`, { node, inside, width: Math.max(ownWidth, innerWidth + PADDING), height: HEADER_HEIGHT + innerHeight });
    });
    layout.setEdge("start", ids.get(graph.start), { start: graph.start }, "start");
    for (const edge of graph.edges) {
      if (edge.to === null && !layout.hasNode("end")) layout.setNode("end", { width: 12, height: 12 });
      const text = truncate(edge.label, MAX_LABEL_LENGTH);
      const label = text ? { width: textWidth(text, LABEL_FONT) + 8, height: 14, labelpos: "c" } : {};
      layout.setEdge(ids.get(edge.from), edge.to === null ? "end" : ids.get(edge.to), { edge, text, ...label }, String(edge.number));
    }
    dagre.layout(layout);
    return { layout, width: layout.graph().width, height: layout.graph().height };
  }

  function curvePath(points) {
    const [first, ...rest] = points;
    let path = `M${first.x},${first.y}`;
    rest.forEach((point, index) => {
      const next = rest[index + 1];
      path += next
        ? ` Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`
        : ` L${point.x},${point.y}`;
    });
    return path;
  }

  function drawEdge({ edge, start, text, points, x, y }) {
    const group = createElement("g", { class: `edge ${edge ? edge.kind : "next"}` });
    if (edge) group.dataset.edge = edge.number;
    else group.dataset.start = start;
    group.append(createElement("path", { d: curvePath(points), "marker-end": "url(#arrow)" }));
    if (text) group.append(addTitle(createElement("text", { x, y: y + 4, "text-anchor": "middle" }, text), edge.label, text));
    return group;
  }

  function drawState({ node, inside, x, y, width, height }) {
    const [left, top] = [x - width / 2, y - height / 2];
    const url = new URL(location.href);
    url.searchParams.set("state", node.name);
    const link = createElement("a", { href: url.href, class: "node none" });
    link.dataset.state = node.name;
    // Screen readers read this after the visible text, which may be truncated.
    link.dataset.description = node.name.length > MAX_NAME_LENGTH ? `${node.kind}, ${node.name}` : node.kind;
    link.dataset.row = "";
    const name = truncate(node.name, MAX_NAME_LENGTH);
    const radius = node.kind === "Choice" ? 14 : 5;
    const textX = inside.length ? left + PADDING : x;
    const anchor = inside.length ? "start" : "middle";
    link.append(
      createElement("rect", { x: left, y: top, width, height, rx: radius }),
      addTitle(createElement("text", { x: textX, y: top + 19, class: "name", "text-anchor": anchor }, name), node.name, name),
      createElement("text", { x: textX, y: top + 19 + LINE_HEIGHT, class: "status-text", "text-anchor": anchor, lengthAdjust: "spacingAndGlyphs" }),
    );
    const group = createElement("g", {}, link);
    let innerLeft = left + PADDING;
    for (const inner of inside) {
      const drawing = drawLayout(inner);
      drawing.setAttribute("transform", `translate(${innerLeft},${top + HEADER_HEIGHT})`);
      group.append(drawing);
      innerLeft += inner.width + PADDING;
    }
    return group;
  }

  function drawLayout({ layout }) {
    const group = createElement("g", {});
    for (const key of layout.edges()) group.append(drawEdge(layout.edge(key)));
    for (const name of layout.nodes()) {
      const item = layout.node(name);
      group.append(item.node ? drawState(item) : createElement("circle", { class: name, cx: item.x, cy: item.y, r: 5 }));
    }
    return group;
  }

  // Not all browsers know `context-stroke`, so each of the two colours has an arrow of its own.
  function createArrow(id) {
    const attributes = { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" };
    return createElement("marker", attributes, createElement("path", { d: "M0,0 L8,4 L0,8 z" }));
  }

  globalThis.drawGraph = (container, outcomes) => {
    const result = layOut(JSON.parse(container.dataset.graph), outcomes);
    const [width, height] = [Math.ceil(result.width), Math.ceil(result.height)];
    // Scale down to fit the page, but never so far that the text cannot be read.
    const scale = Math.min(1, Math.max(MIN_SCALE, container.clientWidth / width));
    const size = { width: Math.floor(width * scale), height: Math.floor(height * scale) };
    const svg = createElement("svg", { ...size, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Workflow graph" });
    svg.append(createElement("defs", {}, createArrow("arrow"), createArrow("arrow-taken")), drawLayout(result));
    container.replaceChildren(svg);
  };

  globalThis.showOutcomes = (container, outcomes) => {
    const takenEdges = new Set(outcomes.edges.map(String));
    for (const node of container.querySelectorAll("[data-state]")) {
      const { status, text } = outcomes.states[node.dataset.state];
      node.setAttribute("class", `node ${status}`);
      node.setAttribute("aria-label", `${truncate(node.dataset.state, MAX_NAME_LENGTH)} ${text}, ${node.dataset.description}`);
      const statusText = node.querySelector(".status-text");
      if (statusText.textContent === text) continue;
      statusText.textContent = text;
      // Compress a text that has become wider than its state.
      const maxWidth = Number(node.querySelector("rect").getAttribute("width")) - PADDING;
      statusText.removeAttribute("textLength");
      if (textWidth(text, TEXT_FONT) > maxWidth) statusText.setAttribute("textLength", maxWidth);
    }
    for (const edge of container.querySelectorAll(".edge")) {
      const { start, edge: number } = edge.dataset;
      const isTaken = start === undefined ? takenEdges.has(number) : outcomes.states[start].status !== "none";
      edge.classList.toggle("taken", isTaken);
      edge.querySelector("path").setAttribute("marker-end", isTaken ? "url(#arrow-taken)" : "url(#arrow)");
    }
  };
}
