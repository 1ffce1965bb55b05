// Charts that move with the time.

const HISTORY = 120_000;
const dark = matchMedia("(prefers-color-scheme: dark)");

// A line over time that moves to the left. `null` as a value is a gap.
export class Chart {
  points = [];
  max = 100;
  #canvas;
  #context;
  #options;
  #pointer = null;

  constructor(canvas, options) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#options = options;
    if (options.axes) {
      canvas.addEventListener("pointermove", (event) => (this.#pointer = event.offsetX));
      canvas.addEventListener("pointerleave", () => (this.#pointer = null));
    }
  }

  push(value, at = Date.now()) {
    this.points.push({ at, value });
    // One point beyond the left edge, so that the line reaches it.
    while (this.points.length > 2 && this.points[1].at < at - HISTORY - 3000) this.points.shift();
    this.#canvas.dataset.points = this.points.length;
    this.#canvas.dataset.last = value ?? "";
  }

  draw(now = Date.now()) {
    const { axes, color } = this.#options;
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
    const area = axes ? { left: 0, right: width - 38, top: 8, bottom: height - 22 } : { left: 0, right: width, top: 3, bottom: height - 2 };

    // It is drawn a little late, so that each point is known before it enters on the right; and the young chart is
    // stretched, so that there is something to see.
    const end = now - 1100;
    const span = Math.min(HISTORY, Math.max(20_000, end - this.points[0].at));
    const x = (at) => area.right - ((end - at) / span) * (area.right - area.left);
    const y = (value) => area.bottom - (Math.min(value, this.max) / this.max) * (area.bottom - area.top);

    if (axes) this.#grid(c, area, span, x, y, end, style.getPropertyValue("--line"), quiet);

    c.save();
    c.beginPath();
    c.rect(area.left, 0, area.right - area.left, height);
    c.clip();
    for (const run of this.#runs(x, y, now)) {
      c.beginPath();
      trace(c, run);
      c.strokeStyle = ink;
      c.lineWidth = axes ? 2 : 1.5;
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
    if (axes && this.#pointer !== null) this.#readout(c, area, end, span, x, y, ink, style);
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

  #grid(c, area, span, x, y, end, line, quiet) {
    c.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    c.fillStyle = quiet;
    c.strokeStyle = line;
    c.lineWidth = 1;
    c.textAlign = "left";
    c.textBaseline = "middle";
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const at = Math.round(y(this.max * share)) + 0.5;
      c.globalAlpha = share === 0 ? 1 : 0.75;
      c.beginPath();
      c.moveTo(area.left, at);
      c.lineTo(area.right, at);
      c.stroke();
      c.globalAlpha = 1;
      if (share !== 0.25 && share !== 0.75) c.fillText(`${share * 100}%`, area.right + 6, at);
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

  // The value under the pointer.
  #readout(c, area, end, span, x, y, ink, style) {
    const at = end - ((area.right - Math.min(this.#pointer, area.right)) / (area.right - area.left)) * span;
    const point = this.points.findLast((point) => point.at <= at) ?? this.points[0];
    if (!point || point.value === null) return;
    const px = Math.max(area.left + 5, Math.min(area.right, x(point.at)));
    const text = `${this.#options.format(point.value)}, ${Math.max(0, Math.round((end - point.at) / 1000))} s ago`;
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
