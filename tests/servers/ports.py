"""Ports of loopback for servers of tests."""

import random
import socket


def free_port(*taken: int) -> int:
    """A port that nobody has now, none of those ``taken``.

    It lies below the range from which the system takes ports for outgoing connections and for who asks for any: a
    server needs seconds to begin, and until then none of those can get it.
    """
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in taken:
                return port
