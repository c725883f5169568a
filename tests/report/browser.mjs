// Opens a report.html in headless Chromium and uses it: filters, order, keyboard, the confusion matrix, phone width,
// light and dark. Leaves screenshots. See README.md beside this file.
//
//     node --experimental-websocket tests/report/browser.mjs REPORT.html SCREENSHOTS
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [report, out] = process.argv.slice(2);
if (!report || !out) {
  console.error("usage: node --experimental-websocket tests/report/browser.mjs REPORT.html SCREENSHOTS");
  process.exit(2);
}
if (typeof WebSocket === "undefined") {
  console.error("this Node.js has no WebSocket: give node the flag --experimental-websocket, or take Node.js 22 or newer");
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const profile = mkdtempSync(join(tmpdir(), "warp19-browser-"));
const browser = spawn(process.env.CHROMIUM ?? "chromium", [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--hide-scrollbars",
  `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank",
], { stdio: "ignore" });
browser.on("error", (e) => {
  console.error(`cannot start Chromium (${e.message}); install it, or name it in CHROMIUM`);
  process.exit(2);
});

let checks = 0;
function check(holds, what) {
  if (!holds) throw new Error(`does not hold: ${what}`);
  checks += 1;
}

async function port() {
  for (let i = 0; i < 300; i++) {
    try {
      return readFileSync(join(profile, "DevToolsActivePort"), "utf8").split("\n")[0];
    } catch {
      await sleep(100);
    }
  }
  throw new Error("Chromium did not open its debugging port within 30 s");
}

const problems = [];
const requests = [];
let send;

async function connect() {
  const pages = await (await fetch(`http://127.0.0.1:${await port()}/json/list`)).json();
  const socket = new WebSocket(pages.find((p) => p.type === "page").webSocketDebuggerUrl);
  await new Promise((done, fail) => {
    socket.onopen = done;
    socket.onerror = () => fail(new Error("cannot talk to Chromium"));
  });
  const waiting = new Map();
  let next = 1;
  send = (method, params = {}) => new Promise((done, fail) => {
    waiting.set(next, [done, fail]);
    socket.send(JSON.stringify({ id: next++, method, params }));
  });
  socket.onmessage = ({ data }) => {
    const { id, result, error, method, params } = JSON.parse(data);
    if (id) {
      const [done, fail] = waiting.get(id);
      return error ? fail(new Error(error.message)) : done(result);
    }
    if (method === "Runtime.exceptionThrown") problems.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) problems.push(JSON.stringify(params.args));
    if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) problems.push(params.entry.text);
    if (method === "Network.requestWillBeSent") requests.push(params.request.url);
  };
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await send(`${domain}.enable`);
}

async function run(expression) {
  const { result, exceptionDetails } = await send("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function key(name) {
  const code = { Tab: 9, Enter: 13, ArrowLeft: 37, ArrowUp: 38, ArrowRight: 39, ArrowDown: 40 }[name];
  const common = { key: name, code: name, windowsVirtualKeyCode: code, nativeVirtualKeyCode: code };
  await send("Input.dispatchKeyEvent", { type: "keyDown", ...common, ...(name === "Enter" ? { text: "\r" } : {}) });
  await send("Input.dispatchKeyEvent", { type: "keyUp", ...common });
}

async function tabTo(condition, what) {
  for (let i = 0; i < 200; i++) {
    await key("Tab");
    if (await run(`(${condition})(document.activeElement)`)) return;
  }
  throw new Error(`the tab key does not reach ${what}`);
}

const state = () => run(`({
  label: document.getElementById("label").value, answer: document.getElementById("answer").value,
  count: parseInt(document.getElementById("count").textContent),
  cards: [...document.querySelectorAll("#gallery > li")].map((c) => [c.dataset.label, c.dataset.answer, c.querySelector(".digit small").textContent]),
  pressed: [...document.querySelectorAll('.matrix [aria-pressed="true"]')].map((c) => [c.dataset.label, c.dataset.answer]),
})`);
const choose = (id, value) => run(`(() => { const s = document.getElementById("${id}"); s.value = "${value}"; s.dispatchEvent(new Event("change")); })()`);

async function view(width, height, scale, scheme) {
  await send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: scale, mobile: width < 600 });
  await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  await sleep(300);
}

async function screenshot(name, full) {
  const { data } = await send("Page.captureScreenshot", { captureBeyondViewport: full });
  writeFileSync(join(out, `${name}.png`), Buffer.from(data, "base64"));
}

async function filters(data) {
  const all = await state();
  check(all.count === data.errors.length, "without filters the count is that of all errors");
  check(all.cards.length === Math.min(60, data.errors.length), "the first sixty are shown");
  const more = `document.getElementById("more").checkVisibility()`;
  check((await run(more)) === data.errors.length > 60, "the button for more is there when there are more");
  const first = data.errors[0];
  const expected = (keep) => data.errors.filter(keep).length;
  await choose("label", first.label);
  let now = await state();
  check(now.count === expected((e) => e.label === first.label), "the filter by true class counts right");
  check(now.cards.every((c) => Number(c[0]) === first.label), "the filter by true class shows that class only");
  await choose("answer", first.top[0][0]);
  now = await state();
  check(now.count === expected((e) => e.label === first.label && e.top[0][0] === first.top[0][0]), "both filters count right");
  check(now.cards.every((c) => Number(c[1]) === first.top[0][0]), "the filter by answer shows that answer only");
  check(now.pressed.length === 1, "the matrix shows which cell is chosen");
  await run(`document.getElementById("reset").click()`);
  check((await state()).count === data.errors.length, "the reset brings all back");
  await choose("order", "unsure");
  const least = data.errors.reduce((a, b) => (b.top[0][1] < a.top[0][1] ? b : a));
  check((await state()).cards[0][2] === `image ${least.image}`, "the least sure one comes first in that order");
  await choose("order", "image");
  const lowest = Math.min(...data.errors.map((e) => e.image));
  check((await state()).cards[0][2] === `image ${lowest}`, "the lowest image number comes first in that order");
  await choose("order", "sure");
  if (data.errors.length > 60) {
    await run(`document.getElementById("more").click()`);
    check((await state()).cards.length === Math.min(120, data.errors.length), "more are shown when asked for");
  }
}

async function pictures() {
  const broken = await run(`[...document.images].filter((i) => i.offsetWidth > 0).filter((i) => !i.complete || i.naturalWidth === 0).length`);
  check(broken === 0, "every picture can be shown");
  const ink = await run(`(async () => {
    const canvas = document.querySelector("#gallery .ink");
    return Math.max(...canvas.getContext("2d").getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 < 3));
  })()`);
  check(ink > 100, "the first digit of the gallery has ink");
}

async function keyboard(data) {
  await run(`document.getElementById("reset").click(); document.activeElement.blur()`);
  await tabTo(`(e) => e.id === "label"`, "the filter by true class");
  await key("ArrowDown");
  let now = await state();
  check(now.label === "0" && now.cards.every((c) => c[0] === "0"), "an arrow key in the filter chooses class 0");
  await tabTo(`(e) => e.id === "reset"`, "the reset");
  await key("Enter");
  check((await state()).label === "", "Enter on the reset clears the filter");
  await tabTo(`(e) => e.closest(".matrix") !== null`, "the matrix");
  await key("ArrowDown");
  let at = await run(`({ ...document.activeElement.dataset })`);
  check(at.label !== undefined, "the arrow keys walk in the matrix");
  for (let i = 0; i < 30 && at.label === ""; i++) {
    await key("ArrowDown");
    at = await run(`({ ...document.activeElement.dataset })`);
  }
  await key("ArrowRight");
  at = await run(`({ ...document.activeElement.dataset })`);
  await key("Enter");
  now = await state();
  const fits = (value, chosen) => chosen === "" || String(value) === chosen;
  const errors = data.errors.filter((e) => fits(e.label, at.label) && fits(e.top[0][0], at.answer));
  check(now.label === at.label && now.answer === at.answer && now.count === errors.length, "Enter on a cell selects its errors");
  check(now.cards.length === Math.min(60, errors.length), "and shows them");
  check(now.cards.every((c) => fits(c[0], at.label) && fits(c[1], at.answer)), "and only those");
}

async function mouse() {
  const spot = await run(`(() => { const b = document.querySelector(".matrix .miss"); b.scrollIntoView({ block: "center" });
    const r = b.getBoundingClientRect(); return { x: r.x + r.width / 2, y: r.y + r.height / 2, ...b.dataset, n: Number(b.textContent) }; })()`);
  for (const type of ["mousePressed", "mouseReleased"]) await send("Input.dispatchMouseEvent", { type, x: spot.x, y: spot.y, button: "left", clickCount: 1 });
  const now = await state();
  check(now.label === spot.label && now.answer === spot.answer, "a click on a cell selects it");
  check(now.count === spot.n, "a cell's number is the number of its errors");
  await run(`document.getElementById("reset").click(); scrollTo(0, 0)`);
}

// The first words on a card that lie on its other words or pictures, or out of it.
const crowded = `(() => {
  for (const card of document.querySelectorAll("#gallery > li")) {
    const area = card.getBoundingClientRect();
    const boxes = [...card.querySelectorAll("canvas, b, small, .top span:not(.bar)")].map((n) => {
      const words = document.createRange();
      words.selectNodeContents(n);
      const clipped = n.tagName === "CANVAS" || getComputedStyle(n).overflow === "hidden";
      return [n, (clipped ? n : words).getBoundingClientRect()];
    });
    for (const [i, [n, a]] of boxes.entries()) {
      const out = a.left < area.left || a.right > area.right + 0.5 || a.bottom > area.bottom + 0.5;
      const on = boxes.slice(i + 1).some(([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4);
      if (out || on) return n.outerHTML.slice(0, 80);
    }
  }
  return "";
})()`;

async function widths() {
  for (const [name, width, height, scale] of [["desktop", 1280, 900, 1], ["phone", 390, 844, 2]]) {
    for (const scheme of ["light", "dark"]) {
      await view(width, height, scale, scheme);
      const wide = await run(`document.documentElement.scrollWidth`);
      check(wide <= width, `the page is no wider than ${name} (${wide} of ${width})`);
      const back = await run(`getComputedStyle(document.body).backgroundColor`);
      check((back === "rgb(255, 255, 255)") === (scheme === "light"), `${scheme} is ${scheme}`);
      const curve = await run(`[...document.querySelectorAll(".curves img")].filter((i) => i.offsetWidth > 0 && i.currentSrc.length > 1000).length`);
      check(curve === (await run(`document.querySelectorAll(".curves figure").length`)), `one picture of each curve is shown (${curve})`);
      const first = await run(crowded);
      check(first === "", `no words of a misread image lie on others or stick out (${first})`);
      await screenshot(`${name}-${scheme}`, true);
    }
  }
}

async function pointing() {
  const { x, y, text } = await run(`(() => {
    const image = document.querySelector(".curves img"); image.scrollIntoView({ block: "center" });
    const box = image.getBoundingClientRect();
    const [x, y, text] = JSON.parse(document.getElementById("spots").textContent)[0][image.naturalWidth].at(-1);
    return { x: box.x + x * box.width, y: box.y + y * box.height, text };
  })()`);
  await send("Input.dispatchMouseEvent", { type: "mouseMoved", x: x + 2, y });
  check((await run(`document.getElementById("tip").textContent`)) === text && text.includes("epoch"), "a curve says its values");
  await send("Input.dispatchMouseEvent", { type: "mouseMoved", x: 2, y: 2 });
  check(await run(`document.getElementById("tip").hidden`), "and is silent elsewhere");
}

// What a screen reader says of a misread image, and the contrast of its words.
async function accessible() {
  const label = await run(`document.querySelector("#gallery .ink").getAttribute("aria-label")`);
  check(/^test image \d+: .+ taken for .+ with .+ %$/.test(label), `an image is described (${label})`);
  for (const scheme of ["light", "dark"]) {
    await view(1280, 900, 1, scheme);
    const worst = await run(`(() => {
      const numbers = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
      const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const back = (node) => { for (; node; node = node.parentElement) {
        const colour = getComputedStyle(node).backgroundColor;
        if (!/, 0\\)$/.test(colour) && colour !== "transparent") return numbers(colour);
      } return [255, 255, 255]; };
      const ratios = [...document.querySelectorAll("h1, p, dt, dd, td, th, .top b, .top span:not(.bar), .digit b, .digit small, figcaption, footer, summary")]
        .filter((n) => n.textContent.trim() && n.offsetWidth > 0 && !n.querySelector("button"))
        .map((n) => { const [a, b] = [light(numbers(getComputedStyle(n).color)), light(back(n))];
          return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), n.outerHTML.slice(0, 80)]; });
      return ratios.reduce((a, b) => (b[0] < a[0] ? b : a));
    })()`);
    check(worst[0] >= 4.5, `${scheme}: words have a contrast of 4.5 at least (${worst})`);
  }
}

// On paper, with and without backgrounds; read_pages.py looks at the pages.
async function paper() {
  await view(1280, 900, 1, "dark");
  for (const [name, paperWidth, paperHeight] of [["a4", 8.27, 11.69], ["letter", 8.5, 11]]) {
    for (const [kind, printBackground] of [["", true], ["-plain", false]]) {
      const { data } = await send("Page.printToPDF", { paperWidth, paperHeight, printBackground, preferCSSPageSize: false });
      writeFileSync(join(out, `${name}${kind}.pdf`), Buffer.from(data, "base64"));
    }
  }
  const left = await run(`document.querySelectorAll("#gallery > li").length`);
  check(left <= 60, "after printing the gallery is as it was");
}

let failed = null;
try {
  await connect();
  await view(1280, 900, 1, "light");
  const { errorText } = await send("Page.navigate", { url: pathToFileURL(resolve(report)).href });
  if (errorText) throw new Error(`cannot open ${report}: ${errorText}`);
  const loaded = `location.protocol === "file:" && document.readyState === "complete" && document.querySelector(".matrix tr") !== null`;
  for (let i = 0; i < 600 && !(await run(loaded)); i++) await sleep(100);
  const [data] = JSON.parse(await run(`document.getElementById("data").textContent`));
  check(data !== undefined && data.errors.length > 0, "the report has errors to filter; make one of a run with some");
  await filters(data);
  await pictures();
  await keyboard(data);
  await mouse();
  await pointing();
  await accessible();
  await widths();
  await paper();
  const outside = requests.filter((u) => !u.startsWith("file:") && !u.startsWith("data:"));
  check(outside.length === 0, `nothing is asked of the network (${outside})`);
  check(problems.length === 0, `no error on the console (${problems.join("; ")})`);
} catch (e) {
  failed = e;
}
const gone = new Promise((done) => browser.on("exit", done));
browser.kill();
await gone;
rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
if (failed) {
  console.error(failed.message);
  process.exit(1);
}
console.log(`${checks} checks hold; screenshots in ${out}`);
process.exit(0);
