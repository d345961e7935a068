# SPDX-License-Identifier: PostgreSQL
"""Requests that no honest client sends, and honest mistakes: each has one
clear answer (or the connection closed), and the daemon goes on."""

import contextlib
import socket
from typing import NamedTuple

import pytest

from harness.daemon import Daemon
from harness.folder import drizzle_folder, tables
from harness.http import parse, request
from harness.postgres import Postgres

JSON = "Content-Type: application/json"


class Bad(NamedTuple):
    name: str
    data: bytes
    status: object          # a number, or several, or None: closed unanswered
    check: object = None    # further things to look at in the answer
    ours: bool = True       # False: libmicrohttpd answers this by itself


def sized(body, *headers):
    return [JSON, f"Content-Length: {len(body)}", *headers]


def post(body, *headers, target="/apply"):
    if isinstance(body, str):
        body = body.encode()
    return request("POST", target, sized(body, *headers), body)


def header(name, *words):
    def check(answer):
        for word in words:
            assert word in answer.headers[name], answer
    return check


def closes(answer):
    assert answer.headers.get("connection", "").lower() == "close", answer


def says(*words):
    def check(answer):
        for word in words:
            assert word in answer.body.decode(), answer
    return check


def hides(word):
    def check(answer):
        assert word not in answer.body.decode("latin-1"), answer
    return check


GET_LIVEZ = request("GET", "/livez")
SMUGGLED = request("POST", "/apply", ["Content-Length: 0"])
TWO = (400, 404)
DEEP = b"[" * 60_000

BAD = [
    # framing: nothing behind these may be taken for a second request
    Bad("two different content lengths",
        request("POST", "/reload", [JSON, "Content-Length: 5",
                                    "Content-Length: 6"],
                b"helloX", close=False) + SMUGGLED, 400, closes),
    Bad("two equal content lengths",
        request("POST", "/reload", [JSON, "Content-Length: 2",
                                    "Content-Length: 2"],
                b"{}", close=False) + SMUGGLED, 400, closes),
    Bad("content length and chunked",
        request("POST", "/reload",
                [JSON, "Content-Length: 5", "Transfer-Encoding: chunked"],
                b"0\r\n\r\n", close=False) + SMUGGLED, 400, closes),
    Bad("chunked twice",
        request("POST", "/reload", [JSON, "Transfer-Encoding: chunked",
                                    "Transfer-Encoding: chunked"],
                b"0\r\n\r\n", close=False) + SMUGGLED, 400, closes),
    Bad("unknown transfer encoding",
        request("POST", "/reload", [JSON, "Transfer-Encoding: xchunked"],
                b"0\r\n\r\n", close=False) + SMUGGLED, (400, 411, 501)),
    Bad("content length is no number",
        request("POST", "/reload", [JSON, "Content-Length: five"], b"hello"),
        400, ours=False),
    Bad("negative content length",
        request("POST", "/reload", [JSON, "Content-Length: -5"], b"hello"),
        400, ours=False),
    Bad("content length with a sign",
        request("POST", "/reload", [JSON, "Content-Length: +2"], b"{}"), 400,
        ours=False),
    Bad("content length beyond 64 bits",
        request("POST", "/reload", [JSON, "Content-Length: " + "9" * 30]),
        (400, 413), ours=False),
    # the request line and the target
    Bad("nul in the target", request("GET", b"/status\0/../x"), (400, None)),
    Bad("percent nul", request("GET", "/status%00/../x"), TWO),
    Bad("percent nul in the query", request("GET", "/runs?limit=%00"), TWO),
    Bad("dot segments", request("GET", "/../../etc/passwd"), TWO),
    Bad("encoded dot segments", request("GET", "/%2e%2e/%2e%2e/etc/passwd"),
        TWO),
    Bad("encoded slash", request("GET", "/runs%2fx"), TWO),
    Bad("double slash", request("GET", "//status"), TWO),
    Bad("backslash", request("GET", "/runs\\x"), TWO),
    Bad("control byte in the target", request("GET", b"/sta\x01tus"),
        (400, 404, None)),
    Bad("high bytes in the target", request("GET", b"/status\xff\xfe"), TWO),
    Bad("broken percent sign", request("GET", "/runs/%zz"), TWO),
    Bad("id with sql", request("GET", "/migrations/0000'%20OR%201=1--"), TWO),
    Bad("target without a slash", request("GET", "status"), TWO),
    Bad("empty target", b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
        (400, 404, 421, None)),
    Bad("target too long", request("GET", "/status?" + "a" * 5000), 414),
    Bad("target far too long", request("GET", "/" + "a" * 60_000),
        (414, 431, None)),
    Bad("http 0.9", b"GET /status\r\n\r\n", (400, None)),
    Bad("http 2.0", request(version="HTTP/2.0"), (400, 505, None)),
    Bad("http 1.0 without a host",
        request(version="HTTP/1.0", host=None), (200, 400)),
    Bad("tls on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"
        + b"\x00" * 200, (400, None)),
    Bad("random bytes", bytes(range(256)) * 4 + b"\r\n\r\n", (400, None)),
    Bad("an smtp client", b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n\r\n",
        (400, None)),
    # methods
    Bad("unknown method", request("BREW"), 501),
    Bad("long method", request("A" * 300), (400, 501, None)),
    Bad("lower case method", request("get"), (400, 501)),
    Bad("delete", request("DELETE"), (405, 501), header("allow", "GET")),
    Bad("post on a reader", request("POST", "/status", ["Content-Length: 0"]),
        405, header("allow", "GET", "HEAD")),
    Bad("get on a writer", request("GET", "/apply"), 405,
        header("allow", "POST")),
    Bad("options", request("OPTIONS", "/apply"), 204, header("allow", "POST")),
    Bad("trace", request("TRACE", "/status", ["X-Secret: s3cret"]),
        (405, 501), hides("s3cret")),
    Bad("connect", request("CONNECT", "example.com:443"),
        (400, 404, 405, 501, 421)),
    Bad("unknown path", request("GET", "/nosuch"), 404),
    # headers
    Bad("no host", request(host=None), 400),
    Bad("two hosts", request(headers=["Host: 127.0.0.1"]), 400),
    Bad("foreign host", request("POST", "/apply", ["Content-Length: 0"],
                                host="evil.example"), 421),
    Bad("foreign host with our port",
        request("POST", "/apply", ["Content-Length: 0"],
                host="evil.example:8432"), 421),
    Bad("host with user", request("POST", "/apply", ["Content-Length: 0"],
                                  host="127.0.0.1@evil.example"), (400, 421)),
    Bad("host that begins like ours",
        request("POST", "/apply", ["Content-Length: 0"],
                host="127.0.0.1.evil.example"), 421),
    Bad("origin of another site",
        request("POST", "/apply", ["Content-Length: 0",
                                   "Origin: https://evil.example"]), 403),
    Bad("origin null", request("POST", "/apply", ["Content-Length: 0",
                                                  "Origin: null"]), 403),
    Bad("header of 40 kB", request(headers=["X: " + "a" * 40_000]),
        (400, 413, 431, None)),
    Bad("thousand headers",
        request(headers=[f"X-{i}: {i}" for i in range(1000)]),
        (200, 400, 431, None)),
    Bad("accept of nothing we have", request(headers=["Accept: image/png"]),
        406),
    Bad("accept refuses everything", request(headers=["Accept: */*;q=0"]),
        406),
    Bad("accept is nonsense", request(headers=["Accept: ;;;,,,q=x"]),
        (200, 400, 406)),
    # bodies
    Bad("form type", request("POST", "/apply", [
        "Content-Type: application/x-www-form-urlencoded",
        "Content-Length: 2"], b"{}"), 415,
        header("accept-post", "application/json")),
    Bad("text type", request("POST", "/apply", ["Content-Type: text/plain",
                                                "Content-Length: 2"], b"{}"),
        415),
    Bad("no type", request("POST", "/apply", ["Content-Length: 2"], b"{}"),
        415),
    Bad("multipart", request("POST", "/apply", [
        "Content-Type: multipart/form-data; boundary=x",
        "Content-Length: 5"], b"--x--"), 415),
    Bad("broken json", post("{"), 400),
    Bad("trailing comma", post('{"target": "x",}'), 400),
    Bad("not an object", post("[]"), 400),
    Bad("a number", post("7"), 400),
    Bad("two documents", post("{}{}"), 400),
    Bad("unknown member", post('{"dry_rum": true}'), 400, says("dry_rum")),
    Bad("wrong type of a member", post('{"target": 7}'), 400, says("target")),
    Bad("duplicate keys", post('{"target": "a", "target": "b"}'), 400),
    Bad("deep json", post(DEEP), 400),
    Bad("json with nul", post(b'{"target": "a\0b"}'), 400),
    Bad("json with an escaped nul", post('{"target": "a\\u0000b"}'),
        (400, 404)),
    Bad("json in utf-16", post('{"target": "a"}'.encode("utf-16")), 400),
    Bad("json not utf-8", post(b'{"target": "\xff"}'), 400),
    Bad("json with nan", post('{"target": NaN}'), 400),
    Bad("path as a target", post('{"target": "../../etc/passwd"}'),
        (400, 404, 422)),
    Bad("very long target", post('{"target": "%s"}' % ("x" * 20_000)),
        (400, 404)),
    Bad("baseline of a list", post('{"version": []}', target="/baseline"),
        400),
    Bad("body of 65 kB", post(b" " * (65 << 10)), 413),
    Bad("body announced as a gigabyte",
        request("POST", "/apply", [JSON, "Content-Length: 1073741824"]), 413),
    Bad("bad prefer", request("POST", "/reload", [
        "Content-Length: 0", "Prefer: wait=soon, ;;=,,"]), (200, 202, 400)),
    Bad("bad limit", request("GET", "/runs?limit=-1"), (200, 400)),
    Bad("limit beyond all", request("GET", "/runs?limit=99999999999999999999"),
        (200, 400)),
    Bad("unknown state", request("GET", "/migrations?state=nosuch"),
        (200, 400)),
    Bad("a member of the body in the query",
        request("POST", "/apply?target=0001", ["Content-Length: 0"]), 400,
        says("target")),
    Bad("dry run in the query",
        request("POST", "/apply?async=1&dry_run=1", ["Content-Length: 0"]),
        400, says("dry_run")),
    Bad("unknown format", request("GET", "/status?format=xml"),
        (200, 400, 406)),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """One daemon on one cluster for the whole table: that it lives through
    all of it is part of the test."""
    base = tmp_path_factory.mktemp("requests")
    cluster = Postgres().start()
    daemon = None
    try:
        database = cluster.createdb()
        folder = drizzle_folder(base / "folder", tables(2))
        daemon = Daemon(base / "d", "--migrations", folder, "--database-url",
                        database.url).start()
        daemon.database = database
        daemon.wait_verdict("pending")
        yield daemon
        daemon.stop()
    finally:
        if daemon is not None:
            daemon.kill()
        cluster.destroy()


def test_the_table_is_long_enough():
    assert len(BAD) >= 30
    assert len({case.name for case in BAD}) == len(BAD)


@pytest.mark.parametrize("case", BAD, ids=lambda c: c.name.replace(" ", "-"))
def test_bad_request(served, case):
    allowed = case.status if isinstance(case.status, tuple) else (case.status,)
    received = served.raw(case.data, timeout=3)
    head = case.data.startswith(b"HEAD")
    if not received:
        assert None in allowed, "closed without an answer"
    elif b"HTTP/1." not in received[:9]:
        assert None in allowed, received[:200]
    elif not case.ours:
        # libmicrohttpd 0.9.75 sends the header block of these twice
        assert int(received[9:12]) in allowed
    else:
        answers = parse(received, head)
        assert len(answers) == 1, f"one request, one answer: {answers}"
        answer = answers[0]
        assert answer.status in allowed, answer
        if case.check:
            case.check(answer)
        if answer.status >= 400 and answer.headers.get(
                "content-type", "").startswith("application/problem+json"):
            document = answer.json()
            assert document["status"] == answer.status
            assert document["title"] and document["detail"]
    assert served.get("/livez").status == 200
    assert served.database.tables() == [], "nothing was run"


@pytest.mark.parametrize("path", ["/status", "/migrations", "/nosuch",
                                  "/runs/x", "/apply", "/livez"])
def test_errors_are_problem_documents(served, path):
    got = served.request("PUT" if path != "/nosuch" else "GET", path)
    assert got.status in (404, 405)
    document = got.problem()
    assert document["type"].count(":") >= 1
    assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_every_answer_has_a_request_id(served):
    first, second = served.get("/livez"), served.get("/nosuch")
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    got = served.get("/status", X_Request_Id="abc-123")
    assert got.headers["X-Request-Id"] == "abc-123"
    got = served.raw(request(headers=["X-Request-Id: a b\tc<script>"]))
    answer = parse(got)[0]
    assert "script" not in str(answer.headers)


def test_no_cors(served):
    got = served.get("/status", Origin="http://127.0.0.1:3000")
    assert not [h for h in got.headers if h.lower().startswith(
        "access-control")]


def test_pipelined_requests_are_answered_in_order(served):
    data = b"".join([request("GET", "/livez", close=False),
                     request("GET", "/nosuch", close=False),
                     request("GET", "/version", close=False),
                     request("GET", "/livez")])
    assert [a.status for a in parse(served.raw(data))] == [200, 404, 200, 200]


def test_fifty_pipelined(served):
    data = request("GET", "/livez", close=False) * 49 + GET_LIVEZ
    assert [a.status for a in parse(served.raw(data))] == [200] * 50


def test_keep_alive(served):
    connection = served.connection()
    for path in ("/livez", "/status", "/nosuch", "/livez"):
        connection.request("GET", path)
        got = connection.getresponse()
        got.read()
        assert got.status in (200, 404)
    connection.close()


def test_chunked_body_is_fine(served):
    got = parse(served.raw(request(
        "POST", "/reload", [JSON, "Transfer-Encoding: chunked"],
        b"2\r\n{}\r\n0\r\n\r\n")))
    assert [a.status for a in got] == [200]


def test_expect_100_continue(served):
    with served.socket() as sock:
        sock.sendall(request("POST", "/reload", [
            JSON, "Content-Length: 2", "Expect: 100-continue"]))
        sock.settimeout(3)
        assert b"100" in sock.recv(4096)
        sock.sendall(b"{}")
        assert b" 200 " in sock.recv(4096)


def test_too_large_upload_is_answered_not_reset(served):
    body = b"{" + b" " * (300 << 10) + b"}"
    answers = parse(served.raw(request(
        "POST", "/apply", sized(body), body), timeout=5))
    assert [a.status for a in answers] == [413]


def test_a_client_that_leaves_early(served):
    for data in (b"", b"GET", b"GET /status HTTP/1.1\r\nHo",
                 request("POST", "/reload", [JSON, "Content-Length: 50"],
                         b"{")):
        for _ in range(20):
            with served.socket() as sock:
                # RST instead of FIN
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                b"\1\0\0\0\0\0\0\0")
                with contextlib.suppress(OSError):
                    sock.sendall(data)
    assert served.get("/livez").status == 200
    answer = parse(served.raw(GET_LIVEZ))[0]
    assert answer.status == 200
