/* A prediction that the reader shapes, and the six measures of how far it is from the truth.
   The measures are those of mpcl/evaluation/metrics.py; a test opens this page and compares the numbers. */
"use strict";
{ // a block: two such scripts may stand on one page

const EMOTIONS = [["proud", 1], ["relieved", 1], ["calm", 1], ["sad", -1], ["worried", -1], ["angry", -1]];
const SMALLEST = 1e-12;
const TRUTHS = {
  mixed: [0.35, 0.3, 0.1, 0.2, 0.05, 0],
  almost: [0.9, 0.02, 0.02, 0.02, 0.02, 0.02],
  single: [1, 0, 0, 0, 0, 0],
  even: [1, 1, 1, 1, 1, 1].map((x) => x / 6),
};
const LABELS = {mixed: "proud, relieved, and a little sad", almost: "proud, with a trace of all others",
                single: "proud and nothing else", even: "a little of everything"};

const total = (values) => values.reduce((a, b) => a + b, 0);
const norm = (values) => Math.sqrt(total(values.map((x) => x * x)));
const relative = (d, p) => d.map((x, i) => (x + p[i] > 0 ? Math.abs(x - p[i]) / (x + p[i]) : 0)); // 0/0 counts as 0
const MEASURES = { // name: [function, best]
  chebyshev: [(d, p) => Math.max(...d.map((x, i) => Math.abs(x - p[i]))), "0"],
  clark: [(d, p) => norm(relative(d, p)), "0"],
  canberra: [(d, p) => total(relative(d, p)), "0"],
  kl: [(d, p) => total(d.map((x, i) => (x > 0 ? x * Math.log(x / Math.max(p[i], SMALLEST)) : 0))), "0"],
  cosine: [(d, p) => total(d.map((x, i) => x * p[i])) / (norm(d) * norm(p)), "1"],
  intersection: [(d, p) => total(d.map((x, i) => Math.min(x, p[i]))), "1"],
};

const ROW = ([name, valence], i) => `
<div class="try-emotion ${valence > 0 ? "positive" : "negative"}">
  <label for="try-${name}">${name}</label>
  <input id="try-${name}" type="range" min="0" max="100" step="1" aria-describedby="try-share-${i}">
  <div class="try-bars" aria-hidden="true"><i class="bar"></i><b></b></div>
  <output id="try-share-${i}" for="try-${name}"></output>
</div>`;
const PAGE = `
<div class="try-line"><label for="try-truth">The truth</label>
<select id="try-truth">${Object.entries(LABELS).map(([k, v]) => `<option value="${k}">${v}</option>`).join("")}</select></div>
<fieldset><legend>Your prediction: move a slider, or drag a bar to the share you mean (bar: you, line: truth)</legend>
${EMOTIONS.map(ROW).join("")}</fieldset>
<div class="try-line try-buttons" role="group" aria-label="Set the prediction to">
<button type="button" data-set="truth">the truth</button><button type="button" data-set="even">equal shares</button>
<button type="button" data-set="top">only its largest</button><button type="button" data-set="swap">families swapped</button></div>
<table class="try-table"><caption>The six measures of your prediction, and of one that has seen nothing</caption>
<thead><tr><th scope="col">measure</th><th scope="col">yours</th><th scope="col">equal shares (floor)</th>
<th scope="col">best</th></tr></thead><tbody>
${Object.entries(MEASURES).map(([name, [, best]]) =>
    `<tr><th scope="row">${name}</th><td data-of="${name}"></td><td data-floor="${name}"></td><td>${best}</td></tr>`).join("")}</tbody></table>
<p class="try-says" aria-live="polite"></p>`;

function start(root) {
  root.innerHTML = PAGE;
  const sliders = EMOTIONS.map(([name]) => root.querySelector(`#try-${name}`));
  const rows = [...root.querySelectorAll(".try-emotion")];
  const truth = () => TRUTHS[root.querySelector("#try-truth").value];

  function update() {
    const ratings = sliders.map((slider) => +slider.value), sum = total(ratings), d = truth();
    const p = ratings.map((rating) => (sum > 0 ? rating / sum : 1 / ratings.length));
    rows.forEach((row, i) => {
      row.querySelector("output").textContent = `${p[i].toFixed(2)}, true ${d[i].toFixed(2)}`;
      row.querySelector(".bar").style.width = `${100 * p[i]}%`;
      row.querySelector("b").style.left = `${100 * d[i]}%`;
    });
    Object.entries(MEASURES).forEach(([name, [measure]]) => {
      const cell = root.querySelector(`[data-of=${name}]`), value = measure(d, p);
      cell.textContent = value.toFixed(3);
      cell.dataset.value = value;
      root.querySelector(`[data-floor=${name}]`).textContent = measure(d, TRUTHS.even).toFixed(3);
    });
    const worst = d.map((x, i) => Math.abs(x - p[i])), at = worst.indexOf(Math.max(...worst));
    root.querySelector(".try-says").textContent = sum === 0 ? "All sliders at zero: taken as equal shares."
      : worst[at] < 0.005 ? "The prediction is the truth."
      : `Furthest from the truth: ${EMOTIONS[at][0]}, ${p[at].toFixed(2)} instead of ${d[at].toFixed(2)}.`;
  }

  function set(values) {
    const whole = values.every((x) => Math.abs(100 * x - Math.round(100 * x)) < 1e-9);
    const scale = whole ? 100 : 100 / Math.max(...values);
    sliders.forEach((slider, i) => { slider.value = Math.round(scale * values[i]); });
    update();
  }

  function drag(i, place) { // to a share: the other ratings stay, so all other shares give way in proportion
    const box = rows[i].querySelector(".try-bars").getBoundingClientRect();
    const share = Math.min(Math.max((place - box.left) / box.width, 0), 0.99);
    const others = total(sliders.map((slider, n) => (n === i ? 0 : +slider.value)));
    sliders[i].value = Math.round(others > 0 ? share * others / (1 - share) : 100 * share);
    update();
  }

  rows.forEach((row, i) => { // the sliders do the same for the keyboard
    const bars = row.querySelector(".try-bars");
    Object.assign(bars.style, {cursor: "ew-resize", touchAction: "pan-y"});
    bars.addEventListener("pointerdown", (event) => { bars.setPointerCapture(event.pointerId); drag(i, event.clientX); });
    bars.addEventListener("pointermove", (event) => { if (bars.hasPointerCapture(event.pointerId)) drag(i, event.clientX); });
  });

  const sets = {
    truth, even: () => TRUTHS.even, top: () => truth().map((x) => +(x === Math.max(...truth()))),
    swap: () => truth().map((_, i, d) => d[(i + 3) % 6]),
  };
  root.querySelectorAll("[data-set]").forEach((b) => b.addEventListener("click", () => set(sets[b.dataset.set]())));
  sliders.forEach((slider) => slider.addEventListener("input", update));
  root.querySelector("#try-truth").addEventListener("change", update);
  set([0.3, 0.3, 0.2, 0.1, 0.1, 0.1]);
}

document.querySelectorAll(".try[data-try=measures]").forEach(start);
}
