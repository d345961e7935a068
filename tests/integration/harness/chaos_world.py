# SPDX-License-Identifier: PostgreSQL
"""The world of a chaos worker: one database that is emptied again and again,
one folder, and `migrationd --once` started as cheaply as can be (posix_spawn:
a run of six migrations takes 20 ms, half of it PostgreSQL's)."""

import contextlib
import json
import os
import pathlib
import select
import signal
import time

from harness import folder as folder_module
from harness.chaos_check import EXIT_FINE, Answer, State
from harness.daemon import Daemon, binary, environment
from harness.folder import BREAKPOINT, T0
from harness.postgres import CATALOG_SQL
from harness.wait import wait_until

TIMEOUT_S = 75  # the lease of a dead daemon lasts for 30
LOCK_FREE_S = 3.0
MARKER = "INSERT INTO chaos.markers (id) VALUES ('{0}');\n"

SETUP = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.markers (seq bigserial, id text,
    at timestamptz DEFAULT clock_timestamp(), xid xid8 DEFAULT pg_current_xact_id());
"""
EMPTY = """
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS public, drizzle, migrationd CASCADE;
CREATE SCHEMA public;
TRUNCATE chaos.markers;
"""
OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
    AND backend_type = 'client backend' AND application_name <> 'chaos'
"""
# A session that is gone has let its locks go: this is a look at both.
LOCKS = """
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'migrationd%'
    AND backend_type = 'client backend' ORDER BY random() LIMIT 1) AS one
"""

PLAIN = [
    ("0000_users", "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);\n{mark}"
                   "INSERT INTO users SELECT n, 'user ' || n FROM generate_series(1, 50) AS n;\n"),
    ("0001_documents", "CREATE TABLE documents (id int PRIMARY KEY, owner int REFERENCES users);\n"
                       + BREAKPOINT + "\n{mark}" + BREAKPOINT
                       + "\nCREATE INDEX documents_owner ON documents (owner);\n"),
    ("0002_status", "CREATE TYPE status AS ENUM ('draft', 'done');\n{mark}"
                    "ALTER TABLE documents ADD COLUMN status status DEFAULT 'draft';\n"),
    ("0003_touch", "{mark}CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN\n"
                   "  NEW.owner := coalesce(NEW.owner, 1); RETURN NEW;\nEND $$;\n"
                   "CREATE TRIGGER touch BEFORE INSERT ON documents FOR EACH ROW EXECUTE FUNCTION touch();\n"),
    ("0004_fill", "INSERT INTO documents SELECT n FROM generate_series(1, 200) AS n;\n" + BREAKPOINT
                  + "\n{mark}" + BREAKPOINT + "\nUPDATE users SET name = name || '.';\n"),
    ("0005_view", "CREATE VIEW done AS SELECT id FROM documents WHERE status = 'done';\n"
                  "COMMENT ON VIEW done IS 'what is done';\n{mark}"),
]
# Files that shake the lock and the session off; repeatable, so that nothing
# but the guards keeps them from being executed twice.
HOSTILE = [
    ("0000_unlock", "SELECT pg_advisory_unlock_all();\n{mark}SELECT pg_sleep(0.01);\n"),
    ("0001_role", "SET ROLE pg_monitor;\nRESET ROLE;\nSET search_path = pg_temp;\n{mark}"),
    ("0002_unlock", "{mark}" + BREAKPOINT + "\nSELECT pg_advisory_unlock_all();\n" + BREAKPOINT
                    + "\nSELECT pg_sleep(0.02);\n"),
    ("0003_authorization", "SET SESSION AUTHORIZATION pg_monitor;\nRESET SESSION AUTHORIZATION;\n{mark}"),
    ("0004_discard", "SELECT pg_advisory_unlock_all();\n{mark}SET LOCAL statement_timeout = 1000;\n"),
    ("0005_last", "{mark}SELECT pg_sleep(0.01);\n"),
]
# The same with a file whose snapshot may be older than the row that another
# daemon has written since.
SNAPSHOT = HOSTILE[:3] + [
    ("0003_snapshot", "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;\n{mark}SELECT pg_sleep(0.01);\n")] + HOSTILE[4:]
# Statements that no transaction holds: what becomes of one when its run dies
# is known to the catalogs (an index), does not matter (VACUUM), or is a question
# to a person (a marker written alone).
ALONE = PLAIN[:2] + [
    ("0002_index", "CREATE INDEX CONCURRENTLY users_name ON users (name);\n{mark}"),
    ("0003_alone", "-- migrationd: no-transaction\n{mark}VACUUM users;\n"),
    ("0004_mixed", "INSERT INTO documents SELECT n FROM generate_series(1, 200) AS n;\n{mark}"
                   "CREATE INDEX CONCURRENTLY IF NOT EXISTS documents_both ON documents (owner, id);\n"
                   "VACUUM ANALYZE documents;\nALTER TABLE documents ADD COLUMN note text;\n"),
    ("0005_last", "DROP INDEX CONCURRENTLY users_name;\n{mark}VACUUM documents;\n"),
]
# A backfill in batches; its marker is written by the batch that finds nothing
# any more, and how often each row was touched is part of what is compared.
BATCHES = PLAIN[:2] + [
    ("0002_columns", "ALTER TABLE users ADD COLUMN done boolean DEFAULT false,\n"
                     "  ADD COLUMN touched int DEFAULT 0;\n{mark}"),
    ("0003_batches", "-- migrationd: batch size=20\n"
                     "-- migrationd: batch-count SELECT count(*) FROM users WHERE NOT done\n"
                     "WITH marked AS (INSERT INTO chaos.markers (id) SELECT '0003_batches'\n"
                     "  WHERE NOT EXISTS (SELECT FROM users WHERE NOT done))\n"
                     "UPDATE users SET done = true, touched = touched + 1\n"
                     "WHERE id IN (SELECT id FROM users WHERE NOT done ORDER BY id LIMIT $1);\n"),
    ("0004_last", "CREATE INDEX users_done ON users (done);\n{mark}"),
]
BROKEN = PLAIN[:4] + [("0004_broken", "{mark}SELECT 1 / 0;\n")] + PLAIN[5:]

SCENARIOS = {"tx": PLAIN, "broken": BROKEN, "hostile": HOSTILE, "snapshot": SNAPSHOT,
             "nontx": ALONE, "batches": BATCHES}


class Process:
    """A `migrationd --once` under way."""

    def __init__(self, world, args, env, name):
        self.name = name
        self.out = world.directory / f"{name}.out"
        self.err = world.directory / f"{name}.err"
        self.faults = set()
        create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self.pid = os.posix_spawn(world.binary, [world.binary, *args], env, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.out), create, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(self.err), create, 0o600)])
        self.fd = os.pidfd_open(self.pid)
        self.code = None
        self.hung = False
        self.after = None

    def signal(self, number):
        if self.code is None:
            os.kill(self.pid, number)

    def reap(self):
        """Take the status, once the process has ended."""
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        os.close(self.fd)

    def wait(self, timeout=TIMEOUT_S):
        """To its end; what has not ended by then is killed, and marked."""
        if self.code is None:
            if not select.select([self.fd], [], [], timeout)[0]:
                self.hung = True
                self.signal(signal.SIGKILL)
            self.reap()
        return self.code

    def ends_within(self, seconds):
        return self.code is not None or bool(select.select([self.fd], [], [], seconds)[0])

    def wait_stopped(self, timeout=TIMEOUT_S):
        """Whether it stopped itself (else it has ended)."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                return True
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
                os.close(self.fd)
                return False
            time.sleep(0.001)
        return False

    def document(self):
        with contextlib.suppress(ValueError):
            return json.loads(self.out.read_text(encoding="utf-8"))
        return {}

    def answer(self):
        """What it told its caller; a killed one told nothing: None."""
        if self.code < 0:
            return None
        document = self.document()
        return Answer(f"{self.name}, run {document.get('id')},", self.code, self.code == EXIT_FINE,
                      [m["id"] for m in document.get("applied", [])], bool(self.faults),
                      str(document.get("error") or self.err.read_text(errors="replace")[-300:]), self.after)


class World:
    def __init__(self, postgres, directory, scenario, mutant=None, lock="auto"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.binary = str(binary())
        self.scenario = scenario
        files = [(tag, sql.format(mark=MARKER.format(tag))) for tag, sql in SCENARIOS[scenario]]
        self.plan = [tag for tag, _ in files]
        # an effect may be there before its row, and in another transaction
        self.loose = {tag for tag, _ in ALONE[2:]} if scenario == "nontx" else set()
        self._by_when = {T0 + i * 60_000: tag for i, tag in enumerate(self.plan)}
        self.lock = lock
        self.folder = folder_module.drizzle_folder(self.directory / "folder", files)
        self.database = postgres.createdb(self.directory.name)
        self.url = f"postgresql://postgres@/{self.database.name}?host={postgres.directory}&port={postgres.port}"
        self.env = environment({"MIGRATIOND_MUTANT": mutant} if mutant else {})
        # what --once and a daemon are told alike
        self.args = ["--migrations", str(self.folder), "--database-url", self.url, "--lock", lock]
        self.connection = self.connect()
        self.execute(SETUP)
        self._made = 0
        self._callers = []
        self.undisturbed = None
        self.longest_lock_s = 0.0

    def connect(self):
        connection = self.database.connect()
        connection.cursor().execute("SET application_name = 'chaos'")
        return connection

    def execute(self, sql, *params, connection=None):
        cursor = (connection or self.connection).cursor()
        cursor.execute(sql, params or None)
        return cursor.fetchall() if cursor.description else []

    # -- doing

    def empty(self):
        self.execute(EMPTY)

    def break_folder(self):
        self._write_broken(BROKEN[4][1])

    def repair_folder(self):
        """The broken file is mended, as its author would."""
        self._write_broken(PLAIN[4][1])

    def _write_broken(self, sql):
        tag = BROKEN[4][0]
        folder_module.write(self.folder / f"{tag}.sql", sql.format(mark=MARKER.format(tag)))

    def answer_doubt(self, document):
        """What an operator does who is asked whether a statement ran: look,
        and say so. A sentence when that does not work."""
        migration = (document.get("error") or {}).get("migration")
        ran = [m for m, _ in self.state().markers if m == migration]
        daemon = Daemon(self.directory / "operator", *self.args, env=self.env)
        try:
            daemon.start()
            wait_until(lambda: migration in daemon.states(), what=f"{migration} is listed")
            got = daemon.post("/repair", json={"migration": migration, "action": "applied" if ran else "retry"})
            daemon.stop()
        finally:
            daemon.kill()
        return [] if got.status == 200 else [f"POST /repair for {migration}: {got.status} {got.text[:300]}"]

    def callers(self, count):
        """Connections to look with, one for each caller of a daemon."""
        while len(self._callers) < count:
            self._callers.append(self.connect())
        return self._callers[:count]

    def start(self, *args, env=None, name=None):
        self._made += 1
        base = ["--once", "--log-format", "json", "--log-level", "error"]
        return Process(self, [*base, *self.args, *args], {**self.env, **(env or {})}, name or f"once{self._made % 8}")

    def trace(self):
        """The places that an undisturbed run passes: [(name, n)], n counting
        those of the same name. Leaves the database as that run does."""
        path = self.directory / "trace"
        path.unlink(missing_ok=True)
        self.start(env={"MIGRATIOND_FAILPOINT": f"trace={path}"}).wait()
        passed, seen = [], {}
        for name in path.read_text(encoding="utf-8").split():
            seen[name] = seen.get(name, 0) + 1
            passed.append((name, seen[name]))
        return passed

    def terminate_one(self):
        """End a random session of migrationd; how many were ended (0 or 1)."""
        return self.execute(TERMINATE)[0][0]

    # -- looking

    def state(self, connection=None):
        def ask(sql):
            return self.execute(sql, connection=connection)

        # the rows first: what is recorded then must have its marker
        rows = []
        if ask("SELECT to_regclass('drizzle.__drizzle_migrations')")[0][0]:
            rows = ask("SELECT created_at, xmin::text, hash FROM drizzle.__drizzle_migrations ORDER BY id")
        markers = ask("SELECT id, xmin::text FROM chaos.markers ORDER BY seq")
        return State(markers, [(self._by_when.get(when, when), xmin, sha) for when, xmin, sha in rows])

    def has_lease(self):
        return self.execute("SELECT to_regclass('migrationd.locks') IS NOT NULL")[0][0]

    def expire(self):
        """As if nothing had happened for longer than a lease lasts."""
        if self.has_lease():
            self.execute("UPDATE migrationd.locks SET expires_at = now() - interval '1 s' WHERE name ~ '^lease/'")

    def settle(self):
        """Until no session of migrationd is left. A sentence when that takes
        longer than a dead daemon's lock may live."""
        started = time.monotonic()
        while self.execute(OTHERS)[0][0]:
            waited = time.monotonic() - started
            if waited > TIMEOUT_S:
                return [f"sessions are left after {waited:.0f} s"]
            time.sleep(0.001)
        waited = time.monotonic() - started
        self.longest_lock_s = max(self.longest_lock_s, waited)
        bad = [f"the lock was free only after {waited:.1f} s"] if waited > LOCK_FREE_S else []
        if self.execute(LOCKS)[0][0]:
            bad.append("a lock is held, and no session is there")
        self.expire()
        return bad

    def left(self, dump=False):
        """Schema and rows, as texts to compare."""
        lines = self.execute(CATALOG_SQL, ["chaos", "migrationd"])
        left = {"schema": "\n".join(line for line, in lines)}
        tables = self.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'"
                              " AND relnamespace = 'public'::regnamespace ORDER BY 1")
        for name, in tables:
            left[name] = self.execute(f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM {name} AS t")[0][0]
        left["tracking"] = [(when, sha) for when, _, sha in self.state().rows]
        if dump:
            left["pg_dump"] = self.database.schema_dump(("migrationd", "chaos"))
        return left
