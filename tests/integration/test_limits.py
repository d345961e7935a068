# SPDX-License-Identifier: PostgreSQL
"""Clients that are slow or many: deadlines, places, and what waits."""

import concurrent.futures
import contextlib
import socket
import time

import pytest

from harness.daemon import Daemon
from harness.folder import tables
from harness.http import request
from harness.probes import assert_prompt
from harness.process import free_port
from harness.wait import wait_until

JSON = "Content-Type: application/json"

def closed_within(sock, seconds):
    sock.settimeout(seconds)
    try:
        while sock.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except ConnectionError:
        return True


@pytest.fixture
def impatient(serve, drizzle):
    return serve(drizzle(tables(1)), options={"request_timeout": "1s"})


@pytest.mark.parametrize("opening", [
    b"", b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
    request("POST", "/apply", [JSON, "Content-Length: 100"], b"{"),
], ids=["silent", "slow-header", "slow-body"])
def test_slow_request_is_cut_off(impatient, opening):
    with impatient.socket() as sock:
        sock.sendall(opening)
        started = time.monotonic()
        # one byte now and then: activity must not put the deadline off
        while time.monotonic() - started < 15:
            try:
                if opening:
                    sock.sendall(b" ")
            except OSError:
                break
            if closed_within(sock, 0.25):
                break
        else:
            raise AssertionError("still open after 15 s")
    assert impatient.get("/livez").status == 200


def test_deadline_does_not_cut_a_waiting_apply(serve, drizzle):
    daemon = serve(drizzle([("0000_slow", "SELECT pg_sleep(3);")]),
                   options={"request_timeout": "1s"})
    assert daemon.apply().status == 200


def test_flood_of_connections(impatient):
    """More connections than there are places; afterwards there is room
    again, although every place was taken at one moment."""
    held = []
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            try:
                sock = socket.create_connection(
                    (impatient.host, impatient.port), 1)
            except OSError:
                if len(held) > 256:
                    break
                continue  # the daemon had no time to accept
            held.append(stack.enter_context(sock))
        assert len(held) > 256
        # all places are taken by clients that say nothing: the deadline
        # frees them
        wait_until(lambda: impatient.get("/livez", timeout=2).status == 200,
                   20, 0.1, "a real request gets in")
    for _ in range(3):
        wait_until(lambda: impatient.get("/livez", timeout=2).status == 200,
                   20, 0.1, "accepting after the flood")


def test_probes_have_a_door_of_their_own(serve, drizzle):
    probe_port = free_port()
    daemon = serve(drizzle(tables(1)), "--probe-listen",
                   f"127.0.0.1:{probe_port}")
    probe = Daemon(daemon.directory / "probe")
    probe.port = probe_port
    daemon.wait_verdict("pending")
    for path in ("/livez", "/readyz", "/metrics"):
        assert probe.get(path).status == 200
    assert probe.get("/current").status == 503
    assert probe.get("/status").status == 404
    assert probe.apply().status in (404, 405)
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            for _ in range(400):
                stack.enter_context(socket.create_connection(
                    (daemon.host, daemon.port), 0.5))
        assert_prompt(probe, 1, "/livez")


def test_many_waiting_callers_leave_room_for_status(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]))
    with concurrent.futures.ThreadPoolExecutor(230) as pool, gate:
        waiting = [pool.submit(daemon.apply) for _ in range(230)]
        wait_until(lambda: daemon.status()["run"]["callers"] > 100)
        gate.open()
        answers = [w.result() for w in waiting]
    assert {a.status for a in answers} <= {200, 429}
    assert sum(a.status == 200 for a in answers) > 100
    assert all("Retry-After" in a.headers for a in answers
               if a.status == 429)


def test_caller_that_hangs_up_does_not_stop_the_run(serve, drizzle, database,
                                                    gate):
    daemon = serve(drizzle([("0000_slow", "CREATE TABLE slow (id int);"
                                          + gate.sql)]))
    with daemon.socket() as sock:
        sock.sendall(request("POST", "/apply", ["Content-Length: 0"]))
        gate.wait()
    gate.open()
    daemon.wait_verdict("current")
    assert database.has_table("slow")
