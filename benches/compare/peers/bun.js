// Bun's own WebSocket server. The dedicated compressor size is left at Bun's default, the shared one: no context takeover.
const { ADDR = "127.0.0.1:9001", COMPRESSION } = process.env;
const [hostname, port] = ADDR.split(":");

Bun.serve({
  hostname,
  port: Number(port),
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response("a WebSocket was expected", { status: 426 });
  },
  websocket: {
    perMessageDeflate: COMPRESSION === "1",
    maxPayloadLength: 16 * 1024 * 1024,
    message(socket, message) {
      socket.send(message, COMPRESSION === "1");
    },
  },
});
console.log("listening");
