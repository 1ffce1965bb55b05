// What the server counts: the lines of /metrics that are about WebSockets, but for the parts of histograms.

import { $, showRows } from "./page.js";
import { bytes, count, millis } from "./words.js";

let before = new Map();
let asked = 0;

export async function showMetrics() {
  const response = await fetch("/metrics").catch(() => null);
  if (!response?.ok) return;
  const now = performance.now();
  const values = parse(await response.text());
  const series = [...values].sort().filter(([series]) => !series.includes("_bucket{"));
  const rows = showRows($("metrics"), series.map(([series, value]) => {
    const [, name, labels] = series.match(/^(\w+)(?:\{(.*)\})?$/);
    const rate = name.endsWith("_total") && before.has(series) ? (1000 * (value - before.get(series))) / (now - asked) : null;
    return [series, [
      name.replace(/^websocket_/, ""),
      (labels ?? "").replace(/\w+="(.*?)"/g, "$1").replaceAll(",", ", "),
      shown(name, value),
      rate === null ? "" : `${shown(name, rate)}/s`,
    ]];
  }));
  rows.forEach((row, i) => {
    row.dataset.name = series[i][0].split("{")[0];
    row.dataset.value = series[i][1];
  });
  [before, asked] = [values, now];
  $("metrics-card").hidden = rows.length === 0;
}

function parse(text) {
  const lines = text.split("\n").filter((line) => line.startsWith("websocket_"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]));
}

function shown(name, value) {
  if (name.includes("_bytes")) return bytes(Math.round(value)).join(" ");
  if (name.endsWith("_seconds_sum")) return `${millis(1000 * value)} ms`;
  return count(Math.round(10 * value) / 10);
}
