# SPDX-License-Identifier: PostgreSQL
"""Webhooks, received by a server that verifies them as Standard Webhooks 1.0
says."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import daemon as daemon_module
from harness.daemon import config_text
from harness.folder import tables
from harness.wait import wait_until

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
PATH_SECRET = "hunter2-in-the-path"


def secret_of(key):
    return "whsec_" + base64.b64encode(key).decode()


def write_secret(path, text):
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


class Receiver:
    """An HTTP server on a port of its own; answers with `status`, or what
    `answers` still holds. `hang` keeps a request waiting for ever."""

    def __init__(self, tls=None):
        receiver = self
        self.messages = []
        self.answers = []
        self.status = 204
        self.headers = {}
        self.body = b""
        self.hang = threading.Event()
        self.release = threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                receiver.messages.append((self.path, self.headers, body))
                if receiver.hang.is_set():
                    receiver.release.wait(60)
                status = (receiver.answers.pop(0) if receiver.answers
                          else receiver.status)
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(receiver.body)))
                self.end_headers()
                try:
                    self.wfile.write(receiver.body)
                except OSError:
                    pass

            def do_GET(self):
                receiver.messages.append((self.path, self.headers, b"GET"))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket,
                                                 server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever,
                                       kwargs={"poll_interval": 0.05})
        self.thread.start()

    def url(self, path="/hook", scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def types(self):
        return [json.loads(body)["type"] for _, _, body in self.messages]


def verify(message, *keys):
    """As a receiver does it; the document."""
    _, headers, body = message
    sent_at = int(headers["webhook-timestamp"])
    assert abs(time.time() - sent_at) < 300
    content = (headers["webhook-id"] + "." + headers["webhook-timestamp"]
               + ".").encode() + body
    given = [part.split(",", 1)
             for part in headers["webhook-signature"].split(" ")]
    assert all(version == "v1" for version, _ in given)
    for key in keys:
        expected = base64.b64encode(
            hmac.new(key, content, hashlib.sha256).digest()).decode()
        assert any(hmac.compare_digest(expected, signature)
                   for _, signature in given)
    assert headers["Content-Type"] == "application/json"
    assert len(body) < 20_000
    return json.loads(body)


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def signed(workdir):
    return write_secret(workdir / "webhook-secret", secret_of(KEY))


def metric(daemon, name):
    for line in daemon.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(name)


def logged(daemon, message):
    return [line for line in daemon.log_lines() if line["message"] == message]


def test_a_run_is_told(serve, drizzle, receiver, signed):
    daemon = serve(drizzle(tables(2)), options={
        "webhook_url": [receiver.url()], "webhook_secret_file": signed,
        "instance": "web-1"})
    run = daemon.apply().json()
    wait_until(lambda: len(receiver.messages) == 2)
    started, ended = (verify(m, KEY) for m in receiver.messages)
    assert started["type"] == "migration.run.started"
    assert started["data"]["run"] == run["id"]
    assert started["data"]["planned"] == 2
    assert ended["type"] == "migration.run.succeeded"
    assert ended["data"]["applied"] == 2
    assert ended["data"]["migrations"] == [m["id"] for m in run["applied"]]
    assert ended["data"]["instance"] == "web-1"
    assert ended["data"]["error"] is None
    ids = {m[1]["webhook-id"] for m in receiver.messages}
    assert len(ids) == 2
    wait_until(lambda: metric(daemon, "migrationd_notifications_total") == 2)
    assert metric(daemon, "migrationd_notification_failures_total") == 0
    assert metric(daemon, "migrationd_notifications_waiting") == 0
    # nothing to do is no news
    assert daemon.apply().status == 200
    daemon.stop()
    assert len(receiver.messages) == 2


def test_a_failure_is_told_without_rows(serve, sequence, receiver, signed):
    daemon = serve(sequence({
        "0001_a.sql": "CREATE TABLE a (id int UNIQUE);\n"
                      "INSERT INTO a VALUES (4711);\n",
        "0002_b.sql": "INSERT INTO a VALUES (4711);\n"}),
        options={"webhook_url": [receiver.url()],
                 "webhook_secret_file": signed})
    assert daemon.apply().status == 422
    wait_until(lambda: len(receiver.messages) == 2)
    failed = verify(receiver.messages[1], KEY)
    assert failed["type"] == "migration.run.failed"
    assert failed["data"]["error"]["sqlstate"] == "23505"
    assert failed["data"]["error"]["migration"].startswith("0002")
    assert "4711" not in receiver.messages[1][2].decode()


def test_every_receiver_is_told(serve, drizzle, receiver, signed):
    other = Receiver()
    try:
        daemon = serve(drizzle(tables(1)), options={
            "webhook_url": [receiver.url(), other.url()],
            "webhook_secret_file": signed})
        assert daemon.apply().status == 200
        wait_until(lambda: len(receiver.messages) == len(other.messages) == 2)
        assert receiver.types() == other.types()
    finally:
        other.close()


def test_once_tells_before_it_ends(once, drizzle, receiver, signed):
    done = once(drizzle(tables(1)), "--webhook-url", receiver.url(),
                "--webhook-secret-file", signed)
    assert done.returncode == 0
    assert receiver.types() == ["migration.run.started",
                                "migration.run.succeeded"]


def test_once_ends_without_the_secret(once, drizzle, receiver, signed):
    """It was taken away meanwhile: what cannot be signed is not sent, and not
    waited for."""
    done = once(drizzle(tables(1)), "--webhook-url", receiver.url(),
                "--webhook-secret-file", signed, "--hook-before",
                f"rm {signed}", "--hook-required", timeout=20)
    assert done.returncode == 0
    assert "webhook not delivered" in done.stderr


def test_secret_is_rotated(serve, drizzle, receiver, workdir):
    path = write_secret(workdir / "webhook-secret", secret_of(KEY))
    folder = drizzle(tables(1))
    daemon = serve(folder, options={"webhook_url": [receiver.url()],
                                    "webhook_secret_file": path})
    write_secret(path, secret_of(KEY) + " " + secret_of(OTHER_KEY))
    assert daemon.apply().status == 200
    wait_until(lambda: len(receiver.messages) == 2)
    for message in receiver.messages:
        verify(message, KEY, OTHER_KEY)


def test_without_a_secret_there_is_no_signature(serve, drizzle, receiver):
    daemon = serve(drizzle(tables(1)),
                   options={"webhook_url": [receiver.url()]})
    assert daemon.apply().status == 200
    wait_until(lambda: len(receiver.messages) == 2)
    assert receiver.messages[0][1]["webhook-signature"] is None
    assert any("webhook_secret_file" in line["message"]
               for line in daemon.log_lines() if line["level"] == "WARNING")


def test_tried_again_with_the_same_id(serve, drizzle, receiver, signed):
    receiver.answers = [500]
    daemon = serve(drizzle(tables(1)), options={
        "webhook_url": [receiver.url()], "webhook_secret_file": signed})
    assert daemon.apply().status == 200
    wait_until(lambda: len(receiver.messages) == 3, 15)
    # a receiver that cannot take the one is not to wait for the other
    assert receiver.types() == ["migration.run.started",
                                "migration.run.succeeded",
                                "migration.run.started"]
    by_type = {}
    for message in receiver.messages:
        document = verify(message, KEY)
        by_type.setdefault(document["type"], []).append(message)
    first, again = by_type["migration.run.started"]
    assert first[1]["webhook-id"] == again[1]["webhook-id"]
    assert first[2] == again[2]
    assert len(logged(daemon, "webhook not delivered, trying again")) == 1


def test_gone_is_given_up(serve, drizzle, receiver, signed):
    receiver.status = 410
    daemon = serve(drizzle(tables(1)), options={
        "webhook_url": [receiver.url()], "webhook_secret_file": signed})
    assert daemon.apply().status == 200
    wait_until(lambda: metric(
        daemon, "migrationd_notification_failures_total") == 2)


def test_a_redirect_is_not_followed(serve, drizzle, receiver, signed):
    other = Receiver()
    try:
        receiver.status = 307
        receiver.headers = {"Location": other.url()}
        daemon = serve(drizzle(tables(1)), options={
            "webhook_url": [receiver.url()], "webhook_secret_file": signed})
        assert daemon.apply().status == 200
        wait_until(lambda: len(logged(
            daemon, "webhook not delivered, trying again")) == 2)
        assert "307" in logged(
            daemon, "webhook not delivered, trying again")[0]["why"]
        assert other.messages == []
    finally:
        other.close()


def test_an_answer_without_end_is_cut(serve, drizzle, receiver, signed):
    receiver.status = 200
    receiver.body = b"x" * 5_000_000
    daemon = serve(drizzle(tables(1)), options={
        "webhook_url": [receiver.url()], "webhook_secret_file": signed})
    assert daemon.apply().status == 200
    wait_until(lambda: len(logged(daemon, "webhook delivered")) == 2)


def test_a_receiver_that_hangs_delays_nothing(serve, drizzle, receiver,
                                              signed):
    receiver.hang.set()
    daemon = serve(drizzle(tables(2)), options={
        "webhook_url": [receiver.url()], "webhook_secret_file": signed,
        "shutdown_grace": "2s"})
    got = daemon.apply()
    assert got.status == 200 and got.seconds < 20
    wait_until(lambda: receiver.messages)
    assert daemon.get("/livez").seconds < 3
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 25


def test_nobody_listens(serve, drizzle, signed):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    daemon = serve(drizzle(tables(1)), options={
        "webhook_url": [f"http://127.0.0.1:{port}/{PATH_SECRET}"],
        "webhook_secret_file": signed})
    assert daemon.apply().status == 200
    wait_until(lambda: len(logged(
        daemon, "webhook not delivered, trying again")) == 2)
    assert metric(daemon, "migrationd_notifications_waiting") == 2
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 15
    assert len(logged(daemon, "webhook given up")) == 2


# -- https -----------------------------------------------------------------------

@pytest.fixture
def tls(workdir):
    """A receiver with a certificate of its own making, and that certificate."""
    cert, key = workdir / "cert.pem", workdir / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    made = Receiver(tls=context)
    made.cert = cert
    yield made
    made.close()


def test_certificate_must_be_right(serve, drizzle, tls, signed):
    daemon = serve(drizzle(tables(1)), options={
        "webhook_url": [tls.url(scheme="https")],
        "webhook_secret_file": signed})
    assert daemon.apply().status == 200
    wait_until(lambda: logged(daemon, "webhook not delivered, trying again"))
    assert "certificate" in logged(
        daemon, "webhook not delivered, trying again")[0]["why"].lower()
    assert tls.messages == []


# -- configuration, and who sees what ------------------------------------------------

@pytest.mark.parametrize("url", [
    f"http://hooks.example/{PATH_SECRET}",
    f"ftp://127.0.0.1/{PATH_SECRET}",
    f"{PATH_SECRET}",
    f"http://127.0.0.1@hooks.example/{PATH_SECRET}",
])
def test_bad_urls(url):
    done = daemon_module.run("--check-config", "--webhook-url", url)
    assert done.returncode == 4
    assert "webhook" in done.stderr
    assert PATH_SECRET not in done.stderr + done.stdout


@pytest.mark.parametrize("text", ["", "not-a-secret", "whsec_c2hvcnQ="])
def test_bad_secrets(workdir, text):
    path = write_secret(workdir / "secret", text)
    done = daemon_module.run(
        "--check-config", "--webhook-url", "https://hooks.example/x",
        "--webhook-secret-file", path)
    assert done.returncode == 4
    assert "webhook" in done.stderr and "secret" in done.stderr
    assert not text or text not in done.stderr


def test_urls_and_secret_are_not_shown(serve, drizzle, receiver, signed):
    daemon = serve(drizzle(tables(1)), "--webhook-url",
                   receiver.url("/" + PATH_SECRET),
                   options={"webhook_secret_file": signed,
                            "log_level": "debug"})
    assert daemon.apply().status == 200
    wait_until(lambda: len(receiver.messages) == 2)
    assert receiver.messages[0][0] == "/" + PATH_SECRET
    config = daemon.get("/config").text
    assert f"127.0.0.1:{receiver.port}" in config
    with open(f"/proc/{daemon.pid}/cmdline", "rb") as file:
        cmdline = file.read().decode()
    daemon.stop()
    for shown in (config, cmdline, daemon.stderr()):
        assert PATH_SECRET not in shown
        assert secret_of(KEY)[6:] not in shown


def test_credential(serve, drizzle, receiver, workdir):
    credentials = workdir / "credentials"
    credentials.mkdir()
    write_secret(credentials / "webhook-secret", secret_of(KEY))
    daemon = serve(drizzle(tables(1)),
                   options={"webhook_url": [receiver.url()]},
                   env={"CREDENTIALS_DIRECTORY": credentials})
    assert daemon.apply().status == 200
    wait_until(lambda: len(receiver.messages) == 2)
    verify(receiver.messages[0], KEY)


def test_reload_changes_who_is_told(serve, drizzle, receiver, signed):
    daemon = serve(drizzle(tables(1)), options={"lock_wait": "11s"})
    daemon.config_path.write_text(config_text({
        "webhook_url": [receiver.url()], "webhook_secret_file": signed}))
    assert daemon.post("/reload").status == 200
    assert daemon.apply().status == 200
    wait_until(lambda: len(receiver.messages) == 2)
    assert os.path.exists(signed)
