// Node's `ws` against our echo, which has the same `TAKEOVER` and `WINDOW_BITS`: `node ws_client.js ws://HOST:PORT/ws`.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import WebSocket from 'ws';
import { SIMILAR, check } from './ws_similar.js';

const url = process.argv[2];
const json = JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, name: `user ${id % 7}`, active: true })));

async function open(perMessageDeflate = false) {
  const ws = new WebSocket(url, { perMessageDeflate, maxPayload: 64 << 20 });
  ws.once('upgrade', ({ headers }) => { ws.agreed = headers['sec-websocket-extensions']; });
  await once(ws, 'open');
  return ws;
}

// What the server must answer to an offer.
function expected(offer) {
  const takeover = process.env.TAKEOVER === '1';
  const most = Number(process.env.WINDOW_BITS ?? 15);
  const server = Math.min(most, offer.serverMaxWindowBits ?? 15);
  const client = Math.min(most, Number.isInteger(offer.clientMaxWindowBits) ? offer.clientMaxWindowBits : 15);
  return [
    'permessage-deflate',
    ...(takeover && !offer.serverNoContextTakeover ? [] : ['server_no_context_takeover']),
    ...(takeover && !offer.clientNoContextTakeover ? [] : ['client_no_context_takeover']),
    ...(server < 15 || offer.serverMaxWindowBits ? [`server_max_window_bits=${server}`] : []),
    // Without a wish of its own the server leaves the window to the client, and it may not tell one that did not ask.
    ...(most < 15 && offer.clientMaxWindowBits !== false ? [`client_max_window_bits=${client}`] : []),
  ].join('; ');
}

// Similar messages, and how many bytes they take in either direction.
async function similar(ws) {
  const [read, written] = [ws._socket.bytesRead, ws._socket.bytesWritten];
  for (const message of SIMILAR) await echo(ws, message);
  const total = SIMILAR.join('').length;
  return { server: (ws._socket.bytesRead - read) / total, client: (ws._socket.bytesWritten - written) / total };
}

async function echo(ws, data, send = () => ws.send(data)) {
  const answer = once(ws, 'message');
  send();
  const [received, isBinary] = await answer;
  assert.equal(isBinary, typeof data !== 'string');
  assert.ok(Buffer.from(data).equals(received), `${received.length} bytes are not the ${data.length} that were sent`);
}

async function close(ws, code, reason) {
  const closed = once(ws, 'close');
  ws.close(code, reason);
  const [answered, said] = await closed;
  assert.equal(answered, code ?? 1005);
  if (reason !== undefined) assert.equal(said.toString(), reason);
}

async function messages(ws) {
  for (const data of ['hello', 'grüße 🌍', '', Buffer.alloc(0), Buffer.from([0, 1, 255]), 'x'.repeat(1 << 20), Buffer.alloc(1 << 20, 7), json]) {
    await echo(ws, data);
  }
  // Fragments, with a ping among them.
  const pong = once(ws, 'pong');
  await echo(ws, 'one two three', () => {
    ws.send('one ', { fin: false });
    ws.ping('between');
    ws.send('two ', { fin: false });
    ws.send('three', { fin: true });
  });
  assert.equal((await pong)[0].toString(), 'between');
}

const plain = await open();
assert.equal(plain.extensions, '');
assert.equal(plain.protocol, '');
await messages(plain);
await close(plain, 1000, 'bye');
for (const [code, reason] of [[undefined, undefined], [1000, ''], [1001, 'leaving'], [3000, 'three thousand'], [4999, 'é'.repeat(61)]]) {
  await close(await open(), code, reason);
}

const offers = [{}, { serverNoContextTakeover: true }, { clientNoContextTakeover: true },
  { serverNoContextTakeover: true, clientNoContextTakeover: true }, { clientMaxWindowBits: true }, { clientMaxWindowBits: false }];
for (let bits = 9; bits <= 15; bits++) {
  offers.push({ serverMaxWindowBits: bits }, { clientMaxWindowBits: bits }, { serverMaxWindowBits: bits, clientMaxWindowBits: bits });
}
for (const offer of offers) {
  const ws = await open({ ...offer, threshold: 0 });
  assert.equal(ws.agreed, expected(offer), JSON.stringify(offer));
  const ratios = await similar(ws);
  check('server', ws.agreed, ratios.server);
  check('client', ws.agreed, ratios.client, Number.isInteger(offer.clientMaxWindowBits) ? offer.clientMaxWindowBits : 15);
  await messages(ws);
  await echo(ws, json);
  await close(ws, 1000, 'bye');
}

// Handshakes that ws does not complete: the answer is a response.
for (const [address, options] of [[url, { protocolVersion: 8 }], [url.replace('/ws', '/elsewhere'), {}]]) {
  const ws = new WebSocket(address, options);
  ws.on('error', () => {});
  const [, response] = await once(ws, 'unexpected-response');
  assert.equal(response.statusCode, 426);
  response.resume();
  ws.terminate();
}
console.log(`ws: ${offers.length + 1} settings, all as expected`);
process.exit();
