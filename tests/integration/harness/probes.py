# SPDX-License-Identifier: PostgreSQL
"""How fast it answers whatever else goes on."""

import statistics
import subprocess
import time

USUAL_SECONDS = 0.050
PROBE_SECONDS = 1  # what Kubernetes waits by default
# An answer takes a few turns of the scheduler, as a process that does nothing
TURNS = 4


def _took(act):
    began = time.monotonic()
    act()
    return time.monotonic() - began


def assert_prompt(daemon, seconds, *paths, usual_seconds=USUAL_SECONDS):
    """Over that time each path is answered with 200, half of the answers in
    milliseconds, and all before a probe gives up but two. On a machine that is
    busy with other things, of which a process that does nothing tells, they
    take as much longer as that does."""
    took = {path: [] for path in paths}
    idle = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or len(idle) < 20:
        idle.append(_took(lambda: subprocess.run(["true"], check=True)))
        for path in paths:
            got = daemon.get(path)
            assert got.status == 200, (path, got)
            took[path].append(got.seconds)
    limit = max(usual_seconds, TURNS * statistics.median(idle))
    usual = {path: statistics.median(all_) for path, all_ in took.items()}
    assert max(usual.values()) < limit, (usual, limit)
    limit = max(PROBE_SECONDS, TURNS * max(idle))
    slow = [one for all_ in took.values() for one in all_ if one >= limit]
    assert len(slow) <= 2, (slow, limit)
