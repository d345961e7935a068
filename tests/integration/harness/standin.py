# SPDX-License-Identifier: PostgreSQL
"""A stand-in for a server that speaks PostgreSQL's protocol and is not
PostgreSQL: a proxy before a real PostgreSQL that reads each query, answers for
itself what the other server answers differently, and passes on the rest.

It is no emulator. It knows the answers that were recorded (harness/dsql.py,
harness/engines.py say whose) and nothing of the other server's innards.

    standin = Dsql(postgres, database)
    daemon = start_daemon(..., "--database-url", standin.url)
    standin.after(r"CREATE TABLE b", daemon.kill)
    ...
    standin.sent      all statements, in order
    standin.stop()
"""

import re
import socket
import struct
import threading

from harness.process import free_port

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102

TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"
    |\$([A-Za-z_]*)\$.*?\$\1\$|;|[^;'"$/-]+|.""", re.DOTALL | re.VERBOSE)


def split(text):
    """The statements of a query string."""
    statements, now = [], ""
    for token in TOKEN.finditer(text):
        if token[0] == ";":
            statements.append(now)
            now = ""
        else:
            now += token[0]
    return [s.strip() for s in statements + [now] if s.strip()]


def bare(statement):
    """Without comments, on one line."""
    kept = "".join(t[0] for t in TOKEN.finditer(statement)
                   if not t[0].startswith(("--", "/*")))
    return " ".join(kept.split())


class Refused(Exception):
    def __init__(self, sqlstate, message):
        super().__init__(message)
        self.sqlstate = sqlstate

    def as_query(self):
        """So that the server behind raises it, in whatever transaction."""
        message = str(self).replace("'", "''")
        return (f"DO $standin$ BEGIN RAISE EXCEPTION USING MESSAGE ="
                f" '{message}', ERRCODE = '{self.sqlstate}'; END $standin$")


class Closed(Exception):
    pass


class Answer(Exception):
    """Rows and a tag that the stand-in gives without asking the server."""

    def __init__(self, tag, column, values):
        super().__init__(tag)
        self.tag, self.column, self.values = tag, column, values


def message(kind, payload):
    return kind + struct.pack("!I", len(payload) + 4) + payload


class Session:
    """One client, one session of the server behind."""

    def __init__(self, standin, client):
        self.standin, self.client = standin, client
        self.server = socket.create_connection(standin.upstream)
        self.state = b"I"  # as ReadyForQuery says: I, T, E
        self.facts = {}  # for the kind of stand-in
        self.failed = False  # the last query

    # -- bytes --------------------------------------------------------------

    @staticmethod
    def _exactly(sock, n):
        data = b""
        while len(data) < n:
            chunk = sock.recv(n - len(data))
            if not chunk:
                raise Closed
            data += chunk
        return data

    def _message(self, sock):
        head = self._exactly(sock, 5)
        return head[:1], self._exactly(
            sock, struct.unpack("!I", head[1:])[0] - 4)

    def _startup(self):
        while True:
            length = struct.unpack("!I", self._exactly(self.client, 4))[0]
            payload = self._exactly(self.client, length - 4)
            code = struct.unpack("!I", payload[:4])[0]
            packet = struct.pack("!I", length) + payload
            if code in (SSL_REQUEST, GSS_REQUEST):
                self.client.sendall(b"N")
                continue
            if code != CANCEL_REQUEST:
                self._greet()
            self.server.sendall(packet)
            if code == CANCEL_REQUEST:
                raise Closed
            return

    def _greet(self):
        """Let it in, or say why not."""
        refusal = self.standin.greeted()
        if refusal:
            fields = b"".join(k + v.encode() + b"\0" for k, v in refusal)
            self.client.sendall(message(b"E", fields + b"\0"))
            raise Closed

    def pump(self):
        """Pass on what the server says, up to where it is the client's turn."""
        self.failed = False
        while True:
            kind, payload = self._message(self.server)
            if kind == b"S":
                payload = self.standin.parameter(payload)
            self.failed |= kind == b"E"
            if kind == b"Z":
                self.state = payload
                self.standin.answered(self)
            self.client.sendall(message(kind, payload))
            if kind in b"ZG":
                return

    def ask(self, sql):
        """For the stand-in's own use: the client sees nothing of it."""
        self.server.sendall(message(b"Q", sql.encode() + b"\0"))
        while self._message(self.server)[0] != b"Z":
            pass

    def answer(self, answer):
        column = answer.column.encode() + b"\0"
        out = b""
        if answer.values is not None:
            out += message(b"T", struct.pack("!H", 1) + column + struct.pack(
                "!IHIhih", 0, 0, 25, -1, -1, 0))
            for value in answer.values:
                out += message(b"D", struct.pack("!HI", 1, len(value))
                               + value.encode())
        out += message(b"C", answer.tag.encode() + b"\0")
        self.failed = False
        self.standin.answered(self)
        self.client.sendall(out + message(b"Z", self.state))

    # -- queries ------------------------------------------------------------

    def _query(self, text, forward):
        self.standin.sent.append(text)
        self.standin.fire("before", text)
        try:
            changed = self.standin.query(self, text)
        except Answer as answer:
            self.answer(answer)
            self.standin.fire("after", text)
            return
        except Refused as refused:
            self.standin.refusals.append((text, str(refused)))
            changed = refused.as_query()
        if changed == text:
            self.server.sendall(forward)
        else:
            self.server.sendall(message(b"Q", changed.encode() + b"\0"))
        # what is done is done, whether the client lives to hear of it or not
        try:
            self.pump()
        finally:
            self.standin.fire("after", text)

    def _loop(self):
        batch = b""
        text = None
        while True:
            kind, payload = self._message(self.client)
            raw = message(kind, payload)
            if kind == b"Q":
                self._query(payload[:-1].decode(), raw)
            elif kind == b"P":
                batch, text = raw, payload.split(b"\0")[1].decode()
            elif kind == b"S" and text is not None:
                self._query(text, batch + raw)
                text = None
            elif text is not None:
                batch += raw
            else:
                self.server.sendall(raw)
                if kind == b"X":
                    raise Closed
                if kind in b"cf":
                    self.pump()

    def run(self):
        try:
            self._startup()
            self.pump()
            self.standin.connected(self)
            self._loop()
        except (Closed, OSError):
            pass
        finally:
            self.close()

    def close(self):
        for sock in (self.client, self.server):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()


class StandIn:
    """Subclasses say what is different: query() gives the SQL to pass on, or
    raises Refused or Answer."""

    def __init__(self, postgres, database):
        self.upstream = ("127.0.0.1", postgres.port)
        self.database = database
        self.port = free_port()
        self.sent, self.refusals, self.violations = [], [], []
        self.connections = 0
        self._hooks = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return (f"postgresql://postgres@127.0.0.1:{self.port}"
                f"/{self.database.name}")

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=Session(self, client).run,
                             daemon=True).start()

    def stop(self):
        self._listener.close()

    # -- for tests ------------------------------------------------------------

    def before(self, pattern, function):
        self._hooks.append(("before", re.compile(pattern), function))

    def after(self, pattern, function):
        """Once, when a query that matches has been answered."""
        self._hooks.append(("after", re.compile(pattern), function))

    def fire(self, when, text):
        with self._lock:
            due = [h for h in self._hooks if h[0] == when and h[1].search(text)]
            for hook in due:
                self._hooks.remove(hook)
        for _, _, function in due:
            function()

    # -- for the kinds --------------------------------------------------------

    def greeted(self):
        """The fields of an error, to let nobody in."""
        return None

    def connected(self, session):
        pass

    def query(self, session, text):
        raise NotImplementedError

    def answered(self, session):
        pass

    def parameter(self, payload):
        return payload
