# SPDX-License-Identifier: PostgreSQL
"""A PostgreSQL of the tests' own, and one database of it."""

import atexit
import functools
import os
import pathlib
import re
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
    """PG_BINDIR, or the newest server on this machine, where Debian and
    others put it."""
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


@functools.lru_cache(maxsize=None)
def major_version(bindir):
    said = subprocess.run([bindir / "postgres", "--version"], check=True,
                          capture_output=True, text=True).stdout
    return int(re.search(r"\) (\d+)", said).group(1))


@functools.lru_cache(maxsize=None)
def find_pg_dump(bindir):
    """The server's own, or a newer one (pg_dump refuses a server that is
    newer than itself); None when there is neither."""
    if (bindir / "pg_dump").exists():
        return bindir / "pg_dump"
    others = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_dump"),
                    key=lambda p: int(p.parts[-3]))
    return next((p for p in others
                 if int(p.parts[-3]) >= major_version(bindir)), None)


# What a schema consists of, one line for each thing.
CATALOG_SQL = """
WITH s AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_'
    AND nspname <> 'information_schema' AND NOT nspname = ANY(%s))
SELECT 'schema ' || nspname AS line FROM s
UNION ALL SELECT format('extension %%s %%s', extname, extversion)
    FROM pg_extension
UNION ALL SELECT format('relation %%s %%s %%s', relkind, c.oid::regclass,
    pg_get_userbyid(relowner)) FROM pg_class c JOIN s ON s.oid = relnamespace
UNION ALL SELECT format('column %%s.%%s %%s %%s %%s%%s%%s %%s', a.attrelid::regclass,
    attname, attnum, format_type(atttypid, atttypmod), attnotnull,
    attidentity, attgenerated, pg_get_expr(adbin, adrelid))
    FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
    JOIN s ON s.oid = relnamespace
    LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped
UNION ALL SELECT format('constraint %%s %%s %%s', conrelid::regclass, conname,
    pg_get_constraintdef(c.oid)) FROM pg_constraint c
    JOIN s ON s.oid = connamespace
UNION ALL SELECT pg_get_indexdef(indexrelid) || ' valid ' || indisvalid
    FROM pg_index JOIN pg_class c ON c.oid = indexrelid
    JOIN s ON s.oid = relnamespace
UNION ALL SELECT format('view %%s %%s', c.oid::regclass, pg_get_viewdef(c.oid))
    FROM pg_class c JOIN s ON s.oid = relnamespace WHERE relkind IN ('v', 'm')
UNION ALL SELECT format('sequence %%s %%s', seqrelid::regclass,
    concat_ws(' ', seqstart, seqincrement, seqmin, seqmax, seqcycle))
    FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid
    JOIN s ON s.oid = relnamespace
UNION ALL SELECT pg_get_functiondef(p.oid) FROM pg_proc p
    JOIN s ON s.oid = pronamespace WHERE prokind IN ('f', 'p')
UNION ALL SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
    JOIN pg_class c ON c.oid = tgrelid JOIN s ON s.oid = relnamespace
    WHERE NOT tgisinternal
UNION ALL SELECT format('type %%s %%s', t.oid::regtype, string_agg(enumlabel,
    ',' ORDER BY enumsortorder)) FROM pg_type t
    JOIN s ON s.oid = typnamespace JOIN pg_enum e ON enumtypid = t.oid
    GROUP BY t.oid
UNION ALL SELECT format('comment %%s %%s %%s', objoid::regclass, objsubid,
    description) FROM pg_description JOIN pg_class c ON c.oid = objoid
    JOIN s ON s.oid = relnamespace WHERE classoid = 'pg_class'::regclass
ORDER BY 1
"""


@functools.lru_cache(maxsize=None)
def empty_cluster(bindir):
    """What initdb makes, to be copied: that takes a fraction of its time."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mgd-initdb-"))
    atexit.register(shutil.rmtree, directory)
    if is_root():
        shutil.chown(directory, USER, USER)
    subprocess.run(
        [bindir / "initdb", "-A", "trust", "-U", USER, "-E", "UTF8",
         "--locale=C", "--no-sync", "-D", directory / "data"],
        check=True, capture_output=True, cwd="/", **as_user(USER))
    return directory / "data"


class Postgres:
    """A cluster in a directory of its own, on a loopback port and a unix
    socket in that directory. Runs as `postgres` when the tests run as root,
    because the server refuses root. `standby_of`: a stopped cluster, whose
    hot standby this becomes."""

    def __init__(self, settings=None, fsync=False, standby_of=None):
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
            "shared_buffers": "16MB",  # gone through for each new database
            "password_encryption": "scram-sha-256",  # 13: md5
            "log_statement": "all",
            "log_line_prefix": "%m [%p] %d %a ",
            "lc_messages": "C",
            **(settings or {}),
        }
        if is_root():
            shutil.chown(self.directory, USER, USER)
        if standby_of is not None:
            self._settings["primary_conninfo"] = (
                f"host=127.0.0.1 port={standby_of.port} user={USER}")
            subprocess.run(["cp", "-a", standby_of.data, self.data],
                           check=True)
            (self.data / "standby.signal").touch()
            return
        subprocess.run(["cp", "-a", empty_cluster(self.bindir), self.data],
                       check=True)

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
        # what a test makes of the daemon's sessions is not for its own
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=user, dbname=name,
            options="-c statement_timeout=0 -c lock_timeout=0"
            " -c idle_in_transaction_session_timeout=0")
        connection.autocommit = True
        return connection

    def createdb(self, name=None, template="template1"):
        self._made += 1
        name = name or f"t{self._made}"
        # copied as files, as before 15: a third of the work of the other way
        how = " STRATEGY file_copy" if major_version(self.bindir) >= 15 else ""
        with_admin(self, f'CREATE DATABASE "{name}"'
                   f' TEMPLATE "{template}"{how}')
        return Database(self, name)

    def database(self, name):
        """One that is there, or will be."""
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

    def exists(self):
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

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

    @property
    def version(self):
        """15"""
        return int(self.value("SHOW server_version_num")) // 10000

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
        """pg_dump --schema-only without what differs from dump to dump; the
        catalogs' own words where no pg_dump is new enough for the server."""
        pg_dump = find_pg_dump(self.postgres.bindir)
        if pg_dump is None:
            return "\n".join(r[0] for r in self.query(
                CATALOG_SQL, list(exclude_schema)))
        excluded = [f"--exclude-schema={name}" for name in exclude_schema]
        dump = subprocess.run(
            [pg_dump, "--schema-only", *excluded, self.url],
            check=True, capture_output=True, text=True).stdout
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
