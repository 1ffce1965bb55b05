// The state of the connection, and why it ended.

import { forgetEchoes } from "./echo.js";
import { $, say } from "./page.js";
import { forgetStatus, repeatStatus } from "./status.js";
import { NEVER_OPENED, bytes, closeWords, count, duration } from "./words.js";

const STATES = { connecting: "Connecting", open: "Live", waiting: "Reconnecting", closing: "Closing", closed: "Closed" };
let last = null;

export function showState(link, state, end) {
  document.body.dataset.state = $("state").dataset.state = state;
  $("state-text").textContent = STATES[state];
  $("state-detail").textContent = "";
  for (const id of ["echo-send", "close-ask", "close"]) $(id).disabled = state !== "open";
  if (state === "open") $("banner").hidden = true;
  if (!end) return;

  last = end;
  document.title = `${STATES[state]} · tower-websocket dashboard`;
  forgetStatus();
  forgetEchoes();
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
  tick(link);
}

// What changes with the time alone.
export function tick(link) {
  const now = Date.now();
  if (link.state === "open") {
    say($("open-for"), duration(now - link.since));
    say($("received-messages"), count(link.received.messages));
    say($("received-bytes"), bytes(link.received.bytes).join(" "));
    for (const cell of document.querySelectorAll("[data-since]")) say(cell, duration(now - cell.dataset.since));
    repeatStatus();
  }
  const left = link.state === "waiting" ? Math.max(0, last.until - now) : 0;
  $("countdown").textContent =
    link.state === "waiting" ? `Trying again in ${(left / 1000).toFixed(1)} s.` : link.state === "connecting" ? "Trying now …" : "";
  $("fuse").style.transform = `scaleX(${left ? left / last.wait : 0})`;
}
