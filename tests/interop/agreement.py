"""What must come of an offer to our echo, and how it shows on the wire."""

import hashlib
import os
import re
import socket

TAKEOVER = os.environ.get("TAKEOVER") == "1"
WINDOW_BITS = int(os.environ.get("WINDOW_BITS", 15))

# 1400 characters that do not compress well alone. With this and an id, messages shrink to almost nothing where the
# compressor sees the one before: where it keeps its context, and has a window of 2 KiB or more.
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa".split()
TEXT = " ".join(WORDS[int(digit, 16)] for id in range(4) for digit in hashlib.sha256(str(id).encode()).hexdigest())
SIMILAR = [f"{id}: {TEXT}" for id in range(100)]


def answer(server_no_context_takeover=False, client_no_context_takeover=False, server_max_window_bits=None, client_max_window_bits=True):
    """The header with which an echo that has our TAKEOVER and WINDOW_BITS answers this offer."""
    parameters = ["permessage-deflate"]
    if server_no_context_takeover or not TAKEOVER:
        parameters.append("server_no_context_takeover")
    if client_no_context_takeover or not TAKEOVER:
        parameters.append("client_no_context_takeover")
    if server_max_window_bits or WINDOW_BITS < 15:
        parameters.append(f"server_max_window_bits={min(WINDOW_BITS, server_max_window_bits or 15)}")
    # Without a wish of its own the server leaves the window to the client, and it may not tell one that did not ask.
    if client_max_window_bits and WINDOW_BITS < 15:
        hint = 15 if client_max_window_bits is True else client_max_window_bits
        parameters.append(f"client_max_window_bits={min(WINDOW_BITS, hint)}")
    return "; ".join(parameters)


def check(side, agreed, ratio, own_bits=15):
    """Whether the similar messages of this side took as many bytes on the wire as its context allows."""
    bits = min(own_bits, int((re.search(f"{side}_max_window_bits=(\\d+)", agreed) or [0, 15])[1]))
    if f"{side}_no_context_takeover" not in agreed and bits >= 11:
        least, most = 0, 0.1
    else:
        least, most = 0.12, 0.8
    assert least < ratio < most, f"the {side} compressed to {ratio:.2f} with {agreed}"


class Counted(socket.socket):
    """A socket that knows how many bytes went through it."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.sent = self.received = 0

    def send(self, data, *arguments):
        count = super().send(data, *arguments)
        self.sent += count
        return count

    def sendmsg(self, buffers, *arguments):
        count = super().sendmsg(buffers, *arguments)
        self.sent += count
        return count

    def recv(self, *arguments):
        data = super().recv(*arguments)
        self.received += len(data)
        return data

    def recv_into(self, *arguments):
        count = super().recv_into(*arguments)
        self.received += count
        return count
