# SPDX-License-Identifier: PostgreSQL
"""Waiting for a condition, never for a time."""

import time


def wait_until(condition, timeout=10.0, interval=0.02, what=None):
    """Call `condition` until it returns something true and return that.

    An AssertionError or OSError raised by the condition counts as "not yet",
    so that a condition may itself consist of requests and asserts.
    """
    deadline = time.monotonic() + timeout
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (AssertionError, OSError) as error:
            last = error
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(
                f"not within {timeout} s: {name} (last: {last!r})")
        time.sleep(interval)
