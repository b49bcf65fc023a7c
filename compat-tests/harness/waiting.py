"""Waiting on a condition with a deadline."""

import time


def wait_until(condition, seconds: float, what: str, pause: float = 0.1):
    """Calls `condition` until it gives something true, and returns that; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last: {result!r})")
        time.sleep(pause)
