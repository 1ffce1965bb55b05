// Bun's own WebSocket server: an echo, and what is sent to /pub goes to everybody at /sub. Bun's default is a
// compressor that connections share: no context takeover. With it, each has one of its own.
const { ADDR = "127.0.0.1:9001", COMPRESSION, TAKEOVER, TLS_FOLDER } = process.env;
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
    perMessageDeflate: compress && (TAKEOVER === "1" ? { compress: "dedicated", decompress: "shared" } : true),
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
