# SPDX-License-Identifier: PostgreSQL
"""migrationctl, in a pipe and on a terminal."""

import fcntl
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import termios
import time

from harness.daemon import (assert_no_sanitizer_report, binary, environment)
from harness.process import die_with_parent

ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def ctl_binary():
    """It is built beside migrationd."""
    return pathlib.Path(os.environ.get(
        "MIGRATIONCTL_BIN", binary().parent / "migrationctl")).resolve()


def spawn(*args, env=None, stdout=subprocess.PIPE):
    return subprocess.Popen(
        [ctl_binary(), *map(str, args)], env=environment(env),
        stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
        text=True, preexec_fn=die_with_parent())


def finish(process, timeout=60):
    """The ended process, with stdout and stderr as text."""
    try:
        process.out, process.err = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert_no_sanitizer_report(process.err)
    assert process.returncode >= 0, f"killed by a signal: {process.err}"
    return process


def run(*args, env=None, timeout=60):
    return finish(spawn(*args, env=env), timeout)


class Terminal:
    """A run of migrationctl on a pseudo-terminal of `columns`."""

    def __init__(self, *args, env=None, columns=80, rows=24):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [ctl_binary(), *map(str, args)],
            env=environment({"TERM": "xterm", **(env or {})}),
            stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=self._take_terminal)
        os.close(theirs)
        self._fd = ours
        self.screen = ""

    @staticmethod
    def _take_terminal():
        die_with_parent()()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _read(self, seconds):
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # the other end is closed
            return False
        self.screen += data.decode("utf-8")
        return bool(data)

    def read_until(self, text, timeout=20, count=1):
        deadline = time.monotonic() + timeout
        while self.screen.count(text) < count:
            assert time.monotonic() < deadline, (
                f"no {text!r} within {timeout} s: {self.screen!r}")
            if not self._read(0.1):
                break
        assert self.screen.count(text) >= count, (
            f"no {text!r}: {self.screen!r}")

    def press_ctrl_c(self):
        os.write(self._fd, b"\x03")

    def finish(self, timeout=60):
        """The exit code; `screen` is all that was written."""
        deadline = time.monotonic() + timeout
        while self._read(0.1) and time.monotonic() < deadline:
            pass
        try:
            code = self.process.wait(max(deadline - time.monotonic(), 0.1))
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            os.close(self._fd)
        assert_no_sanitizer_report(self.screen)
        return code

    @property
    def text(self):
        return ESCAPE.sub("", self.screen)
