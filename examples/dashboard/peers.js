// Who is connected.

import { $, element, say, showRows } from "./page.js";
import { count, duration, millis, program } from "./words.js";

export function showPeers(text) {
  const { you, peers } = JSON.parse(text);
  say($("peers-count"), count(peers.length));
  $("peers-count").dataset.count = peers.length;
  const rows = showRows($("peers"), peers.map((peer) => [`${peer.id}`, [
    `#${peer.id}`,
    peer.address,
    program(peer.user_agent),
    `HTTP/${peer.http}${peer.compressed ? ", compressed" : ""}`,
    duration(Date.now() - peer.since),
    peer.round_trip === null ? "–" : `${millis(peer.round_trip)} ms`,
  ]]));
  rows.forEach((row, i) => {
    const peer = peers[i];
    row.dataset.id = peer.id;
    row.cells[2].title = peer.user_agent;
    row.cells[4].dataset.since = peer.since;
    if (peer.id !== you || "you" in row.dataset) return;
    row.dataset.you = "";
    const id = element("span", { className: "text", textContent: row.cells[0].textContent });
    row.cells[0].replaceChildren(id, element("span", { className: "you", textContent: "you" }));
  });

  const self = peers.find((peer) => peer.id === you);
  if (!self) return;
  say($("protocol"), `WebSocket over HTTP/${self.http}`);
  say($("compression"), self.compressed ? "permessage-deflate" : "none");
  say($("ping"), self.round_trip === null ? "" : millis(self.round_trip));
}
