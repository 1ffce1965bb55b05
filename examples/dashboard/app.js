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
//              two seconds, only asks whether the connection still works.
//
// For tests: #state[data-state=connecting|open|waiting|closing|closed], the same on body; #cpu-chart and
// #memory-chart[data-points][data-updates][data-last]; #echo-chart[data-points][data-last]; #echo-reply[data-count][data-rtt]; #close-code, #close-reason;
// #countdown[data-attempt]; #peers tr[data-id][data-you]; #peers-count[data-count];
// #dedup-produced, #dedup-sent, #dedup-skipped, #dedup-bytes[data-value]; #metrics tr[data-name][data-value].

import { BEAT, beat, doubt, sendEcho, showEcho } from "./echo.js";
import { Link } from "./link.js";
import { showMetrics } from "./metrics.js";
import { $, element } from "./page.js";
import { showPeers } from "./peers.js";
import { showState, tick } from "./state.js";
import { frame, showStatus } from "./status.js";
import { ASKABLE } from "./words.js";

$("dots").append(...Array.from({ length: 200 }, () => element("i")));

const link = new Link({ status: showStatus, peers: showPeers, echo: showEcho }, (state, end) =>
  showState(link, state, end),
);

$("echo-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("echo-input").value;
  if (!text || link.state !== "open") return;
  sendEcho(link, text);
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
addEventListener("offline", () => doubt(link));

link.connect();
setInterval(() => tick(link), 100);
setInterval(() => beat(link), BEAT);
showMetrics();
setInterval(showMetrics, 2000);
requestAnimationFrame(frame);
