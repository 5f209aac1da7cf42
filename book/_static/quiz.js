// Makes radio buttons of the questions of a quiz, and a self-test of ten of all of them.
// The pages work without it: a list, and the reasons folded below it.
(() => {
  "use strict";

  function widget(question, number) {
    const lists = question.querySelectorAll("ol");
    const options = [...lists[0].children];
    const reasons = [...lists[1].children];
    const set = document.createElement("fieldset");
    const legend = document.createElement("legend");
    legend.append(...question.querySelector("p").cloneNode(true).childNodes);
    const said = document.createElement("output");
    said.setAttribute("aria-live", "polite");
    set.append(legend);
    options.forEach((option, place) => {
      const label = document.createElement("label");
      const radio = document.createElement("input");
      const words = document.createElement("span");
      radio.type = "radio";
      radio.name = `quiz-${number}`;
      words.append(...(option.querySelector("p") || option).cloneNode(true).childNodes);
      label.append(radio, words);
      set.append(label);
      radio.addEventListener("change", () => {
        const reason = reasons[place].querySelector("p") || reasons[place];
        said.replaceChildren(...reason.cloneNode(true).childNodes);
        set.dataset.right = reason.textContent.startsWith("Right.");
        set.dispatchEvent(new Event("answered", { bubbles: true }));
      });
    });
    set.append(said);
    const plain = document.createElement("div");
    plain.className = "quiz-plain";
    plain.append(...question.childNodes);
    question.append(plain, set);
    return set;
  }

  // mulberry32: a seed in the address draws the same ten everywhere
  function draws(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function selfTest(box, sets) {
    const asked = new URLSearchParams(location.search).get("seed");
    const seed = /^\d{1,9}$/.test(asked || "") ? Number(asked) : Math.floor(Math.random() * 1e6);
    const draw = draws(seed);
    const order = sets.map((set) => [draw(), set]).sort((a, b) => a[0] - b[0]);
    const ten = order.slice(0, 10).map((pair) => pair[1]);
    for (const [, set] of order) {
      set.parentNode.hidden = !ten.includes(set);
      if (ten.includes(set)) box.append(set.parentNode);
    }
    const link = document.createElement("a");
    link.href = `?seed=${seed}`;
    link.textContent = `These ten again: seed ${seed}`;
    const fresh = document.createElement("a");
    fresh.href = "?";
    fresh.textContent = "Ten others";
    const line = document.createElement("p");
    line.append(link, " · ", fresh);
    const result = document.createElement("output");
    result.setAttribute("aria-live", "polite");
    const first = new Map();
    box.addEventListener("answered", (event) => {
      if (!first.has(event.target)) first.set(event.target, event.target.dataset.right === "true");
      const right = [...first.values()].filter(Boolean).length;
      result.textContent = `${right} right at once, of ${first.size} answered, of ${ten.length}.`;
    });
    box.prepend(line);
    box.append(result);
  }

  const questions = [...document.querySelectorAll(".quiz-question")];
  const sets = questions.map(widget);
  const box = document.querySelector(".self-test");
  if (box) selfTest(box, sets);
})();
