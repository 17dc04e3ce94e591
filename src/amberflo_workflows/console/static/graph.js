// Draw a workflow: dagre says where, this makes the SVG. What became of the states is told apart, and may change.
"use strict";

{
  const SVG = "http://www.w3.org/2000/svg";
  const [NAME_FONT, WORD_FONT, LABEL_FONT] = ["600 13px system-ui, sans-serif", "12px system-ui, sans-serif", "11px system-ui, sans-serif"];
  // Room for the longest that is usually told of a state, so that the picture need not change.
  const USUAL = "✓ succeeded, 4 tries";
  const [PAD, LINE, HEAD] = [12, 18, 46];
  const [LONGEST_NAME, LONGEST_LABEL] = [36, 24];
  const MANY = 150;
  const SMALLEST = 0.8;
  const pen = document.createElement("canvas").getContext("2d");

  function width(text, font) {
    pen.font = font;
    return pen.measureText(text).width;
  }

  const short = (text, longest) => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text);

  function make(tag, attributes, ...children) {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  function withTitle(made, whole, shown) {
    if (whole !== shown) made.append(make("title", {}, whole));
    return made;
  }

  // Inner graphs are laid out first and become the size of the state around them: dagre has no ways to clusters.
  function layOut(graph, outcomes) {
    const plan = new dagre.graphlib.Graph({ multigraph: true });
    const ranker = graph.nodes.length > MANY ? { ranker: "longest-path" } : {};
    plan.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 28, edgesep: 10, marginx: 10, marginy: 10, ...ranker });
    plan.setDefaultEdgeLabel(() => ({}));
    plan.setNode("start", { width: 12, height: 12 });
    const id = new Map();
    graph.nodes.forEach((node, at) => {
      const inside = node.inside.map((inner) => layOut(inner, outcomes));
      const own = 2 * PAD + Math.max(
        width(short(node.name, LONGEST_NAME), NAME_FONT), width(USUAL, WORD_FONT), width(outcomes.states[node.name].text, WORD_FONT));
      const innerWidth = inside.reduce((sum, one) => sum + one.width + PAD, 0);
      const innerHeight = Math.max(0, ...inside.map((one) => one.height + PAD));
      id.set(node.name, `state${at}`);
      plan.setNode(`state${at}`, { node, inside, width: Math.max(own, innerWidth + PAD), height: HEAD + innerHeight });
    });
    plan.setEdge("start", id.get(graph.start), { start: graph.start }, "start");
    for (const edge of graph.edges) {
      if (edge.to === null && !plan.hasNode("end")) plan.setNode("end", { width: 12, height: 12 });
      const text = short(edge.label, LONGEST_LABEL);
      const label = text ? { width: width(text, LABEL_FONT) + 8, height: 14, labelpos: "c" } : {};
      plan.setEdge(id.get(edge.from), edge.to === null ? "end" : id.get(edge.to), { edge, text, ...label }, String(edge.number));
    }
    dagre.layout(plan);
    return { plan, width: plan.graph().width, height: plan.graph().height };
  }

  function curve(points) {
    const [first, ...rest] = points;
    let path = `M${first.x},${first.y}`;
    rest.forEach((point, at) => {
      const next = rest[at + 1];
      path += next
        ? ` Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}`
        : ` L${point.x},${point.y}`;
    });
    return path;
  }

  function drawWay({ edge, start, text, points, x, y }) {
    const group = make("g", { class: `way ${edge ? edge.way : "next"}` });
    if (edge) group.dataset.way = edge.number;
    else group.dataset.start = start;
    group.append(make("path", { d: curve(points), "marker-end": "url(#arrow)" }));
    if (text) group.append(withTitle(make("text", { x, y: y + 4, "text-anchor": "middle" }, text), edge.label, text));
    return group;
  }

  function drawState({ node, inside, x, y, width: wide, height: high }) {
    const [left, top] = [x - wide / 2, y - high / 2];
    const address = new URL(location.href);
    address.searchParams.set("state", node.name);
    const link = make("a", { href: address.href, class: "node none" });
    link.dataset.state = node.name;
    // Read aloud after what is seen; what is seen may be cut.
    link.dataset.more = node.name.length > LONGEST_NAME ? `${node.kind}, ${node.name}` : node.kind;
    link.dataset.row = "";
    const name = short(node.name, LONGEST_NAME);
    const round = node.kind === "Choice" ? 14 : 5;
    const atX = inside.length ? left + PAD : x;
    const anchor = inside.length ? "start" : "middle";
    link.append(
      make("rect", { x: left, y: top, width: wide, height: high, rx: round }),
      withTitle(make("text", { x: atX, y: top + 19, class: "name", "text-anchor": anchor }, name), node.name, name),
      make("text", { x: atX, y: top + 19 + LINE, class: "word", "text-anchor": anchor, lengthAdjust: "spacingAndGlyphs" }),
    );
    const group = make("g", {}, link);
    let from = left + PAD;
    for (const one of inside) {
      const inner = drawPlan(one);
      inner.setAttribute("transform", `translate(${from},${top + HEAD})`);
      group.append(inner);
      from += one.width + PAD;
    }
    return group;
  }

  function drawPlan({ plan }) {
    const group = make("g", {});
    for (const name of plan.edges()) group.append(drawWay(plan.edge(name)));
    for (const name of plan.nodes()) {
      const at = plan.node(name);
      group.append(at.node ? drawState(at) : make("circle", { class: name, cx: at.x, cy: at.y, r: 5 }));
    }
    return group;
  }

  // `context-stroke` is not known everywhere, so there is an arrow for each of both.
  function arrow(id) {
    const attributes = { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" };
    return make("marker", attributes, make("path", { d: "M0,0 L8,4 L0,8 z" }));
  }

  globalThis.drawGraph = (place, outcomes) => {
    const plan = layOut(JSON.parse(place.dataset.drawing), outcomes);
    const [wide, high] = [Math.ceil(plan.width), Math.ceil(plan.height)];
    // A little smaller if it then fits, never too small to be read.
    const scale = Math.min(1, Math.max(SMALLEST, place.clientWidth / wide));
    const size = { width: Math.floor(wide * scale), height: Math.floor(high * scale) };
    const svg = make("svg", { ...size, viewBox: `0 0 ${wide} ${high}`, role: "group", "aria-label": "Graph of the states" });
    svg.append(make("defs", {}, arrow("arrow"), arrow("arrow-taken")), drawPlan(plan));
    place.replaceChildren(svg);
  };

  globalThis.showOutcomes = (place, outcomes) => {
    const ways = new Set(outcomes.ways.map(String));
    for (const node of place.querySelectorAll("[data-state]")) {
      const { status, text } = outcomes.states[node.dataset.state];
      node.setAttribute("class", `node ${status}`);
      node.setAttribute("aria-label", `${short(node.dataset.state, LONGEST_NAME)} ${text}, ${node.dataset.more}`);
      const word = node.querySelector(".word");
      if (word.textContent === text) continue;
      word.textContent = text;
      // What has become longer than its state is wide is made to fit.
      const room = Number(node.querySelector("rect").getAttribute("width")) - PAD;
      word.removeAttribute("textLength");
      if (width(text, WORD_FONT) > room) word.setAttribute("textLength", room);
    }
    for (const way of place.querySelectorAll(".way")) {
      const { start, way: number } = way.dataset;
      const taken = start === undefined ? ways.has(number) : outcomes.states[start].status !== "none";
      way.classList.toggle("taken", taken);
      way.querySelector("path").setAttribute("marker-end", taken ? "url(#arrow-taken)" : "url(#arrow)");
    }
  };
}
