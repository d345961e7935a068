# SPDX-License-Identifier: PostgreSQL
"""Small things about processes and ports that the other modules share."""

import ctypes
import os
import pathlib
import random
import pwd
import signal
import socket

CHECKOUT = pathlib.Path(__file__).resolve().parents[3]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signum=signal.SIGKILL):
    """For preexec_fn: nothing that a test started outlives a killed pytest."""
    def in_child():
        _libc.prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)
    return in_child


def free_port():
    """One that nobody listens on, and that the kernel gives to no outgoing
    connection before the caller does: those begin at 32768."""
    while True:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", random.SystemRandom().randrange(
                    10000, 32768)))
            except OSError:
                continue
            return sock.getsockname()[1]


def is_root():
    return os.geteuid() == 0


def as_user(name):
    """Popen arguments that make the child run as `name` when we are root."""
    if not is_root():
        return {}
    return {"user": name, "group": pwd.getpwnam(name).pw_gid,
            "extra_groups": []}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def peak_memory(pid):
    """VmHWM in bytes: the most memory that the process has held so far."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmHWM for {pid}")


def resident_memory(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"no VmRSS for {pid}")
