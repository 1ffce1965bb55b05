# Runs the suite's `wstest` (Python 2.7) with a fuzzing server on a port that the kernel chooses, and prints the port.

import sys

from twisted.internet import reactor

listen = reactor.listenTCP


def listen_on_any_port(_, factory, *arguments, **options):
    port = listen(0, factory, *arguments, **options)
    # The suite compares it with the `Host` of each handshake.
    factory.externalPort = port.getHost().port
    sys.stdout.write("listening on %d\n" % port.getHost().port)
    sys.stdout.flush()
    return port


reactor.listenTCP = listen_on_any_port

from autobahntestsuite.wstest import run  # noqa: E402

run()
