const utf8 = new TextEncoder();

// The three sockets, which live and end together. After an end that nobody here asked for it tries again:
// after about 0.5 s, 1 s, 2 s … 30 s, each time up to half of it earlier, so that a restarted server is not met by
// everybody at once.
export class Link {
  state = "connecting";
  attempt = 0;
  sockets = {};
  received = { messages: 0, bytes: 0 };
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
        this.received.bytes += utf8.encode(data).length;
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
    this.received = { messages: 0, bytes: 0 };
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
