/* A memory of four patterns whose inverse temperature the reader moves. No library, no kernel, no internet.
   The two functions are those of mpcl/model/memory.py; a test opens this page and compares the numbers. */
"use strict";
{ // a block: two such scripts may stand on one page

const PATTERNS = [10, 50, 150, 255].map((d) => [Math.cos(d * Math.PI / 180), Math.sin(d * Math.PI / 180)]);
const NAMES = ["A", "B", "C", "D"];
const REACH = 1.7; // the map shows -1.7 .. 1.7 on both axes
const LOW = [9, 22, 48], HIGH = [214, 226, 230]; // colours of the lowest and the highest energy

const dot = (a, b) => a[0] * b[0] + a[1] * b[1];

function overlaps(query, beta) { // (largest, exponentials beside it, their sum): a softmax that cannot overflow
  const scaled = PATTERNS.map((pattern) => beta * dot(pattern, query));
  const largest = Math.max(...scaled), powers = scaled.map((x) => Math.exp(x - largest));
  return [largest, powers, powers.reduce((a, b) => a + b)];
}

function energy(query, beta) {
  const [largest, , sum] = overlaps(query, beta);
  const longest = Math.max(...PATTERNS.map((pattern) => dot(pattern, pattern)));
  return (Math.log(PATTERNS.length) - largest - Math.log(sum)) / beta + (dot(query, query) + longest) / 2;
}

function weights(query, beta) {
  const [, powers, sum] = overlaps(query, beta);
  return powers.map((power) => power / sum);
}

function retrieve(query, beta) {
  const share = weights(query, beta);
  return [0, 1].map((axis) => share.reduce((sum, w, i) => sum + w * PATTERNS[i][axis], 0));
}

const PAGE = `
<div class="try-two">
  <div class="try-map">
    <canvas width="340" height="340" aria-hidden="true"></canvas>
    <svg viewBox="-170 -170 340 340" role="img" aria-labelledby="try-energy-says">
      <polyline class="way"></polyline><g class="steps"></g><g class="patterns"></g>
      <circle class="question" r="7"></circle><circle class="rest" r="6"></circle>
    </svg>
  </div>
  <div class="try-side">
    <label for="try-beta">Inverse temperature β <output for="try-beta" data-of="beta"></output></label>
    <input id="try-beta" type="range" min="-1" max="2" step="0.05" value="0.7">
    <label for="try-angle">Direction of the question <output for="try-angle" data-of="angle"></output></label>
    <input id="try-angle" type="range" min="0" max="355" step="5" value="70">
    <label for="try-length">Its distance from the middle <output for="try-length" data-of="length"></output></label>
    <input id="try-length" type="range" min="0" max="2.4" step="0.05" value="1.45">
    <table class="try-table"><caption>What one step answers with</caption>
      <thead><tr><th scope="col">pattern</th><th scope="col">weight</th><td></td></tr></thead><tbody></tbody></table>
    <table class="try-table"><caption>Energy</caption><tbody>
      <tr><th scope="row">at the question</th><td data-of="before"></td></tr>
      <tr><th scope="row">after one step</th><td data-of="after"></td></tr>
      <tr><th scope="row">at rest</th><td data-of="rest"></td></tr></tbody></table>
  </div>
</div>
<p class="try-says" id="try-energy-says" aria-live="polite"></p>`;

function start(root) {
  root.innerHTML = PAGE;
  const find = (selector) => root.querySelector(selector);
  const show = (name, value, text) => {
    const cell = find(`[data-of=${name}]`);
    cell.textContent = text ?? value.toFixed(3);
    cell.dataset.value = value;
  };
  const canvas = find("canvas").getContext("2d"), size = 340;
  const screen = (point) => [100 * point[0], -100 * point[1]];
  const svg = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    return made;
  };
  PATTERNS.forEach((pattern, i) => {
    const [x, y] = screen(pattern), [u, v] = screen(pattern.map((c) => 1.28 * c));
    find(".patterns").append(svg("path", {d: `M${x - 6} ${y}h12M${x} ${y - 6}v12`}), svg("text", {x: u, y: v}));
    find(".patterns").lastChild.textContent = NAMES[i];
    const row = find("tbody").insertRow();
    row.innerHTML = `<th scope="row">${NAMES[i]}</th><td data-of="${NAMES[i]}"></td><td><i class="bar"></i></td>`;
  });

  function paint(beta) { // fourteen bands between the lowest and the highest energy, as contour lines would lie
    const image = canvas.createImageData(size, size), values = new Float64Array(size * size);
    for (let row = 0; row < size; row++) {
      for (let column = 0; column < size; column++) {
        const at = [(column + 0.5) / size, (row + 0.5) / size].map((c) => (2 * c - 1) * REACH);
        values[row * size + column] = Math.sqrt(Math.max(0, energy([at[0], -at[1]], beta)));
      }
    }
    const low = values.reduce((a, b) => Math.min(a, b)), high = values.reduce((a, b) => Math.max(a, b));
    values.forEach((value, i) => {
      const band = Math.min(13, Math.floor(14 * (value - low) / (high - low))) / 13;
      LOW.forEach((from, c) => { image.data[4 * i + c] = from + band * (HIGH[c] - from); });
      image.data[4 * i + 3] = 255;
    });
    canvas.putImageData(image, 0, 0);
  }

  function update(repaint) {
    const beta = 10 ** find("#try-beta").value, angle = +find("#try-angle").value, length = +find("#try-length").value;
    const query = [Math.cos(angle * Math.PI / 180), Math.sin(angle * Math.PI / 180)].map((c) => length * c);
    const way = [query];
    while (way.length < 200) way.push(retrieve(way.at(-1), beta));
    const share = weights(query, beta), rest = way.at(-1);
    show("beta", beta, beta.toPrecision(3));
    show("angle", angle, `${angle}°`);
    show("length", length, length.toFixed(2));
    show("before", energy(query, beta));
    show("after", energy(way[1], beta));
    show("rest", energy(rest, beta));
    NAMES.forEach((name, i) => {
      show(name, share[i]);
      find(`[data-of=${name}]`).nextElementSibling.firstChild.style.width = `${100 * share[i]}%`;
    });
    find("#try-beta").setAttribute("aria-valuetext", `beta ${beta.toPrecision(3)}`);
    find(".way").setAttribute("points", way.map(screen).join(" "));
    find(".steps").replaceChildren(...way.slice(1, 6).map((p) => svg("circle", {cx: screen(p)[0], cy: screen(p)[1], r: 3})));
    [[".question", query], [".rest", rest]].forEach(([name, point]) => {
      ["cx", "cy"].forEach((key, axis) => find(name).setAttribute(key, screen(point)[axis]));
    });
    if (repaint) paint(beta);
    const final = weights(rest, beta), part = NAMES.filter((_, i) => final[i] > 0.1);
    const kind = ["", "one pattern alone:", "a mixture of two:", "a mixture of three:", "a mixture of all:"][part.length];
    find(".try-says").textContent = `At β = ${beta.toPrecision(3)} the question comes to rest in ${kind} ${part.join(", ")}.`;
  }

  find("#try-beta").addEventListener("input", () => update(true));
  ["#try-angle", "#try-length"].forEach((name) => find(name).addEventListener("input", () => update(false)));
  function put(event) { // the question goes where the reader points, also while dragging
    const box = find("svg").getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width * 2 - 1) * REACH;
    const y = (1 - (event.clientY - box.top) / box.height * 2) * REACH;
    find("#try-angle").value = (Math.atan2(y, x) * 180 / Math.PI + 360) % 360;
    find("#try-length").value = Math.hypot(x, y);
    update(false);
  }
  find("svg").style.touchAction = "none";
  find("svg").addEventListener("pointerdown", (event) => {
    find("svg").setPointerCapture(event.pointerId);
    put(event);
  });
  find("svg").addEventListener("pointermove", (event) => {
    if (event.buttons) put(event);
  });
  update(true);
}

document.querySelectorAll(".try[data-try=energy]").forEach(start);
}
