// Messages that come back.

import { Chart, niceMax } from "./chart.js";
import { $, say } from "./page.js";
import { millis } from "./words.js";

export const BEAT = 2000;
const chart = new Chart($("echo-chart"), {
  color: "--memory",
  summary: $("echo-summary"),
  format: (value) => `${millis(value)} ms`,
  label: (value) => `${value} ms`,
});

// Sent and not yet back, oldest first: replies come in order.
let pending = [];

export function sendEcho(link, text) {
  pending.push({ text, at: performance.now() });
  link.sockets.echo.send(text);
}

export function showEcho(text) {
  const sent = pending.shift();
  if (!sent) return;
  const rtt = performance.now() - sent.at;
  chart.push(rtt);
  chart.max = niceMax(chart.most());
  say($("echo-rtt"), millis(rtt));
  if (!sent.text) return;
  const reply = $("echo-reply");
  reply.value = text;
  reply.dataset.rtt = rtt;
  reply.dataset.count = Number(reply.dataset.count ?? 0) + 1;
}

export function drawEchoes() {
  chart.draw();
}

// A connection can die without a word, and browsers cannot ping: so an empty message is sent now and then. The connection
// counts as lost when it is not back before the next one, unless the page itself was asleep in between.
let lastBeat = -Infinity;
export function beat(link) {
  const asleep = performance.now() - lastBeat > 1.5 * BEAT;
  lastBeat = performance.now();
  if (link.state !== "open") return;
  if (pending.length && !asleep && performance.now() - pending[0].at > 0.9 * BEAT) link.ended(1006, "no answer for two seconds");
  else sendEcho(link, "");
}

// The network says that it is gone. A server on this machine is still there; any other does not answer.
export function doubt(link) {
  if (link.state !== "open") return;
  sendEcho(link, "");
  const asked = pending.at(-1);
  setTimeout(() => {
    if (pending.includes(asked)) link.ended(1006, "this device is offline");
  }, 500);
}

// What was under way is lost.
export function forgetEchoes() {
  pending = [];
  chart.push(null);
}
