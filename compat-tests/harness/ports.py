"""Free TCP ports below the ephemeral range, so that no outgoing connection takes one between choice and use."""

import itertools
import os
import re
import socket

_WORKER = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
_candidates = itertools.count(20000 + _WORKER * 1000 + os.getpid() % 500)


def free_port() -> int:
    """The next port of this test process's own range that nobody listens on."""
    for port in _candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("unreachable: the counter does not end")
