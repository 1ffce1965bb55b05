// What the server says of its load.

import { Chart } from "./chart.js";
import { drawEchoes } from "./echo.js";
import { $, element } from "./page.js";
import { bytes, count, percent } from "./words.js";

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const cpuChart = new Chart($("cpu-chart"), {
  color: "--cpu",
  summary: $("cpu-summary"),
  format: (value) => `${percent(value)} %`,
  label: (value) => `${value}%`,
});
const memoryChart = new Chart($("memory-chart"), {
  color: "--memory",
  summary: $("memory-summary"),
  format: (value) => bytes(value).join(" "),
  label: (value, max) => `${(100 * value) / max}%`,
});
let cores = [];

// Everything that is drawn, one value for each: what the last update said.
let latest = null;

function sample() {
  const at = Date.now();
  cpuChart.push(latest && average(latest.cpu), at);
  memoryChart.push(latest && latest.memory.used, at);
  cores.forEach((core, i) => core.chart.push(latest && latest.cpu[i], at));
}

const average = (values) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

let drawn = 0;
let drawnCores = 0;
export function frame(time) {
  requestAnimationFrame(frame);
  // 30 pictures a second look smooth at this speed; many cores, or a wish for less motion, get one a second.
  if (time - drawn < (calm.matches ? 1000 : 30)) return;
  drawn = time;
  cpuChart.draw();
  memoryChart.draw();
  drawEchoes();
  if (cores.length > 8 && time - drawnCores < 1000) return;
  drawnCores = time;
  for (const core of cores) core.chart.draw();
}

export function showStatus(text) {
  latest = JSON.parse(text);
  const { cpu, memory, dedup } = latest;
  if (cores.length !== cpu.length) makeCores(cpu.length);
  memoryChart.max = memory.total;
  sample();

  $("cpu-now").textContent = percent(average(cpu));
  cpu.forEach((load, i) => (cores[i].figure.textContent = `${Math.round(load)}%`));
  const [used, unit] = bytes(memory.used);
  $("memory-now").textContent = used;
  $("memory-unit").textContent = unit;
  $("memory-share").textContent = `${percent((100 * memory.used) / memory.total)} %`;
  $("memory-total").textContent = bytes(memory.total).join(" ");
  for (const chart of [$("cpu-chart"), $("memory-chart")]) chart.dataset.updates = Number(chart.dataset.updates) + 1;
  document.title = `${percent(average(cpu))} % · tower-websocket dashboard`;

  const share = dedup.produced ? dedup.sent / dedup.produced : 1;
  $("dedup-share").textContent = Math.round(100 * (1 - share));
  [...$("dots").children].forEach((dot, i) => dot.classList.toggle("sent", i < Math.round(200 * share)));
  for (const [name, value] of [["produced", dedup.produced], ["sent", dedup.sent], ["skipped", dedup.produced - dedup.sent]]) {
    $(`dedup-${name}`).textContent = count(value);
    $(`dedup-${name}`).dataset.value = value;
  }
  $("dedup-bytes").textContent = bytes(dedup.bytes_saved).join(" ");
  $("dedup-bytes").dataset.value = dedup.bytes_saved;
}

function makeCores(length) {
  $("cores").replaceChildren();
  $("cores").classList.toggle("many", length > 16);
  cores = Array.from({ length }, (_, i) => {
    const figure = element("b");
    const canvas = element("canvas", { ariaHidden: "true" });
    $("cores").append(element("li", {}, element("span", { textContent: length > 16 ? `${i}` : `Core ${i}` }), figure, canvas));
    return { figure, chart: new Chart(canvas, { color: "--cpu" }) };
  });
}

// From here on nothing is known: the charts have a gap.
export function forgetStatus() {
  latest = null;
  sample();
}

// No news is the same value still.
export function repeatStatus() {
  if (latest && Date.now() - cpuChart.points.at(-1).at > 1500) sample();
}
