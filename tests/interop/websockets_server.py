"""An echo by Python's `websockets` for one connection: `websockets_server.py SETTINGS EXPECTED`.

SETTINGS are those of its permessage-deflate in JSON (`false`: none), EXPECTED is what must be negotiated. It prints its
URL, and ends with the connection, whose first messages must be those of `agreement.py`.
"""

import asyncio
import json
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from agreement import SIMILAR, check

SETTINGS, EXPECTED = json.loads(sys.argv[1]), sys.argv[2]


async def main():
    over = asyncio.get_running_loop().create_future()

    async def echo(ws):
        try:
            assert ws.response.headers.get("Sec-WebSocket-Extensions", "") == EXPECTED, ws.response.headers
            compressed = {"client": [], "server": []}
            for extension in ws.protocol.extensions:
                watch(extension, compressed)
            messages = []
            async for message in ws:
                await ws.send(message)
                messages.append(message)
            first = len(SIMILAR)
            assert ws.close_code == 1000 and len(messages) > first and messages[:first] == SIMILAR
            for side, sizes in compressed.items():
                assert len(sizes) == (len(messages) if EXPECTED else 0), (side, len(sizes))
                if EXPECTED:
                    check(side, EXPECTED, sum(sizes[:first]) / sum(map(len, SIMILAR)))
            over.set_result(None)
        except BaseException as error:
            over.set_exception(error)
            raise

    extensions = [ServerPerMessageDeflateFactory(**SETTINGS)] if SETTINGS is not False else None
    async with serve(echo, "127.0.0.1", 0, compression=None, extensions=extensions, max_size=64 << 20) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
        await over


def watch(extension, compressed):
    """Notes the sizes of the compressed messages; none here is fragmented."""
    decode, encode = extension.decode, extension.encode

    def watched_decode(frame, **options):
        if frame.rsv1:
            compressed["client"].append(len(frame.data))
        return decode(frame, **options)

    def watched_encode(frame):
        frame = encode(frame)
        if frame.rsv1:
            compressed["server"].append(len(frame.data))
        return frame

    extension.decode, extension.encode = watched_decode, watched_encode


asyncio.run(asyncio.wait_for(main(), 120))
