// Charts that move with the time.

import { $, say } from "./page.js";
import { duration } from "./words.js";

const HISTORY = 120_000;
// How much later than known it is drawn, in milliseconds.
const LATE = 1100;
const dark = matchMedia("(prefers-color-scheme: dark)");

// A line over time that moves to the left. `null` as a value is a gap.
export class Chart {
  points = [];
  max = 100;
  #canvas;
  #context;
  #options;
  #pointer = null;
  // How many milliseconds back the arrow keys read.
  #back = null;
  #span = HISTORY;

  // With a `label` for values it has axes, can be read by pointer and keys, and says in words what it shows, in `summary`.
  constructor(canvas, options) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#options = options;
    if (!options.label) return;
    canvas.addEventListener("pointermove", (event) => (this.#pointer = event.offsetX));
    canvas.addEventListener("pointerleave", () => (this.#pointer = null));
    canvas.addEventListener("keydown", (event) => this.#pressed(event));
    canvas.addEventListener("blur", () => (this.#back = null));
  }

  #pressed(event) {
    const step = Math.max(1000, this.#span / 60);
    const back = { ArrowLeft: (this.#back ?? -step) + step, ArrowRight: (this.#back ?? 0) - step, Home: this.#span, End: 0 }[event.key];
    if (event.key === "Escape") this.#back = null;
    if (back === undefined) return;
    event.preventDefault();
    this.#back = Math.max(0, Math.min(this.#span, back));
    const point = this.#at(Date.now() - LATE - this.#back);
    if (point?.value != null) say($("reading"), this.#words(point, Date.now() - LATE));
  }

  #at(time) {
    return this.points.findLast((point) => point.at <= time) ?? this.points[0];
  }

  #words(point, end) {
    return `${this.#options.format(point.value)}, ${Math.max(0, Math.round((end - point.at) / 1000))} s ago`;
  }

  // The values of the last two minutes.
  #values() {
    const since = Date.now() - HISTORY;
    return this.points.filter((point) => point.at >= since && point.value !== null).map((point) => point.value);
  }

  most() {
    return Math.max(0, ...this.#values());
  }

  #summarise() {
    const { format, summary } = this.#options;
    const values = this.#values();
    if (!summary || !values.length) return;
    const time = duration(Math.min(HISTORY, Date.now() - this.points.find((point) => point.value !== null).at + 1000));
    const average = values.reduce((sum, value) => sum + value, 0) / values.length;
    say(summary, `Last ${time}: ${format(Math.min(...values))} to ${format(Math.max(...values))}, ${format(average)} on average`);
  }

  push(value, at = Date.now()) {
    this.points.push({ at, value });
    // One point beyond the left edge, so that the line reaches it.
    while (this.points.length > 2 && this.points[1].at < at - HISTORY - 3000) this.points.shift();
    this.#canvas.dataset.points = this.points.length;
    this.#canvas.dataset.last = value ?? "";
    this.#summarise();
  }

  draw(now = Date.now()) {
    const { label, color } = this.#options;
    const width = this.#canvas.clientWidth;
    const height = this.#canvas.clientHeight;
    if (!width || !this.points.length) return;
    const scale = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const c = this.#context;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);

    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue(color).trim();
    const quiet = style.getPropertyValue("--quiet");
    c.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    // The widest label has room, and half a line above the highest.
    const labels = label && [0, 0.5, 1].map((share) => label(share * this.max, this.max));
    const margin = label && Math.ceil(Math.max(...labels.map((text) => c.measureText(text).width))) + 8;
    const area = label ? { left: 0, right: width - margin, top: 9, bottom: height - 22 } : { left: 0, right: width, top: 3, bottom: height - 2 };
    this.#canvas.dataset.margin = margin ?? "";

    // It is drawn a little late, so that each point is known before it enters on the right; and the young chart is
    // stretched, so that there is something to see.
    const end = now - LATE;
    const span = this.#span = Math.min(HISTORY, Math.max(20_000, end - this.points[0].at));
    const x = (at) => area.right - ((end - at) / span) * (area.right - area.left);
    const y = (value) => area.bottom - (Math.min(value, this.max) / this.max) * (area.bottom - area.top);

    if (label) this.#grid(c, area, span, x, y, end, labels, style, quiet);

    c.save();
    c.beginPath();
    c.rect(area.left, 0, area.right - area.left, height);
    c.clip();
    for (const run of this.#runs(x, y, now)) {
      c.beginPath();
      trace(c, run);
      c.strokeStyle = ink;
      c.lineWidth = label ? 2 : 1.5;
      c.lineJoin = "round";
      c.stroke();
      const fill = c.createLinearGradient(0, Math.min(...run.map((point) => point.y)), 0, area.bottom + 1);
      fill.addColorStop(0, ink);
      fill.addColorStop(1, `${ink}00`);
      c.lineTo(run.at(-1).x, area.bottom);
      c.lineTo(run[0].x, area.bottom);
      c.globalAlpha = dark.matches ? 0.28 : 0.22;
      c.fillStyle = fill;
      c.fill();
      c.globalAlpha = 1;
    }
    c.restore();
    if (this.#pointer !== null || this.#back !== null) this.#readout(c, area, end, span, x, y, ink, style);
  }

  // Unbroken stretches of the line, in pixels.
  #runs(x, y, now) {
    const runs = [];
    let run = [];
    for (const { at, value } of this.points) {
      if (value !== null) run.push({ x: x(at), y: y(value) });
      else if (run.length) run = void runs.push(run) ?? [];
    }
    if (run.length) {
      run.push({ x: x(now), y: run.at(-1).y });
      runs.push(run);
    }
    return runs.filter((run) => run.length > 1);
  }

  #grid(c, area, span, x, y, end, labels, style, quiet) {
    c.fillStyle = quiet;
    c.lineWidth = 1;
    c.textAlign = "left";
    c.textBaseline = "middle";
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const at = Math.round(y(this.max * share)) + 0.5;
      c.strokeStyle = style.getPropertyValue(share === 0 ? "--edge" : "--line");
      c.beginPath();
      c.moveTo(area.left, at);
      c.lineTo(area.right, at);
      c.stroke();
      const text = labels[2 * share];
      if (text) c.fillText(text, area.right + 6, at);
    }
    c.textBaseline = "alphabetic";
    c.textAlign = "center";
    const step = span > 70_000 ? 30_000 : span > 35_000 ? 15_000 : 5_000;
    for (let back = step; back < span; back += step) {
      const at = x(end - back);
      if (at > 22 && at < area.right - 40) c.fillText(back >= 60_000 && back % 60_000 === 0 ? `${back / 60_000} min` : `${back / 1000} s`, at, area.bottom + 17);
    }
    c.textAlign = "right";
    c.fillText("now", area.right, area.bottom + 17);
  }

  // The value under the pointer, or where the arrow keys are.
  #readout(c, area, end, span, x, y, ink, style) {
    const back = this.#pointer === null ? this.#back : ((area.right - Math.min(this.#pointer, area.right)) / (area.right - area.left)) * span;
    const point = this.#at(end - back);
    if (!point || point.value === null) return;
    const px = Math.max(area.left + 5, Math.min(area.right, x(point.at)));
    const text = this.#words(point, end);
    c.fillStyle = ink;
    c.globalAlpha = 0.5;
    c.fillRect(px - 0.5, area.top, 1, area.bottom - area.top);
    c.globalAlpha = 1;
    c.beginPath();
    c.arc(px, y(point.value), 4, 0, 2 * Math.PI);
    c.fill();
    const width = c.measureText(text).width + 18;
    const left = Math.max(0, Math.min(area.right - width, px - width / 2));
    c.beginPath();
    c.roundRect(left, area.top, width, 26, 7);
    c.fillStyle = style.getPropertyValue("--ink");
    c.fill();
    c.fillStyle = style.getPropertyValue("--card");
    c.textAlign = "left";
    c.textBaseline = "middle";
    c.fillText(text, left + 9, area.top + 13.5);
  }
}

// The next of 1, 2, 5, 10, 20, 50 .. that is not below a value, and 1 at least.
export function niceMax(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)));
  return power * [1, 2, 5, 10].find((step) => step * power >= Math.max(1, value));
}

// A smooth line that never overshoots its points (monotone cubic interpolation, Fritsch and Carlson).
function trace(c, points) {
  const slopes = points.slice(1).map((p, i) => (p.y - points[i].y) / Math.max(0.01, p.x - points[i].x));
  const tangents = points.map((_, i) => {
    const [before, after] = [slopes[i - 1] ?? slopes[i], slopes[i] ?? slopes[i - 1]];
    return before * after <= 0 ? 0 : (2 * before * after) / (before + after);
  });
  c.moveTo(points[0].x, points[0].y);
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const third = (b.x - a.x) / 3;
    c.bezierCurveTo(a.x + third, a.y + tangents[i - 1] * third, b.x - third, b.y - tangents[i] * third, b.x, b.y);
  }
}
