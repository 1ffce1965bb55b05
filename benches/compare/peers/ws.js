import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const { ADDR = "127.0.0.1:9001", COMPRESSION } = process.env;
const [host, port] = ADDR.split(":");

const perMessageDeflate = COMPRESSION === "1" && {
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  threshold: 0,
  zlibDeflateOptions: { level: 1 },
};
const server = createServer();
server.on("connection", (socket) => socket.setNoDelay(true));
new WebSocketServer({ server, perMessageDeflate }).on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
server.listen({ host, port: Number(port), backlog: 1024 }, () => console.log("listening"));
