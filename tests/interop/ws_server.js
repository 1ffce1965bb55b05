// An echo by Node's `ws` for one connection: `node ws_server.js SETTINGS EXPECTED`.
//
// SETTINGS are those of `perMessageDeflate` in JSON, EXPECTED is what must be negotiated. It prints its URL, and ends
// with the connection.
import assert from 'node:assert/strict';
import { WebSocketServer } from 'ws';

const [settings, expected] = process.argv.slice(2);
const perMessageDeflate = JSON.parse(settings);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: perMessageDeflate && { threshold: 0, ...perMessageDeflate }, maxPayload: 64 << 20 });
server.on('headers', (headers) => {
  const line = headers.find((line) => /^sec-websocket-extensions:/i.test(line)) ?? ': ';
  assert.equal(line.slice(line.indexOf(':') + 2), expected);
});
server.on('connection', (ws, { socket }) => {
  let payload = 0;
  const [read, written] = [socket.bytesRead, socket.bytesWritten];
  ws.on('message', (data, isBinary) => {
    payload += data.length;
    ws.send(data, { binary: isBinary });
  });
  ws.on('close', (code) => {
    assert.equal(code, 1000);
    assert.ok(payload > 0);
    for (const [what, bytes] of [['received', socket.bytesRead - read], ['sent', socket.bytesWritten - written]]) {
      assert.equal(bytes < payload / 2, expected !== '', `${what} ${payload} bytes as ${bytes}`);
    }
    server.close();
  });
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}/`));
