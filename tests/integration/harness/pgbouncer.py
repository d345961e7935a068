# SPDX-License-Identifier: PostgreSQL
"""A PgBouncer of the tests' own before a Postgres of theirs."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import psycopg2
import pytest

from harness.process import as_user, die_with_parent, free_port, is_root
from harness.wait import wait_until

USER = "postgres"


def find_binary():
    # Debian puts it where only root's PATH looks
    return shutil.which("pgbouncer", path=os.environ["PATH"] + ":/usr/sbin")


class PgBouncer:
    """`mode` is "session", "transaction" or "statement"; all databases of the
    server are reached through it. A small pool, so that clients really share
    the server's sessions."""

    def __init__(self, postgres, mode, pool_size=4):
        binary = find_binary()
        if binary is None:
            pytest.fail("pgbouncer is not installed: ./bootstrap installs it")
        self.mode = mode
        self.port = free_port()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mgd-pgb-"))
        self.directory.chmod(0o755)
        self.log_path = self.directory / "log"
        ini = self.directory / "pgbouncer.ini"
        ini.write_text("\n".join([
            "[databases]",
            # with auth_type any everybody is this user
            f"* = host=127.0.0.1 port={postgres.port} user={USER}",
            "[pgbouncer]",
            f"listen_addr = 127.0.0.1\nlisten_port = {self.port}",
            "unix_socket_dir =\nauth_type = any",
            f"pool_mode = {mode}\ndefault_pool_size = {pool_size}",
            "max_client_conn = 500\nserver_lifetime = 3600",
            ""]))
        if is_root():
            shutil.chown(self.directory, USER, USER)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [binary, ini], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd="/", preexec_fn=die_with_parent(),
                **as_user(USER))
        wait_until(self._answers, 10, what="PgBouncer is up")

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("PgBouncer did not start:\n"
                               + self.log_path.read_text())
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def connect(self, name):
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=USER, dbname=name)
        connection.autocommit = True
        return connection

    def url(self, database):
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database.name}"

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
