// A workflow's graph, small enough for its card: shapes without words.
"use strict";

(() => {
  const svg = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };

  function laidOut(drawing) {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ nodesep: 24, ranksep: 34 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const node of drawing.nodes) graph.setNode(node.name, { width: 70, height: 36 });
    for (const edge of drawing.edges) {
      if (edge.to) graph.setEdge(edge.from, edge.to, { way: edge.way }, String(edge.number));
    }
    dagre.layout(graph);
    return graph;
  }

  // A way may leave the box that dagre tells of.
  function field(graph) {
    const xs = [0, graph.graph().width];
    for (const key of graph.edges()) for (const point of graph.edge(key).points) xs.push(point.x);
    const left = Math.min(...xs) - 4;
    return `${left} -4 ${Math.max(...xs) + 4 - left} ${graph.graph().height + 8}`;
  }

  function drawn(graph) {
    const picture = svg("svg", { viewBox: field(graph) });
    for (const key of graph.edges()) {
      const { points, way } = graph.edge(key);
      picture.append(svg("path", { d: `M${points.map((one) => `${one.x},${one.y}`).join("L")}`, class: way }));
    }
    for (const name of graph.nodes()) {
      const { x, y, width: wide, height: high } = graph.node(name);
      picture.append(svg("rect", { x: x - wide / 2, y: y - high / 2, width: wide, height: high, rx: 8 }));
    }
    return picture;
  }

  const pictures = new Map();

  // The cards are drawn anew when their numbers change, and their pictures with them.
  function place() {
    for (const [workflow, picture] of pictures) {
      const card = document.getElementById(`miniature-${workflow}`);
      if (card && !card.firstChild) card.append(picture.cloneNode(true));
    }
  }

  // One at a time, so that the page can be used meanwhile.
  function drawNext(left) {
    if (!left.length) return;
    const [data, ...others] = left;
    pictures.set(data.dataset.miniature, drawn(laidOut(JSON.parse(data.textContent))));
    place();
    setTimeout(drawNext, 0, others);
  }

  addEventListener("load", () => setTimeout(drawNext, 0, [...document.querySelectorAll("[data-miniature]")]));
  document.addEventListener("htmx:sseMessage", place);
  document.addEventListener("htmx:afterSwap", place);
})();
