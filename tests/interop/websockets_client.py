"""Python's `websockets` against our echo, which has the same `TAKEOVER` and `WINDOW_BITS`: `websockets_client.py ws://HOST:PORT/ws`."""

import asyncio
import json
import os
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

URL = sys.argv[1]
JSON = json.dumps([{"id": id, "name": f"user {id % 7}", "active": True} for id in range(500)])


TAKEOVER = os.environ.get("TAKEOVER") == "1"
WINDOW_BITS = int(os.environ.get("WINDOW_BITS", 15))


def expected(server_no_context_takeover=False, client_no_context_takeover=False, server_max_window_bits=15, client_max_window_bits=True):
    """What must come of an offer."""
    client = min(WINDOW_BITS, 15 if client_max_window_bits is True else client_max_window_bits)
    return (
        server_no_context_takeover or not TAKEOVER, client_no_context_takeover or not TAKEOVER,
        min(WINDOW_BITS, server_max_window_bits), client,
    )


def open_with(**parameters):
    extensions = [ClientPerMessageDeflateFactory(**parameters)] if parameters else None
    return connect(URL, compression=None, extensions=extensions, max_size=64 << 20)


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
    async with open_with() as ws:
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
    async with open_with() as ws:
        assert ws.subprotocol is None and not ws.protocol.extensions
        await messages(ws)
    for code, reason in [(1000, ""), (1001, "leaving"), (3000, "three thousand"), (4999, "é" * 61)]:
        await closes(code, reason)

    offers = [dict(server_no_context_takeover=s, client_no_context_takeover=c) for s in (False, True) for c in (False, True)]
    offers += [dict(client_max_window_bits=True)]
    for bits in range(9, 16):
        offers += [dict(server_max_window_bits=bits), dict(client_max_window_bits=bits),
                   dict(server_max_window_bits=bits, client_max_window_bits=bits)]
    for offer in offers:
        async with open_with(**offer) as ws:
            [extension] = ws.protocol.extensions
            agreed = (
                extension.remote_no_context_takeover, extension.local_no_context_takeover,
                extension.remote_max_window_bits, extension.local_max_window_bits,
            )
            assert agreed == expected(**offer), (offer, agreed)
            await messages(ws)
            await echo(ws, JSON)
    await refused("/elsewhere", 426)
    print(f"websockets: {len(offers) + 1} settings, all as expected")


asyncio.run(asyncio.wait_for(main(), 120))
