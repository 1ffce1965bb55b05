// Messages that come back.

import { $, element } from "./page.js";
import { millis } from "./words.js";

// Sent and not yet back, oldest first: replies come in order.
let pending = [];

export function sendEcho(link, text) {
  pending.push({ text, at: performance.now() });
  link.sockets.echo.send(text);
}

export function showEcho(text) {
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
export function probe(link) {
  const asleep = Date.now() - lastProbe > 15_000;
  lastProbe = Date.now();
  if (link.state !== "open") return;
  if (pending.length && !asleep && performance.now() - pending[0].at > 9000) link.ended(1006, "no answer for ten seconds");
  else sendEcho(link, "");
}

// What was under way is lost.
export function forgetEchoes() {
  pending = [];
}
