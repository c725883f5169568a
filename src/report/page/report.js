"use strict";
// The gallery of misread images: filters, order, and the confusion matrix whose cells select it.
const runs = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const controls = { run: byId("run"), label: byId("label"), answer: byId("answer"), order: byId("order") };
const STEP = 60;
let shown = STEP;

const orders = {
  sure: (a, b) => b.top[0][1] - a.top[0][1],
  unsure: (a, b) => a.top[0][1] - b.top[0][1],
  label: (a, b) => a.label - b.label,
  answer: (a, b) => a.top[0][0] - b.top[0][0],
  image: (a, b) => a.image - b.image,
};

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function percent(p) {
  if (p >= 1) return "100 %";
  const v = 100 * p;
  if (v >= 99.995) return "> 99.99 %";
  if (v >= 99.95) return v.toFixed(2) + " %";
  if (v >= 10) return v.toFixed(1) + " %";
  return v >= 0.01 ? v.toFixed(2) + " %" : "< 0.01 %";
}

function digit(run, guess) {
  const box = make("div", guess.people === null ? "digit" : "digit doubt");
  // A canvas, which is printed as pictures are; a background may be left out.
  const ink = make("canvas", run.coloured ? "ink coloured" : "ink");
  const longest = Math.max(run.width, run.height);
  const scale = longest > 112 ? 112 / longest : Math.max(1, Math.round(84 / longest));
  ink.classList.toggle("enlarged", scale >= 1);
  const [w, h] = [scale * run.width, scale * run.height];
  const [column, row] = [guess.at % run.columns, Math.floor(guess.at / run.columns)];
  Object.assign(ink, { width: run.width, height: run.height });
  Object.assign(ink.style, { width: w + "px", height: h + "px" });
  ink.getContext("2d").drawImage(run.image, -column * run.width, -row * run.height);
  ink.setAttribute("role", "img");
  const [answer, p] = guess.top[0];
  const what = run.names[guess.label] + " taken for " + run.names[answer] + " with " + percent(p);
  ink.setAttribute("aria-label", "test image " + guess.image + ": " + what);
  box.append(ink, make("b", "", run.names[guess.label]), make("small", "", "image " + guess.image));
  if (guess.people !== null) box.append(make("small", "people", "people see " + guess.people));
  return box;
}

function card(run, guess) {
  const item = make("li");
  item.dataset.label = guess.label;
  item.dataset.answer = guess.top[0][0];
  const list = make("ol", "top");
  guess.top.forEach(([name, p], i) => {
    const kind = name === guess.label ? "truth" : i === 0 ? "answer" : "other";
    const row = make("li", kind);
    const bar = make("span", "bar");
    const fill = make("i");
    fill.style.width = 100 * p + "%";
    bar.append(fill);
    const said = make("b", "", run.names[name]);
    said.title = run.names[name];
    row.append(said, make("span", "", percent(p)), bar);
    list.append(row);
  });
  item.append(digit(run, guess), list);
  return item;
}

function selected() {
  const run = runs[controls.run ? Number(controls.run.value) : 0];
  const keep = (select, value) => select.value === "" || Number(select.value) === value;
  const found = run.errors.filter((g) => keep(controls.label, g.label) && keep(controls.answer, g.top[0][0]));
  // A stable sort, so that equal ones stay in the order of sureness.
  return [run, found.sort(orders[controls.order.value])];
}

function show() {
  const [run, found] = selected();
  byId("gallery").replaceChildren(...found.slice(0, shown).map((g) => card(run, g)));
  let text = found.length + (found.length === 1 ? " error" : " errors");
  if (found.length < run.total) text += " of " + run.total;
  if (run.errors.length < run.total) text += " (the page holds the " + run.errors.length + " surest)";
  byId("count").textContent = text;
  byId("more").hidden = found.length <= shown;
  for (const cell of document.querySelectorAll(".matrix button")) {
    const same = cell.dataset.label === controls.label.value && cell.dataset.answer === controls.answer.value;
    cell.setAttribute("aria-pressed", String(same));
  }
}

function cell(run, at, to, most) {
  const n = run.confusion[at][to];
  const [i, j] = [run.classes[at], run.classes[to]];
  const box = make("td");
  if (i === j || n === 0) {
    box.append(make("span", i === j ? "right" : "", n === 0 && i !== j ? "" : n));
    return box;
  }
  const button = make("button", "miss", n);
  button.style.setProperty("--share", (0.15 + 0.6 * Math.sqrt(n / most)).toFixed(2));
  button.setAttribute("aria-label", n + " times " + run.names[i] + " taken for " + run.names[j] + ": show them");
  Object.assign(button.dataset, { label: i, answer: j });
  box.append(button);
  return box;
}

function head(run, class_, label, answer) {
  const name = run.names[class_];
  const box = make("th");
  box.scope = answer === "" ? "row" : "col";
  const button = make("button", "", name);
  const what = answer === "" ? "errors of true class " : "errors answered ";
  button.setAttribute("aria-label", "show " + what + name);
  Object.assign(button.dataset, { label, answer });
  box.append(button);
  return box;
}

function matrix() {
  const [run] = selected();
  const classes = run.classes;
  const off = run.confusion.flatMap((row, i) => row.filter((_, j) => i !== j));
  const most = Math.max(1, ...off);
  const table = byId("matrix");
  table.classList.toggle("few", classes.length <= 12);
  table.replaceChildren(make("caption", "", "Rows: the true class. Columns: the network's answer. A number or a class selects its errors above." + (classes.length < run.names.length ? " Of " + run.names.length + " classes, the " + classes.length + " with the most mistakes." : "")));
  const first = make("tr");
  first.append(make("td"), ...classes.map((j) => head(run, j, "", j)));
  table.append(first);
  for (const [at, i] of classes.entries()) {
    const row = make("tr");
    row.append(head(run, i, i, ""), ...classes.map((_, to) => cell(run, at, to, most)));
    table.append(row);
  }
  // One stop of the tab key; arrows go on from there.
  table.querySelectorAll("button").forEach((b, i) => (b.tabIndex = i === 0 ? 0 : -1));
}

function choose(label, answer) {
  controls.label.value = label;
  controls.answer.value = answer;
  shown = STEP;
  show();
}

function walk(event) {
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const step = steps[event.key];
  const at = event.target.closest("td, th");
  if (!step || !at) return;
  event.preventDefault();
  const rows = byId("matrix").rows;
  let [y, x] = [at.parentNode.rowIndex + step[0], at.cellIndex + step[1]];
  for (; rows[y] && rows[y].cells[x]; y += step[0], x += step[1]) {
    const next = rows[y].cells[x].querySelector("button");
    if (next) {
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      return;
    }
  }
}

function classes() {
  const [run] = selected();
  for (const select of [controls.label, controls.answer]) {
    select.replaceChildren(new Option("any", ""), ...run.names.map((name, i) => new Option(name, i)));
  }
}

// Values of curves where one points at them.
function pointing() {
  const spots = JSON.parse(byId("spots").textContent);
  const tip = make("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  document.querySelectorAll(".curves figure").forEach((figure, index) => {
    figure.addEventListener("pointermove", (event) => {
      const image = [...figure.querySelectorAll("img")].find((image) => image.offsetWidth > 0);
      const box = image.getBoundingClientRect();
      const far = ([x, y]) => Math.hypot(box.x + x * box.width - event.clientX, box.y + y * box.height - event.clientY);
      const all = spots[index][image.naturalWidth] || [];
      const near = all.reduce((best, spot) => (best && far(best) <= far(spot) ? best : spot), null);
      tip.hidden = near === null || far(near) > 40;
      if (tip.hidden) return;
      tip.textContent = near[2];
      const left = Math.min(box.x + near[0] * box.width + 12, document.documentElement.clientWidth - tip.offsetWidth - 4);
      tip.style.left = left + scrollX + "px";
      tip.style.top = box.y + near[1] * box.height + scrollY + 12 + "px";
    });
    figure.addEventListener("pointerleave", () => (tip.hidden = true));
  });
}

// Paper shows all errors that a reader would go through, not the first screen of them.
function printing() {
  const PAPER = 600;
  let before = shown;
  addEventListener("beforeprint", () => {
    before = shown;
    shown = Math.max(shown, PAPER);
    show();
  });
  addEventListener("afterprint", () => {
    shown = before;
    show();
  });
}

async function decoded(run) {
  run.image = new Image();
  run.image.src = run.sprite;
  await run.image.decode();
}

function start() {
  classes();
  matrix();
  show();
  for (const select of Object.values(controls)) {
    if (!select) continue;
    select.addEventListener("change", () => {
      if (select === controls.run) {
        classes();
        matrix();
      }
      shown = STEP;
      show();
    });
  }
  byId("reset").addEventListener("click", () => choose("", ""));
  byId("more").addEventListener("click", () => {
    shown += STEP;
    show();
  });
  byId("matrix").addEventListener("keydown", walk);
  byId("matrix").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    choose(button.dataset.label, button.dataset.answer);
    byId("errors").scrollIntoView();
  });
}

pointing();
if (runs.length > 0) {
  Promise.all(runs.map(decoded)).then(() => {
    start();
    printing();
  });
}
