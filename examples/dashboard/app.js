// The page of the dashboard. It holds three WebSockets to the server that served it.
//
// /ws/status   text, from the server: the whole document at once, again when it has changed. At most one a second.
//   {
//     "cpu": [12.5, 3.0],                         load of each core in percent, 0 to 100
//     "memory": { "used": 1234, "total": 5678 },  bytes
//     "dedup": {                                  all connections together, since the server started
//       "produced": 900, "sent": 120,             updates
//       "bytes_saved": 34567                      JSON that was not sent
//     }
//   }
// /ws/status   text, to the server: a wish to be closed.
//   { "close": { "code": 1012, "reason": "restarting" } }
//
// /ws/peers    text, from the server: the whole document at once, again when it has changed.
//   {
//     "you": 3,                                   the id of the receiver
//     "peers": [{
//       "id": 3, "address": "127.0.0.1:50312", "user_agent": "Mozilla/5.0 …",
//       "since": 1764000000000,                   Unix time in milliseconds
//       "round_trip": 0.21,                       of the server's last ping in milliseconds; null before the first
//       "http": "1.1", "compressed": true
//     }]
//   }
//
// /ws/echo     every message comes back as it was sent, in order. The page sends text; an empty one, every
//              ten seconds, only asks whether the connection still works.
//
// For tests: #state[data-state=connecting|open|waiting|closing|closed], the same on body; #cpu-chart and
// #memory-chart[data-points][data-updates][data-last]; #echo-reply[data-count][data-rtt]; #close-code, #close-reason;
// #countdown[data-attempt]; #peers tr[data-id][data-you]; #peers-count[data-count];
// #dedup-produced, #dedup-sent, #dedup-bytes[data-value].

"use strict";

const $ = (id) => document.getElementById(id);
const HISTORY = 120_000;

// ---------------------------------------------------------------- Words

const CLOSE_CODES = {
  1000: ["Closed politely", "Both sides said goodbye."],
  1001: ["The server is going away", "It is shutting down, and said so first."],
  1002: ["Protocol error", "One side broke the rules of the protocol."],
  1003: ["Unsupported data", "One side was sent a kind of message it does not take."],
  1005: ["Closed without a code", "A goodbye that gave no reason."],
  1006: ["Connection lost", "It broke off without a goodbye."],
  1007: ["Invalid text", "A text message was not valid UTF-8."],
  1008: ["Against the rules of the server", "The server does not allow what was asked."],
  1009: ["Message too big", "A message was over the limit."],
  1011: ["The server failed", "Its handler ended with an error."],
  1012: ["The server is restarting", "It will be back in a moment."],
  1013: ["Try again later", "The server is overloaded."],
  1014: ["Bad gateway", "A server behind the server gave a bad answer."],
};
const ASKABLE = { 1000: "normal", 1001: "going away", 1008: "policy", 1011: "server error", 1012: "restart", 1013: "try later", 4000: "a private code" };
const NEVER_OPENED = ["The server cannot be reached", "It is not running, or it refused the connection."];

const closeWords = (code) => CLOSE_CODES[code] ?? ["Closed by the application", "With a code of its own."];

const percent = (value) => value.toFixed(value < 9.95 ? 1 : 0);
const millis = (value) => value.toFixed(value < 9.95 ? 2 : value < 99.5 ? 1 : 0);
const count = (value) => value.toLocaleString("en");

function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, value)) / 10));
  const scaled = value / 1024 ** power;
  return [scaled.toFixed(power === 0 || scaled >= 99.5 ? 0 : scaled >= 9.95 ? 1 : 2), units[power]];
}

function duration(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

// "Firefox 142 on Linux" out of what browsers say they are; other programs by their first word.
function program(agent) {
  if (!agent) return "unknown";
  const browsers = [[/Edg\/(\d+)/, "Edge"], [/OPR\/(\d+)/, "Opera"], [/Firefox\/(\d+)/, "Firefox"],
    [/HeadlessChrome\/(\d+)/, "Headless Chrome"], [/Chrome\/(\d+)/, "Chrome"], [/Version\/(\d+).*Safari/, "Safari"]];
  const systems = [[/Android/, "Android"], [/iPhone|iPad/, "iOS"], [/Windows/, "Windows"], [/Mac OS X/, "macOS"], [/CrOS/, "ChromeOS"], [/Linux/, "Linux"]];
  const browser = browsers.find(([pattern]) => pattern.test(agent));
  if (!browser) return agent.split(" ")[0].replace("/", " ").slice(0, 40);
  const system = systems.find(([pattern]) => pattern.test(agent));
  return `${browser[1]} ${agent.match(browser[0])[1]}${system ? ` on ${system[1]}` : ""}`;
}

// ---------------------------------------------------------------- Connection

// The three sockets, which live and end together. After an end that nobody here asked for it tries again:
// after about 0.5 s, 1 s, 2 s … 30 s, each time up to half of it earlier, so that a restarted server is not met by
// everybody at once.
class Link {
  state = "connecting";
  attempt = 0;
  sockets = {};
  received = { messages: 0, characters: 0 };
  #receivers;
  #changed;
  #retry;
  #stable;

  constructor(receivers, changed) {
    this.#receivers = receivers;
    this.#changed = changed;
  }

  connect() {
    clearTimeout(this.#retry);
    this.#drop();
    this.#become("connecting");
    for (const name of Object.keys(this.#receivers)) {
      const url = new URL(`/ws/${name}`, location.href);
      url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(url);
      this.sockets[name] = socket;
      socket.onopen = () => this.#opened();
      socket.onclose = (event) => this.ended(event.code, event.reason);
      socket.onmessage = ({ data }) => {
        this.received.messages += 1;
        this.received.characters += data.length;
        this.#receivers[name](data);
      };
    }
  }

  // The closing handshake, and no new attempt.
  close() {
    this.#become("closing");
    for (const socket of Object.values(this.sockets)) socket.close(1000, "closed by the visitor");
  }

  // The first socket to end tells the reason for all.
  ended(code, reason) {
    const before = this.state;
    this.#drop();
    clearTimeout(this.#stable);
    const end = { code, reason, wasOpen: before !== "connecting" };
    if (before === "closing") {
      this.attempt = 0;
      return this.#become("closed", end);
    }
    // The server asked for patience with 1012 and 1013.
    const patient = code === 1012 || code === 1013 ? 2 : 0;
    const most = Math.min(30_000, 500 * 2 ** (this.attempt + patient));
    const wait = most * (1 - Math.random() / 2);
    this.attempt += 1;
    this.#retry = setTimeout(() => this.connect(), wait);
    this.#become("waiting", { ...end, wait, until: Date.now() + wait });
  }

  // For when something says that trying is worth it now: the visitor, or the network being back.
  hurry() {
    if (this.state === "waiting" || this.state === "closed") this.connect();
  }

  #opened() {
    if (this.state !== "connecting" || !Object.values(this.sockets).every((socket) => socket.readyState === WebSocket.OPEN)) return;
    this.received = { messages: 0, characters: 0 };
    this.since = Date.now();
    // A server that accepts and at once ends the connection must not be asked twice a second for ever.
    this.#stable = setTimeout(() => (this.attempt = 0), 5000);
    this.#become("open");
  }

  #drop() {
    for (const socket of Object.values(this.sockets)) {
      socket.onopen = socket.onclose = socket.onmessage = null;
      socket.close();
    }
    this.sockets = {};
  }

  #become(state, end) {
    this.state = state;
    this.#changed(state, end);
  }
}

// ---------------------------------------------------------------- Charts

const calm = matchMedia("(prefers-reduced-motion: reduce)");
const dark = matchMedia("(prefers-color-scheme: dark)");

// A line over time that moves to the left. `null` as a value is a gap.
class Chart {
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

const cpuChart = new Chart($("cpu-chart"), { axes: true, color: "--cpu", format: (value) => `${percent(value)} %` });
const memoryChart = new Chart($("memory-chart"), { axes: true, color: "--memory", format: (value) => bytes(value).join(" ") });
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
function frame(time) {
  requestAnimationFrame(frame);
  // 30 pictures a second look smooth at this speed; many cores, or a wish for less motion, get one a second.
  if (time - drawn < (calm.matches ? 1000 : 30)) return;
  drawn = time;
  cpuChart.draw();
  memoryChart.draw();
  if (cores.length > 8 && time - drawnCores < 1000) return;
  drawnCores = time;
  for (const core of cores) core.chart.draw();
}

// ---------------------------------------------------------------- What the server says

function showStatus(text) {
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
  for (const [name, text] of [["produced", count(dedup.produced)], ["sent", count(dedup.sent)]]) {
    $(`dedup-${name}`).textContent = text;
    $(`dedup-${name}`).dataset.value = dedup[name];
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
    return { figure, chart: new Chart(canvas, { axes: false, color: "--cpu" }) };
  });
}

function showPeers(text) {
  const { you, peers } = JSON.parse(text);
  $("peers-count").textContent = count(peers.length);
  $("peers-count").dataset.count = peers.length;
  $("peers").replaceChildren(...peers.map((peer) => {
    const since = element("td", { textContent: duration(Date.now() - peer.since) });
    since.dataset.since = peer.since;
    const id = element("td", { textContent: `#${peer.id}` });
    const row = element("tr", {}, id,
      element("td", { textContent: peer.address }),
      element("td", { textContent: program(peer.user_agent), title: peer.user_agent }),
      element("td", { textContent: `HTTP/${peer.http}${peer.compressed ? ", compressed" : ""}` }),
      since,
      element("td", { textContent: peer.round_trip === null ? "–" : `${millis(peer.round_trip)} ms` }));
    row.dataset.id = peer.id;
    if (peer.id === you) {
      row.dataset.you = "";
      id.append(element("span", { className: "you", textContent: "you" }));
    }
    return row;
  }));

  const self = peers.find((peer) => peer.id === you);
  if (!self) return;
  $("protocol").textContent = `WebSocket over HTTP/${self.http}`;
  $("compression").textContent = self.compressed ? "permessage-deflate" : "none";
  $("ping").textContent = self.round_trip === null ? "" : millis(self.round_trip);
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// ---------------------------------------------------------------- Echo

// Sent and not yet back, oldest first: replies come in order.
let pending = [];

function sendEcho(text) {
  pending.push({ text, at: performance.now() });
  link.sockets.echo.send(text);
}

function showEcho(text) {
  const sent = pending.shift();
  if (!sent?.text) return;
  const rtt = performance.now() - sent.at;
  const reply = $("echo-reply");
  if (reply.dataset.count) {
    $("echo-history").prepend(element("li", {}, element("span", { textContent: reply.value }), element("b", { textContent: `${millis(Number(reply.dataset.rtt))} ms` })));
    while ($("echo-history").children.length > 5) $("echo-history").lastChild.remove();
  }
  reply.value = text;
  reply.dataset.rtt = rtt;
  reply.dataset.count = Number(reply.dataset.count ?? 0) + 1;
  $("echo-rtt").textContent = millis(rtt);
}

// A connection can die without a word, and browsers cannot ping: so an empty message is sent now and then. It counts
// as lost when it is not back at the next tick, unless the page itself was asleep in between.
let lastProbe = 0;
function probe() {
  const asleep = Date.now() - lastProbe > 15_000;
  lastProbe = Date.now();
  if (link.state !== "open") return;
  if (pending.length && !asleep && performance.now() - pending[0].at > 9000) link.ended(1006, "no answer for ten seconds");
  else sendEcho("");
}

// ---------------------------------------------------------------- State

const STATES = { connecting: "Connecting", open: "Live", waiting: "Reconnecting", closing: "Closing", closed: "Closed" };
let last = null;

function showState(state, end) {
  document.body.dataset.state = $("state").dataset.state = state;
  $("state-text").textContent = STATES[state];
  $("state-detail").textContent = "";
  for (const id of ["echo-send", "close-ask", "close"]) $(id).disabled = state !== "open";
  if (state === "open") $("banner").hidden = true;
  if (!end) return;

  last = end;
  latest = null;
  pending = [];
  sample();
  for (const id of ["ping", "protocol", "compression", "open-for"]) $(id).textContent = "";
  const [title, meaning] = end.wasOpen ? closeWords(end.code) : NEVER_OPENED;
  if (end.wasOpen) {
    $("close-code").textContent = end.code;
    $("close-meaning").textContent = title;
    $("close-reason").textContent = end.reason;
  }
  $("state-detail").textContent = `. ${title}. ${meaning}`;
  $("banner-title").textContent = end.wasOpen ? `${title} (${end.code})` : title;
  $("banner-text").textContent = end.wasOpen && end.reason ? `${meaning} It gave the reason “${end.reason}”.` : meaning;
  $("reconnect").textContent = state === "closed" ? "Connect again" : "Reconnect now";
  $("countdown").dataset.attempt = link.attempt;
  $("banner").hidden = false;
  tick();
}

// What changes with the time alone.
function tick() {
  const now = Date.now();
  if (link.state === "open") {
    $("open-for").textContent = duration(now - link.since);
    $("received").textContent = `${count(link.received.messages)} message${link.received.messages === 1 ? "" : "s"}, ${bytes(link.received.characters).join(" ")}`;
    for (const cell of document.querySelectorAll("[data-since]")) cell.textContent = duration(now - cell.dataset.since);
    // No news is the same value still.
    if (latest && now - cpuChart.points.at(-1).at > 1500) sample();
  }
  const left = link.state === "waiting" ? Math.max(0, last.until - now) : 0;
  $("countdown").textContent =
    link.state === "waiting" ? `Trying again in ${(left / 1000).toFixed(1)} s.` : link.state === "connecting" ? "Trying now …" : "";
  $("fuse").style.transform = `scaleX(${left ? left / last.wait : 0})`;
}

$("dots").append(...Array.from({ length: 200 }, () => element("i")));

const link = new Link({ status: showStatus, peers: showPeers, echo: showEcho }, showState);

$("echo-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("echo-input").value;
  if (!text || link.state !== "open") return;
  sendEcho(text);
  $("echo-input").select();
});
$("close-choice").append(...Object.entries(ASKABLE).map(([code, words]) => element("option", { value: code, textContent: `${code}, ${words}`, selected: code === "1012" })));
$("close-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = Number($("close-choice").value);
  if (link.state === "open") link.sockets.status.send(JSON.stringify({ close: { code, reason: "the visitor asked for it" } }));
});
$("close").addEventListener("click", () => link.close());
$("reconnect").addEventListener("click", () => link.hurry());
addEventListener("online", () => link.hurry());

link.connect();
setInterval(tick, 100);
setInterval(probe, 10_000);
requestAnimationFrame(frame);
