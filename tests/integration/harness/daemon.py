# SPDX-License-Identifier: PostgreSQL
"""migrationd, started and spoken to as a user would."""

import atexit
import functools
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from harness.process import (CHECKOUT, as_user, die_with_parent, free_port,
                             is_root)
from harness.wait import wait_until

START_TIMEOUT = 20.0
SANITIZER_SIGNS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer",
                   "runtime error:", "AddressSanitizer:DEADLYSIGNAL")
# what the tests' own environment must not lend to the daemon
FOREIGN = ("PG", "MIGRATIOND_", "DATABASE_URL", "NOTIFY_SOCKET", "LISTEN_",
           "WATCHDOG_", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY")


def binary():
    return pathlib.Path(os.environ.get(
        "MIGRATIOND_BIN", CHECKOUT / "src" / "migrationd")).resolve()


@functools.lru_cache(maxsize=None)
def binary_for(user):
    """The program where `user` gets at it: a copy, when the checkout is in a
    home that it may not enter. Who is not root runs it as himself, and file
    modes hold for him as they do for `user`."""
    if user is None or subprocess.run(
            ["/usr/bin/test", "-x", binary()], check=False,
            **as_user(user)).returncode == 0:
        return binary()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mgd-bin-"))
    atexit.register(shutil.rmtree, folder)
    folder.chmod(0o755)
    return shutil.copy2(binary(), folder)


def environment(extra=None):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
    clean.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    clean.update({k: str(v) for k, v in (extra or {}).items()})
    return clean


def assert_no_sanitizer_report(text):
    for sign in SANITIZER_SIGNS:
        if sign in text:
            start = max(0, text.index(sign) - 500)
            raise AssertionError("sanitizer report:\n"
                                 + text[start:start + 6000])


def config_text(options):
    """A configuration file: keys are option names, values scalars or lists."""
    def quoted(value):
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        # single quotes: libconfuse expands ${} in double ones
        return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"

    lines = []
    for key, value in options.items():
        if isinstance(value, (list, tuple)):
            value = "{" + ", ".join(quoted(v) for v in value) + "}"
        else:
            value = quoted(value)
        lines.append(f"{key} = {value}\n")
    return "".join(lines)


def run(*args, env=None, timeout=60, cwd=None, user=None):
    """The program to its end: --once, --check-config and the like."""
    done = subprocess.run(
        [binary_for(user), *map(str, args)], env=environment(env), cwd=cwd,
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=timeout, check=False, preexec_fn=die_with_parent(),
        **(as_user(user) if user else {}))
    assert_no_sanitizer_report(done.stderr)
    assert done.returncode >= 0, f"killed by a signal: {done}"
    return done


class Response:
    def __init__(self, status, headers, body, seconds):
        self.status = status
        self.headers = headers
        self.body = body
        self.seconds = seconds

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def type(self):
        return self.headers.get("Content-Type", "").split(";")[0].strip()

    def json(self):
        assert self.type in ("application/json", "application/problem+json"), (
            f"not JSON: {self!r}")
        return json.loads(self.body)

    def problem(self, status=None, category=None):
        """The problem document, its fixed members checked."""
        assert self.type == "application/problem+json", repr(self)
        document = json.loads(self.body)
        assert document["status"] == self.status, document
        assert document["title"] and document["type"], document
        if status is not None:
            assert self.status == status, repr(self)
        if category is not None:
            assert document["category"] == category, document
        return document

    def __repr__(self):
        return (f"<{self.status} {dict(self.headers)} "
                f"{self.body[:1500]!r}>")


class Daemon:
    """One running daemon.

    `options` go to a configuration file, `args` on the command line; the
    listener is a free port of 127.0.0.1 unless `listen` says otherwise (None:
    none is named). start() returns when /livez answers.
    """

    def __init__(self, directory, *args, options=None, env=None,
                 listen="auto", log_format="json", user=None, pass_fds=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        if listen == "auto":
            listen = f"127.0.0.1:{free_port()}"
        self.listen = listen
        self.host, self.port = "127.0.0.1", None
        self.unix = None
        if listen and listen.startswith("unix:"):
            self.unix = listen.removeprefix("unix:")
        elif listen:
            self.port = int(listen.rpartition(":")[2])
        self.token = None
        self.config_path = self.directory / "migrationd.conf"
        self.stderr_path = self.directory / "stderr"
        self.stdout_path = self.directory / "stdout"
        self.env = env
        self.user = user
        self.pass_fds = pass_fds
        self.process = None
        self.args = [str(a) for a in args]
        self.log_format = log_format
        self.options = dict(options or {})

    def command(self):
        command = [str(binary_for(self.user))]
        if self.options:
            self.config_path.write_text(config_text(self.options),
                                        encoding="utf-8")
            command += ["--config", str(self.config_path)]
        if self.listen:
            command += ["--listen", self.listen]
        if self.log_format:
            command += ["--log-format", self.log_format]
        return command + self.args

    def spawn(self):
        """Start the process and do not wait for anything."""
        with open(self.stderr_path, "ab") as stderr, \
                open(self.stdout_path, "ab") as stdout:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=stderr, env=environment(self.env),
                pass_fds=self.pass_fds, preexec_fn=die_with_parent(),
                **(as_user(self.user) if self.user else {}))
        return self

    def start(self):
        self.spawn()
        wait_until(self._answers, timeout=START_TIMEOUT, what="GET /livez")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(
                f"migrationd ended with {self.process.returncode}:\n"
                + self.stderr())
        return self.get("/livez").status == 200

    @property
    def pid(self):
        return self.process.pid

    @property
    def base_url(self):
        return f"http://{self.host}:{self.port}"

    # -- ending ----------------------------------------------------------

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=30, expect=0):
        """SIGTERM; the daemon must end, and with exit code `expect`."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(
                f"SIGTERM did not end migrationd within {timeout} s:\n"
                + self.stderr()[-4000:]) from None
        finally:
            self.process = None
        assert_no_sanitizer_report(self.stderr())
        assert code == expect, (
            f"exit code {code}, not {expect}:\n" + self.stderr()[-4000:])

    def kill(self):
        """SIGKILL, as the kernel's out-of-memory killer does it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def signal(self, signum):
        self.process.send_signal(signum)

    # -- what it wrote ----------------------------------------------------

    def stderr(self):
        return self.stderr_path.read_text(encoding="utf-8", errors="replace")

    def log_lines(self):
        """The JSON log lines so far (a line in the making is left out)."""
        lines = []
        for line in self.stderr().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    # -- talking ----------------------------------------------------------

    def connection(self, timeout=60):
        if self.unix:
            return UnixConnection(self.unix, timeout)
        return http.client.HTTPConnection(self.host, self.port,
                                          timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=60):
        headers = {k.replace("_", "-"): v for k, v in (headers or {}).items()}
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = self.connection(timeout)
        started = time.monotonic()
        try:
            connection.request(method, path, body=body, headers=headers)
            got = connection.getresponse()
            content = got.read()
        finally:
            connection.close()
        return Response(got.status, got.headers, content,
                        time.monotonic() - started)

    def get(self, path, timeout=60, **headers):
        return self.request("GET", path, headers=headers, timeout=timeout)

    def head(self, path, **headers):
        return self.request("HEAD", path, headers=headers)

    def post(self, path, json=None, data=None, timeout=60, **headers):
        if json is not None:
            data = _dumps(json)
            headers.setdefault("Content_Type", "application/json")
        return self.request("POST", path, body=data, headers=headers,
                            timeout=timeout)

    def apply(self, **kwargs):
        return self.post("/apply", **kwargs)

    def status(self):
        got = self.get("/status")
        assert got.status == 200, repr(got)
        return got.json()

    def verdict(self):
        return self.status()["verdict"]

    def wait_verdict(self, *verdicts, timeout=15):
        """Wait for one of `verdicts` and return the whole status."""
        def there():
            status = self.status()
            if status["verdict"] in verdicts:
                return status
            raise AssertionError(f"verdict {status['verdict']}: {status}")
        return wait_until(there, timeout, 0.05, f"verdict {verdicts}")

    def states(self):
        """{migration id: state} as GET /migrations tells it; None for an id
        that it does not (yet) list."""
        return States((m["id"], m["state"])
                      for m in migrations_of(self.get("/migrations")))

    def socket(self, timeout=10):
        if self.unix:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(timeout)
            sock.connect(self.unix)
            return sock
        return socket.create_connection((self.host, self.port), timeout)

    def raw(self, data, timeout=5, shut=False):
        """Send bytes as they are; all that comes back until the daemon closes
        the connection, or falls silent for `timeout` seconds."""
        with self.socket(timeout) as sock:
            received = b""
            try:
                sock.sendall(data)
                if shut:
                    sock.shutdown(socket.SHUT_WR)
                while chunk := sock.recv(65536):
                    received += chunk
            except (socket.timeout, ConnectionError):
                pass
            return received


_dumps = json.dumps


class States(dict):
    def __missing__(self, key):
        return None


def migrations_of(response):
    """The list in an answer of GET /migrations, bare or in an envelope."""
    document = response.json()
    if isinstance(document, dict):
        document = document["migrations"]
    return document


def applied_ids(run):
    """The ids that a run document says it applied."""
    return [migration["id"] for migration in run["applied"]]


def runs_of(response):
    document = response.json()
    if isinstance(document, dict):
        document = document["runs"]
    return document


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
