# SPDX-License-Identifier: PostgreSQL
"""How fast it answers whatever else goes on."""

import statistics
import time

USUAL_SECONDS = 0.050
PROBE_SECONDS = 1  # what Kubernetes waits by default


def assert_prompt(daemon, seconds, *paths):
    """Over that time each path is answered with 200, half of the answers in
    milliseconds, and all before a probe gives up: other tests share the
    processor."""
    took = {path: [] for path in paths}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for path in paths:
            got = daemon.get(path)
            assert got.status == 200, (path, got)
            assert got.seconds < PROBE_SECONDS, (path, got)
            took[path].append(got.seconds)
    usual = {path: statistics.median(all_) for path, all_ in took.items()}
    assert max(usual.values()) < USUAL_SECONDS, usual
