# SPDX-License-Identifier: PostgreSQL
"""Reading what a socket gave back, byte by byte."""

import json
import re

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n")


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


def parse(received, head=False):
    """All answers of a connection in order. Raises when the bytes are not a
    sequence of well-formed HTTP/1.1 answers."""
    answers = []
    while received:
        match = _STATUS.match(received)
        assert match, f"not an answer: {received[:200]!r}"
        block, separator, received = received.partition(b"\r\n\r\n")
        assert separator, f"an answer without an end: {block!r}"
        headers = {}
        for line in block.split(b"\r\n")[1:]:
            name, colon, value = line.partition(b":")
            assert colon, f"not a header: {line!r}"
            key = name.decode("ascii").lower()
            assert key not in headers, f"{key} twice: {block!r}"
            headers[key] = value.strip().decode("latin-1")
        status = int(match.group(1))
        if head or status in (204, 304) or status < 200:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, received = _chunked(received)
        else:
            size = int(headers.get("content-length", len(received)))
            assert len(received) >= size, "a body cut short"
            body, received = received[:size], received[size:]
        answers.append(Answer(status, headers, body))
    return answers


def _chunked(received):
    body = b""
    while True:
        line, _, received = received.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        if size == 0:
            return body, received.partition(b"\r\n")[2]
        body, received = body + received[:size], received[size + 2:]


def request(method="GET", target="/status", headers=(), body=b"",
            host="127.0.0.1", version="HTTP/1.1", close=True):
    """A request as bytes; `headers` are raw lines, `host` None leaves it
    out. `close` asks for the end of the connection, so that a reader knows
    when all is there."""
    def raw(text):
        return text if isinstance(text, bytes) else text.encode("latin-1")

    lines = [b" ".join([raw(method), raw(target), raw(version)])]
    if host is not None:
        lines.append(b"Host: " + raw(host))
    lines += [raw(h) for h in headers]
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + raw(body)
