// A small drawing of each workflow's graph on its card, without text.
"use strict";

(() => {
  const createElement = (name, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };

  function layOut(data) {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ nodesep: 24, ranksep: 34 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const node of data.nodes) graph.setNode(node.name, { width: 70, height: 36 });
    for (const edge of data.edges) {
      if (edge.to) graph.setEdge(edge.from, edge.to, { kind: edge.kind }, String(edge.number));
    }
    dagre.layout(graph);
    return graph;
  }

  // Edges may be outside of the width that dagre reports.
  function viewBox(graph) {
    const xs = [0, graph.graph().width];
    for (const key of graph.edges()) for (const point of graph.edge(key).points) xs.push(point.x);
    const left = Math.min(...xs) - 4;
    return `${left} -4 ${Math.max(...xs) + 4 - left} ${graph.graph().height + 8}`;
  }

  function draw(graph) {
    const svg = createElement("svg", { viewBox: viewBox(graph) });
    for (const key of graph.edges()) {
      const { points, kind } = graph.edge(key);
      svg.append(createElement("path", { d: `M${points.map((point) => `${point.x},${point.y}`).join("L")}`, class: kind }));
    }
    for (const name of graph.nodes()) {
      const { x, y, width, height } = graph.node(name);
      svg.append(createElement("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 8 }));
    }
    return svg;
  }

  const drawings = new Map();

  // Updates of the page replace the cards, so the drawings are inserted again.
  function insertDrawings() {
    for (const [workflow, drawing] of drawings) {
      const container = document.getElementById(`miniature-${workflow}`);
      if (container && !container.firstChild) container.append(drawing.cloneNode(true));
    }
  }

  // One drawing at a time, so that the page stays responsive.
  function drawNext(elements) {
    if (!elements.length) return;
    const [element, ...rest] = elements;
    drawings.set(element.dataset.miniature, draw(layOut(JSON.parse(element.textContent))));
    insertDrawings();
    setTimeout(drawNext, 0, rest);
  }

  addEventListener("load", () => setTimeout(drawNext, 0, [...document.querySelectorAll("[data-miniature]")]));
  document.addEventListener("htmx:sseMessage", insertDrawings);
  document.addEventListener("htmx:afterSwap", insertDrawings);
})();
