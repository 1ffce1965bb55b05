// What the server counts: the lines of /metrics that are about WebSockets, but for the parts of histograms.

import { $, element } from "./page.js";
import { bytes, count, millis } from "./words.js";

let before = new Map();
let asked = 0;

export async function showMetrics() {
  const response = await fetch("/metrics").catch(() => null);
  if (!response?.ok) return;
  const now = performance.now();
  const values = parse(await response.text());
  const rows = [...values].sort().filter(([series]) => !series.includes("_bucket{")).map(([series, value]) => {
    const [, name, labels] = series.match(/^(\w+)(?:\{(.*)\})?$/);
    const rate = name.endsWith("_total") && before.has(series) ? (1000 * (value - before.get(series))) / (now - asked) : null;
    const row = element("tr", {},
      element("td", { textContent: name.replace(/^websocket_/, "") }),
      element("td", { textContent: (labels ?? "").replace(/\w+="(.*?)"/g, "$1").replaceAll(",", ", ") }),
      element("td", { textContent: shown(name, value) }),
      element("td", { textContent: rate === null ? "" : `${shown(name, rate)}/s` }));
    row.dataset.name = name;
    row.dataset.value = value;
    return row;
  });
  [before, asked] = [values, now];
  $("metrics-card").hidden = rows.length === 0;
  $("metrics").replaceChildren(...rows);
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
