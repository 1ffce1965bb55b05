"""Python's `aiohttp` against our echo, which has the same `TAKEOVER` and `WINDOW_BITS`: `aiohttp_client.py ws://HOST:PORT/ws`."""

import asyncio
import json
import sys

from aiohttp import ClientSession, TCPConnector, WSMsgType, WSServerHandshakeError

from agreement import SIMILAR, Counted, answer, check

URL = sys.argv[1]
JSON = json.dumps([{"id": id, "name": f"user {id % 7}", "active": True} for id in range(500)])


async def messages(ws):
    for text in ["hello", "grüße 🌍", "", "x" * (1 << 20), JSON, JSON]:
        await ws.send_str(text)
        assert await ws.receive_str() == text
    for data in [b"", b"\x00\x01\xff", b"\x07" * (1 << 20)]:
        await ws.send_bytes(data)
        assert await ws.receive_bytes() == data


async def main():
    sockets = []

    def counted(address):
        sockets.append(Counted(*address[:3]))
        sockets[-1].setblocking(False)
        return sockets[-1]

    async with ClientSession(connector=TCPConnector(socket_factory=counted)) as session:
        # 0: no compression; otherwise the server's window, and the client's is offered to be limited.
        for compress in [0, *range(9, 16)]:
            async with session.ws_connect(URL, compress=compress, max_msg_size=64 << 20) as ws:
                # There is no public way to the response.
                agreed = ws._response.headers.get("Sec-WebSocket-Extensions")
                bits = compress if compress < 15 else None
                assert agreed == (answer(server_max_window_bits=bits) if compress else None), (compress, agreed)
                assert bool(ws.compress) == bool(compress) and ws.protocol is None
                sent, received = sockets[-1].sent, sockets[-1].received
                for text in SIMILAR:
                    await ws.send_str(text)
                    assert await ws.receive_str() == text
                if compress:
                    total = sum(map(len, SIMILAR))
                    check("client", agreed, (sockets[-1].sent - sent) / total)
                    check("server", agreed, (sockets[-1].received - received) / total)
                await messages(ws)
        for code, reason in [(1000, b""), (1001, b"leaving"), (3000, b"three thousand"), (4999, "é".encode() * 61)]:
            async with session.ws_connect(URL, autoping=False) as ws:
                await ws.ping(b"there?")
                pong = await ws.receive()
                assert (pong.type, bytes(pong.data)) == (WSMsgType.PONG, b"there?"), pong
                await ws.close(code=code, message=reason)
                assert ws.close_code == code, ws.close_code
        for headers, status in [({"Sec-WebSocket-Version": "12"}, 426), ({"Sec-WebSocket-Key": "short"}, 400)]:
            async with session.get(URL.replace("ws://", "http://"), headers={
                "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers,
            }) as response:
                assert response.status == status, response
        try:
            await session.ws_connect(URL.replace("/ws", "/elsewhere"))
            raise AssertionError("the handshake was accepted")
        except WSServerHandshakeError as error:
            assert error.status == 426, error
    print("aiohttp: 8 settings, all as expected")


asyncio.run(asyncio.wait_for(main(), 120))
