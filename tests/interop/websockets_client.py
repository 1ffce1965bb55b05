"""Python's `websockets` against our echo, which has the same `TAKEOVER` and `WINDOW_BITS`: `websockets_client.py ws://HOST:PORT/ws`."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from agreement import SIMILAR, Counted, answer, check

URL = sys.argv[1]
JSON = json.dumps([{"id": id, "name": f"user {id % 7}", "active": True} for id in range(500)])


@asynccontextmanager
async def open_with(**parameters):
    """A connection and its socket."""
    extensions = [ClientPerMessageDeflateFactory(**parameters)] if parameters else None
    sock = Counted()
    sock.connect((urlsplit(URL).hostname, urlsplit(URL).port))
    async with connect(URL, sock=sock, compression=None, extensions=extensions, max_size=64 << 20) as ws:
        yield ws, sock


async def echo(ws, message):
    await ws.send(message)
    assert await ws.recv() == message


async def messages(ws):
    for message in ["hello", "grüße 🌍", "", b"", b"\x00\x01\xff", "x" * (1 << 20), b"\x07" * (1 << 20), JSON]:
        await echo(ws, message)
    await ws.send(["one ", "two ", "three"])
    assert await ws.recv() == "one two three"
    await ws.send([b"a", b"", b"b"])
    assert await ws.recv() == b"ab"
    await (await ws.ping(b"there?"))


async def closes(code, reason):
    async with open_with() as (ws, _):
        await ws.close(code, reason)
        try:
            await ws.recv()
        except ConnectionClosed as end:
            assert (end.rcvd.code, end.rcvd.reason) == (code, reason), end


async def refused(path, status):
    try:
        async with connect(URL.replace("/ws", path)):
            raise AssertionError("the handshake was accepted")
    except InvalidStatus as error:
        assert error.response.status_code == status, error


async def main():
    async with open_with() as (ws, _):
        assert ws.subprotocol is None and not ws.protocol.extensions
        await messages(ws)
    for code, reason in [(1000, ""), (1001, "leaving"), (3000, "three thousand"), (4999, "é" * 61)]:
        await closes(code, reason)

    offers = [dict(server_no_context_takeover=s, client_no_context_takeover=c) for s in (False, True) for c in (False, True)]
    offers += [dict(client_max_window_bits=True), dict(client_max_window_bits=None)]
    for bits in range(9, 16):
        offers += [dict(server_max_window_bits=bits), dict(client_max_window_bits=bits),
                   dict(server_max_window_bits=bits, client_max_window_bits=bits)]
    for offer in offers:
        async with open_with(**offer) as (ws, sock):
            agreed = ws.response.headers["Sec-WebSocket-Extensions"]
            assert agreed == answer(**offer), (offer, agreed)
            await messages(ws)
            sent, received = sock.sent, sock.received
            for message in SIMILAR:
                await echo(ws, message)
            total = sum(map(len, SIMILAR))
            bits = offer.get("client_max_window_bits")
            check("client", agreed, (sock.sent - sent) / total, 15 if bits in (None, True) else bits)
            check("server", agreed, (sock.received - received) / total)
            await echo(ws, JSON)
    await refused("/elsewhere", 426)
    print(f"websockets: {len(offers) + 1} settings, all as expected")


asyncio.run(asyncio.wait_for(main(), 120))
