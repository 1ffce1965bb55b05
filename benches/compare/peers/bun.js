// Bun's own WebSocket server: an echo, and what is sent to /pub goes to everybody at /sub. The dedicated compressor size is
// left at Bun's default, the shared one: no context takeover.
const { ADDR = "127.0.0.1:9001", COMPRESSION, TLS_FOLDER } = process.env;
const [hostname, port] = ADDR.split(":");
const compress = COMPRESSION === "1";

const server = Bun.serve({
  hostname,
  port: Number(port),
  tls: TLS_FOLDER && { cert: Bun.file(`${TLS_FOLDER}/certificate.pem`), key: Bun.file(`${TLS_FOLDER}/key.pem`) },
  fetch(request, server) {
    const data = { path: new URL(request.url).pathname };
    return server.upgrade(request, { data }) ? undefined : new Response("a WebSocket was expected", { status: 426 });
  },
  websocket: {
    perMessageDeflate: compress,
    maxPayloadLength: 16 * 1024 * 1024,
    open(socket) {
      if (socket.data.path === "/sub") socket.subscribe("all");
    },
    message(socket, message) {
      if (socket.data.path === "/pub") server.publish("all", message, compress);
      else socket.send(message, compress);
    },
  },
});
console.log("listening");
