# SPDX-License-Identifier: PostgreSQL
"""A PostgreSQL of the tests' own, and one database of it."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import psycopg2
import psycopg2.extensions

from harness.process import as_user, die_with_parent, free_port, is_root
from harness.wait import wait_until

USER = "postgres"


def find_bindir():
    """The newest server on this machine, where Debian and others put it."""
    named = os.environ.get("PG_BINDIR")
    if named:
        return pathlib.Path(named)
    versions = [p.parent for p in pathlib.Path("/usr/lib/postgresql").glob(
        "*/bin/initdb")]
    if versions:
        return max(versions, key=lambda p: int(p.parent.name.split(".")[0]))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise RuntimeError("no PostgreSQL server found: set PG_BINDIR")
    return pathlib.Path(initdb).resolve().parent


class Postgres:
    """A cluster in a directory of its own, on a loopback port and a unix
    socket in that directory. Runs as `postgres` when the tests run as root,
    because the server refuses root."""

    def __init__(self, settings=None, fsync=False):
        self.bindir = find_bindir()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="mgd-pg-"))
        self.directory.chmod(0o755)
        self.data = self.directory / "data"
        self.log_path = self.directory / "log"
        self.port = free_port()
        self.process = None
        self._made = 0
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "port": str(self.port),
            "fsync": "on" if fsync else "off",
            "max_connections": "200",
            "log_statement": "all",
            "log_line_prefix": "%m [%p] %d %a ",
            "lc_messages": "C",
            **(settings or {}),
        }
        if is_root():
            shutil.chown(self.directory, USER, USER)
        subprocess.run(
            [self.bindir / "initdb", "-A", "trust", "-U", USER, "-E", "UTF8",
             "--locale=C", "--no-sync", "-D", self.data],
            check=True, capture_output=True, cwd="/", **as_user(USER))

    def start(self):
        settings = [a for kv in self._settings.items()
                    for a in ("-c", "=".join(kv))]
        with open(self.log_path, "ab") as log:
            # an immediate stop, should the tests be killed
            self.process = subprocess.Popen(
                [self.bindir / "postgres", "-D", self.data, *settings],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                preexec_fn=die_with_parent(signal.SIGQUIT), **as_user(USER))
        wait_until(self._answers, timeout=30, what="PostgreSQL is up")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise RuntimeError("PostgreSQL did not start:\n" + self.log())
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def stop(self, mode="fast"):
        signum = {"smart": signal.SIGTERM, "fast": signal.SIGINT,
                  "immediate": signal.SIGQUIT}[mode]
        if self.process is not None:
            self.process.send_signal(signum)
            self.process.wait(timeout=30)
            self.process = None

    def restart(self, mode="fast"):
        self.stop(mode)
        self.start()

    def destroy(self):
        self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def connect(self, name, user=USER):
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=user, dbname=name)
        connection.autocommit = True
        return connection

    def createdb(self, name=None):
        self._made += 1
        name = name or f"t{self._made}"
        with_admin(self, f'CREATE DATABASE "{name}"')
        return Database(self, name)

    def dropdb(self, name):
        with_admin(self, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log_count(self, text, after=0):
        """How often the server logged `text`; `after` skips that many
        characters of the log (take len(log()) before the deed)."""
        return self.log()[after:].count(text)


def with_admin(postgres, sql):
    connection = postgres.connect("postgres")
    try:
        connection.cursor().execute(sql)
    finally:
        connection.close()


class Database:
    """One database; every query on a connection of its own, so that a test
    never holds a lock that it does not mean to hold."""

    def __init__(self, postgres, name):
        self.postgres = postgres
        self.name = name

    @property
    def url(self):
        return self.url_as(USER)

    def url_as(self, user, password=None):
        secret = f":{password}" if password else ""
        return (f"postgresql://{user}{secret}@127.0.0.1:{self.postgres.port}"
                f"/{self.name}")

    def connect(self, user=USER):
        return self.postgres.connect(self.name, user)

    def query(self, sql, *params):
        """All rows of one statement; [] when it returns none."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    execute = query

    def value(self, sql, *params):
        return self.query(sql, *params)[0][0]

    def has_table(self, name):
        return self.value("SELECT to_regclass(%s) IS NOT NULL", name)

    def tables(self):
        """Tables outside the catalogs and our own journal."""
        return [r[0] for r in self.query(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN"
            " ('pg_catalog', 'information_schema', 'migrationd')"
            " ORDER BY 1")]

    def drizzle_rows(self, table='"drizzle"."__drizzle_migrations"'):
        """The tracking rows as drizzle-orm wrote or would write them."""
        return self.query(
            f"SELECT hash, created_at FROM {table} ORDER BY id")

    def schema_dump(self, exclude_schema=("migrationd",)):
        """pg_dump --schema-only without what differs from dump to dump."""
        excluded = [f"--exclude-schema={name}" for name in exclude_schema]
        dump = subprocess.run(
            [self.postgres.bindir / "pg_dump", "--schema-only", *excluded,
             self.url], check=True, capture_output=True, text=True).stdout
        return "".join(
            line for line in dump.splitlines(keepends=True)
            # a random key since 15.14
            if not line.startswith(("\\restrict ", "\\unrestrict ")))

    def sessions(self):
        """Other sessions on this database."""
        return self.value(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'")

    def hold_lock(self, sql):
        """A transaction left open after `sql`; close() ends it."""
        connection = psycopg2.connect(self.url)
        connection.set_isolation_level(
            psycopg2.extensions.ISOLATION_LEVEL_READ_COMMITTED)
        connection.cursor().execute(sql)
        return connection
