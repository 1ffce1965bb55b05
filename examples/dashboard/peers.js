// Who is connected.

import { $, element } from "./page.js";
import { count, duration, millis, program } from "./words.js";

export function showPeers(text) {
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
