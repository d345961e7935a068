# SPDX-License-Identifier: PostgreSQL
"""The service manager's side: notification datagrams, the watchdog and
sockets that are handed over; tested without systemd, by its protocol."""

import os
import signal
import socket
import subprocess

import pytest

from harness.daemon import Daemon, binary, environment
from harness.folder import tables
from harness.process import die_with_parent, free_port
from harness.wait import wait_until


class Manager:
    """The receiving end of $NOTIFY_SOCKET."""

    def __init__(self, address):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.sock.setblocking(False)
        self.received = []

    def lines(self):
        while True:
            try:
                datagram = self.sock.recv(4096).decode()
            except BlockingIOError:
                break
            self.received += datagram.splitlines()
        return self.received

    def wait_for(self, start, timeout=10):
        return wait_until(
            lambda: [line for line in self.lines() if line.startswith(start)],
            timeout, what=f"a datagram {start}")

    def close(self):
        self.sock.close()


@pytest.fixture
def manager(workdir):
    made = Manager(str(workdir / "notify"))
    made.env = {"NOTIFY_SOCKET": str(workdir / "notify")}
    yield made
    made.close()


def test_ready_status_stopping(serve, drizzle, manager):
    daemon = serve(drizzle(tables(2)), env=manager.env)
    manager.wait_for("READY=1")
    manager.wait_for("STATUS=")
    assert manager.received.count("READY=1") == 1
    daemon.apply()
    wait_until(lambda: any("current" in line.lower() or "applied" in
                           line.lower() for line in manager.lines()
                           if line.startswith("STATUS=")), 5)
    daemon.stop()
    manager.wait_for("STOPPING=1")


def test_ready_only_when_it_answers(serve, drizzle, manager):
    daemon = serve(drizzle(tables(1)), env=manager.env, wait=False)
    manager.wait_for("READY=1", timeout=20)
    assert daemon.get("/livez").status == 200


def test_abstract_socket(serve, drizzle):
    name = f"migrationd-test-{os.getpid()}"
    manager = Manager("\0" + name)
    try:
        serve(drizzle([]), env={"NOTIFY_SOCKET": "@" + name})
        manager.wait_for("READY=1")
    finally:
        manager.close()


def test_reloading(serve, drizzle, manager):
    daemon = serve(drizzle([]), env=manager.env, options={"lock_wait": "9s"})
    manager.wait_for("READY=1")
    daemon.signal(signal.SIGHUP)
    manager.wait_for("RELOADING=1")
    stamp = manager.wait_for("MONOTONIC_USEC=")[0]
    assert int(stamp.partition("=")[2]) > 0
    wait_until(lambda: manager.lines().count("READY=1") == 2, 5)


def test_status_names_the_migration(serve, drizzle, manager, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]), env=manager.env)
    daemon.apply(Prefer="respond-async")
    wait_until(lambda: any("0000_slow" in line for line in manager.lines()
                           if line.startswith("STATUS=")))


def test_watchdog_turns_with_the_loop(serve, drizzle, manager, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]),
                   env={**manager.env, "WATCHDOG_USEC": "400000"})
    daemon.apply(Prefer="respond-async")
    gate.wait()
    before = manager.lines().count("WATCHDOG=1")
    wait_until(lambda: manager.lines().count("WATCHDOG=1") >= before + 4)
    gate.open()
    daemon.wait_verdict("current")


def test_watchdog_of_another_process(serve, drizzle, manager):
    serve(drizzle([]), env={**manager.env, "WATCHDOG_USEC": "100000",
                            "WATCHDOG_PID": "1"})
    manager.wait_for("READY=1")
    wait_until(lambda: "STATUS" in " ".join(manager.lines()), 5)
    assert "WATCHDOG=1" not in manager.lines()


def test_a_dead_manager_does_no_harm(serve, drizzle, workdir):
    daemon = serve(drizzle([]), env={
        "NOTIFY_SOCKET": str(workdir / "nobody")})
    assert daemon.get("/livez").status == 200


def activated(workdir, drizzle, database, sockets, names=None):
    """Start with inherited sockets from descriptor 3 on, as systemd does;
    LISTEN_PID needs the child's own pid, which only a shell can say."""
    command = ('export LISTEN_PID=$$; exec "$0" "$@"')
    env = environment({"LISTEN_FDS": len(sockets)})
    if names:
        env["LISTEN_FDNAMES"] = names
    targets = range(3, 3 + len(sockets))
    copies = [os.dup2(s.fileno(), 200 + i) for i, s in enumerate(sockets)]

    def in_child():
        die_with_parent()()
        for copy, target in zip(copies, targets):
            os.dup2(copy, target)
            os.set_inheritable(target, True)

    daemon = Daemon(workdir / "activated", listen=None)
    daemon.port = sockets[0].getsockname()[1] \
        if sockets[0].family == socket.AF_INET else None
    with open(daemon.stderr_path, "ab") as stderr:
        daemon.process = subprocess.Popen(
            ["/bin/sh", "-c", command, str(binary()), "--migrations",
             str(drizzle(tables(1))), "--database-url", database.url,
             "--log-format", "json"],
            env=env, stderr=stderr, stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, preexec_fn=in_child, close_fds=False)
    for copy in copies:
        os.close(copy)
    return daemon


def listening():
    sock = socket.create_server(("127.0.0.1", 0))
    return sock


def test_socket_activation(workdir, drizzle, database):
    sock = listening()
    daemon = activated(workdir, drizzle, database, [sock])
    try:
        # the socket is open before the daemon is: the first request waits
        assert daemon.get("/livez", timeout=20).status == 200
        assert daemon.apply().status == 200
        daemon.stop()
    finally:
        daemon.kill()
        sock.close()


def test_socket_activation_with_a_probe_listener(workdir, drizzle, database):
    api, probe = listening(), listening()
    daemon = activated(workdir, drizzle, database, [api, probe],
                       "api:metrics")
    try:
        assert daemon.get("/status", timeout=20).status == 200
        daemon.port = probe.getsockname()[1]
        assert daemon.get("/metrics").status == 200
        assert daemon.get("/status").status == 404
        daemon.stop()
    finally:
        daemon.kill()
        api.close()
        probe.close()


def test_sockets_of_another_process_are_not_ours(start_daemon, drizzle,
                                                 database):
    daemon = start_daemon("--migrations", drizzle([]), "--database-url",
                          database.url,
                          env={"LISTEN_FDS": "1", "LISTEN_PID": "1"},
                          listen=f"127.0.0.1:{free_port()}")
    assert daemon.get("/livez").status == 200
