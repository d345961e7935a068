# SPDX-License-Identifier: PostgreSQL
"""A TCP proxy between daemon and server that breaks where it is told to.

It understands enough of the protocol to break at a message and not at a byte:

    proxy.on("server", "C", rb"^COMMIT", "cut")   the answer to COMMIT is lost
    proxy.on("client", "Q", rb"^COMMIT", "cut")   COMMIT itself is lost
    proxy.stall(); ...; proxy.heal()              nothing moves, nobody closes
"""

import re
import socket
import struct
import threading

from harness.process import free_port

_CHUNK = 65536
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_NEGOTIATIONS = (_SSL_REQUEST, _GSS_REQUEST)


class Rule:
    """What to do at the `nth` message from `side` of kind `kind` (None: any)
    whose payload matches. `hits` is set once it was done."""

    def __init__(self, side, kind, pattern, action, nth):
        self.side, self.kind, self.action = side, kind, action
        self.pattern = re.compile(pattern, re.DOTALL)
        self.left = nth
        self.done = threading.Event()

    def takes(self, side, kind, payload):
        if (self.done.is_set() or side != self.side
                or self.kind not in (None, kind)
                or not self.pattern.search(payload)):
            return False
        self.left -= 1
        if self.left > 0:
            return False
        self.done.set()
        return True

    def wait(self, timeout=20):
        assert self.done.wait(timeout), f"no such message: {self.pattern}"


class Proxy:
    """Listens on a loopback port; each connection is passed on to the server
    until close(), or until something of this breaks it:

    cut()           RST to both sides, now; the server sees the end too
    half_close()    the server's direction ends (FIN to the daemon)
    stall(side)     hold what comes from "client", "server" or both
    drop(side)      read it and throw it away, ever after
    refuse()        new connections are reset
    heal()          end of stall, drop and refuse for new and held bytes
    """

    def __init__(self, port, host="127.0.0.1"):
        self.upstream = (host, port)
        self.port = free_port()
        self.rules = []
        self.connections = []
        self.accepted = 0
        self._lock = threading.Condition()
        self._stalled, self._dropped = set(), set()
        self._refusing = False
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, database, user="postgres"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database.name}"

    # -- what to break ----------------------------------------------------

    def on(self, side, kind, pattern, action, nth=1):
        """Break at a message: `action` is "cut" (the message is lost and both
        sides are reset), "swallow" (it alone is lost), "stall" (it and what
        follows it is held), "cut_after" (it passes, then the daemon's side is
        reset), "half_close", or a function that is called with the
        connection before the message is passed on."""
        rule = Rule(side, kind, pattern, action, nth)
        with self._lock:
            self.rules.append(rule)
        return rule

    def cut(self):
        for connection in list(self.connections):
            connection.cut()

    def half_close(self):
        for connection in list(self.connections):
            connection.half_close()

    def stall(self, *sides):
        with self._lock:
            self._stalled |= set(sides or ("client", "server"))

    def drop(self, side):
        with self._lock:
            self._dropped.add(side)

    def refuse(self):
        self._refusing = True

    def heal(self):
        with self._lock:
            self._refusing = False
            self._stalled.clear()
            self._dropped.clear()
            self.rules.clear()
            self._lock.notify_all()

    def close(self):
        self._closed = True
        # accept() does not return when another thread closes the socket
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.heal()

    # -- for the connections ----------------------------------------------

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            try:
                if self._refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(self.upstream, 10)
                server.settimeout(None)
            except OSError:
                reset(client)
                continue
            self.connections.append(Connection(self, client, server))

    def rule_for(self, side, kind, payload):
        with self._lock:
            return next((rule for rule in self.rules
                         if rule.takes(side, kind, payload)), None)

    def passes(self, side, connection):
        """Wait while `side` is held; whether its bytes are to be passed on."""
        with self._lock:
            self._lock.wait_for(
                lambda: connection.is_cut
                or not (side in self._stalled or connection.is_held))
            return side not in self._dropped and not connection.is_cut


class Connection:
    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.client, self.server = client, server
        self.is_cut = False
        self.is_held = False
        self.negotiations = 0  # answers of one byte that the server owes
        for side, pump in (("client", self._from_client),
                           ("server", self._from_server)):
            threading.Thread(target=self._run, args=(side, pump),
                             daemon=True).start()

    def cut(self):
        self.is_cut = True
        with self.proxy._lock:
            self.proxy._lock.notify_all()
        reset(self.client)
        reset(self.server)
        if self in self.proxy.connections:
            self.proxy.connections.remove(self)

    def half_close(self):
        shutdown(self.client)

    def hold(self):
        """Reset the daemon's side; what it sent last stays on the way until
        release(), and the server does not know that it is gone."""
        self.is_held = True
        reset(self.client)

    def release(self):
        with self.proxy._lock:
            self.is_held = False
            self.proxy._lock.notify_all()

    def _run(self, side, pump):
        reader = Reader(self.client if side == "client" else self.server)
        other = self.server if side == "client" else self.client
        try:
            pump(reader)
        except OSError:
            pass  # the end, as well as an orderly one
        with self.proxy._lock:
            self.proxy._lock.wait_for(lambda: not self.is_held or self.is_cut)
        shutdown(other)

    def _from_client(self, reader):
        while head := reader.take(8):
            size, code = struct.unpack("!II", head)
            body = reader.take(size - 8)
            if code in _NEGOTIATIONS:
                self.negotiations += 1
            self._pass("client", self.server, None, head + body)
            if code not in _NEGOTIATIONS:
                break
        self._messages(reader, "client", self.server)

    def _from_server(self, reader):
        while byte := reader.take(1):
            if not self.negotiations:
                reader.put_back(byte)
                break
            self.negotiations -= 1
            self._pass("server", self.client, None, byte)
        self._messages(reader, "server", self.client)

    def _messages(self, reader, side, other):
        while head := reader.take(5):
            payload = reader.take(struct.unpack("!I", head[1:])[0] - 4)
            self._pass(side, other, chr(head[0]), head + payload, payload)

    def _pass(self, side, other, kind, data, payload=b""):
        rule = kind and self.proxy.rule_for(side, kind, payload)
        action = rule.action if rule else None
        if action == "cut":
            return self.cut()
        if action == "swallow":
            return None
        if action == "half_close":
            return self.half_close()
        if action == "stall":
            self.proxy.stall(side)
        elif callable(action):
            action(self)
        if self.proxy.passes(side, self):
            other.sendall(data)
        if action == "cut_after":
            self.cut()
        return None


class Reader:
    def __init__(self, sock):
        self.sock = sock
        self.held = b""

    def take(self, size):
        """Exactly `size` bytes; b"" at the end of the stream."""
        while len(self.held) < size:
            chunk = self.sock.recv(_CHUNK)
            if not chunk:
                return b""
            self.held += chunk
        data, self.held = self.held[:size], self.held[size:]
        return data

    def put_back(self, data):
        self.held = data + self.held


def shutdown(sock):
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def reset(sock):
    """Close with RST. shutdown first: a thread may be reading from it, and
    the kernel sends nothing while it does."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RD)
    except OSError:
        pass
    sock.close()
