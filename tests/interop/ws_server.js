// An echo by Node's `ws` for one connection: `node ws_server.js SETTINGS EXPECTED`.
//
// SETTINGS are those of `perMessageDeflate` in JSON, EXPECTED is what must be negotiated. It prints its URL, and ends
// with the connection, whose first messages must be those of `ws_similar.js`.
import assert from 'node:assert/strict';
import { WebSocketServer } from 'ws';
import { SIMILAR, check } from './ws_similar.js';

const [settings, expected] = process.argv.slice(2);
const perMessageDeflate = JSON.parse(settings);
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: perMessageDeflate && { threshold: 0, ...perMessageDeflate }, maxPayload: 64 << 20 });
server.on('headers', (headers) => {
  const line = headers.find((line) => /^sec-websocket-extensions:/i.test(line)) ?? ': ';
  assert.equal(line.slice(line.indexOf(':') + 2), expected);
});
server.on('connection', (ws, { socket }) => {
  let count = 0;
  let payload = 0;
  const start = [socket.bytesRead, socket.bytesWritten];
  ws.on('message', (data, isBinary) => {
    if (count < SIMILAR.length) assert.equal(data.toString(), SIMILAR[count]);
    count++;
    payload += data.length;
    // The client waits for each answer: all that was read so far is these messages.
    if (count === SIMILAR.length && expected !== '') {
      check('client', expected, (socket.bytesRead - start[0]) / payload);
      check('server', expected, (socket.bytesWritten - start[1]) / payload);
    }
    ws.send(data, { binary: isBinary });
  });
  ws.on('close', (code) => {
    assert.equal(code, 1000);
    assert.ok(count > SIMILAR.length);
    for (const [what, bytes] of [['received', socket.bytesRead - start[0]], ['sent', socket.bytesWritten - start[1]]]) {
      assert.equal(bytes < payload / 2, expected !== '', `${what} ${payload} bytes as ${bytes}`);
    }
    server.close();
  });
});
server.on('listening', () => console.log(`ws://127.0.0.1:${server.address().port}/`));
