# SPDX-License-Identifier: PostgreSQL
"""The traps of PostgreSQL that other runners fell into: CREATE INDEX
CONCURRENTLY above all, which waits for every older snapshot and leaves an
invalid index when it may not."""

import contextlib
import threading
import time

import pytest

from harness.daemon import applied_ids
from harness.folder import write
from harness.wait import wait_until

INDEX, TABLE = "0001_index", "0000_table"
MADE = (TABLE, "CREATE TABLE t (id int, x int);"
               " INSERT INTO t SELECT g, g FROM generate_series(1, 100) g;")
CONCURRENTLY = "CREATE INDEX CONCURRENTLY t_x ON t (x);"


def is_valid(database, index="t_x"):
    rows = database.query(
        "SELECT indisvalid AND indisready FROM pg_index JOIN pg_class c"
        " ON c.oid = indexrelid WHERE relname = %s", index)
    return bool(rows and rows[0][0])


def building(database, query="CREATE INDEX CONCURRENTLY"):
    """The process that waits in it."""
    return wait_until(lambda: database.query(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active'"
        " AND datname = current_database() AND query LIKE %s"
        " AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()",
        f"%{query}%"), 15)[0][0]


@contextlib.contextmanager
def old_snapshot(database):
    """A transaction that an index has to wait for."""
    connection = database.connect()
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    cursor.execute("SELECT count(*) FROM t")
    try:
        yield connection
    finally:
        connection.close()


def apply_behind(daemon):
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(daemon.apply(timeout=60)), daemon=True)
    thread.start()

    def answer():
        thread.join(60)
        return answers[0]
    return answer


@pytest.fixture
def with_table(serve, drizzle):
    """A daemon that has made the table; more(sql) adds the index's file."""
    folder = drizzle([MADE])
    daemons = [serve(folder)]
    assert daemons[0].apply().status == 200

    def more(sql, *options):
        drizzle([MADE, (INDEX, sql)])
        if options:
            daemons.append(serve(folder, *options))
        daemon = daemons[-1]
        wait_until(lambda: daemon.states()[INDEX] == "pending", 10)
        return daemon
    return more


# -- CREATE INDEX CONCURRENTLY ----------------------------------------------------

def test_who_waits_for_the_lock_is_in_no_indexs_way(with_table, serve,
                                                    drizzle, database):
    """A waiter that blocks in pg_advisory_lock() and the index that waits
    for the waiter's snapshot are a deadlock (golang-migrate, tern, Prisma):
    the index is left invalid."""
    with old_snapshot(database):
        first = with_table(CONCURRENTLY)
        answer = apply_behind(first)
        building(database)
        others = [serve(drizzle([MADE, (INDEX, CONCURRENTLY)]))
                  for _ in range(3)]
        waiting = [apply_behind(other) for other in others]
        for other in others:
            wait_until(lambda o=other: (o.status()["run"] or {}).get("state")
                       == "lock", 10)
        # all have polled a few times
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            assert database.value(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                " AND NOT granted") == 0, "nobody waits inside the server"
    assert answer().status == 200
    assert [a().status for a in waiting] == [200] * 3
    assert is_valid(database)
    assert len(database.drizzle_rows()) == 2


def test_no_transaction_of_ours_is_open_meanwhile(with_table, database):
    """Nothing but the index itself may hold a snapshot: neither the session
    with the lock, nor those that watch and read for /status."""
    with old_snapshot(database) as reader:
        daemon = with_table(CONCURRENTLY)
        answer = apply_behind(daemon)
        builder = building(database)
        theirs = reader.info.backend_pid
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            assert daemon.get("/status").status == 200
            assert database.query(
                "SELECT pid, state, query FROM pg_stat_activity WHERE"
                " datname = current_database() AND state LIKE 'idle in%%'"
                " AND pid NOT IN (%s, %s)", builder, theirs) == []
            assert database.query(
                "SELECT pid, query FROM pg_stat_activity WHERE"
                " datname = current_database() AND backend_xmin IS NOT NULL"
                " AND state = 'idle'") == []
    assert answer().status == 200
    assert is_valid(database)


@pytest.mark.parametrize("option", ["--ddl-lock-timeout",
                                    "--statement-timeout"])
def test_timeouts_are_not_for_an_index(with_table, database, option):
    """A lock_timeout in the middle of it leaves an invalid index, and
    IF NOT EXISTS then takes that for the real one."""
    daemon = with_table(CONCURRENTLY, option, "300ms")
    with old_snapshot(database):
        answer = apply_behind(daemon)
        building(database)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            assert (daemon.status()["run"] or {}).get("current") == INDEX
    assert answer().status == 200
    assert is_valid(database)


def test_timeouts_of_the_role_neither(with_table, database):
    """They are left behind by many a platform."""
    daemon = with_table(CONCURRENTLY)
    database.execute(f'ALTER DATABASE "{database.name}"'
                     " SET statement_timeout = '300ms'")
    database.execute(f'ALTER DATABASE "{database.name}"'
                     " SET lock_timeout = '300ms'")
    with old_snapshot(database):
        answer = apply_behind(daemon)
        building(database)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert daemon.status()["run"]["current"] == INDEX
    assert answer().status == 200
    assert is_valid(database)


@pytest.mark.parametrize("sql", [
    CONCURRENTLY, CONCURRENTLY.replace("t_x", "IF NOT EXISTS t_x")],
    ids=["plain", "if-not-exists"])
def test_an_index_cut_short_is_built_anew(with_table, database, sql):
    """Its session is ended in the middle: what is left is invalid. The next
    apply must not take it for done, nor fail over its name."""
    daemon = with_table(sql)
    with old_snapshot(database):
        answer = apply_behind(daemon)
        database.execute("SELECT pg_terminate_backend(%s)",
                         building(database))
    assert answer().status in (200, 503)
    wait_until(lambda: daemon.apply(timeout=30).status == 200, 20, 0.2)
    assert is_valid(database)
    assert len(database.drizzle_rows()) == 2


def test_an_index_cancelled_by_an_administrator(with_table, database):
    daemon = with_table(CONCURRENTLY)
    with old_snapshot(database):
        answer = apply_behind(daemon)
        database.execute("SELECT pg_cancel_backend(%s)", building(database))
        assert answer().problem(422)["sqlstate"] == "57014"
    assert not is_valid(database)
    assert len(database.drizzle_rows()) == 1
    assert daemon.apply(timeout=30).status == 200
    assert is_valid(database)


def test_a_unique_index_over_duplicates(with_table, database):
    database.execute("INSERT INTO t VALUES (1, 1)")
    daemon = with_table("CREATE UNIQUE INDEX CONCURRENTLY t_x ON t (x);")
    assert daemon.apply(timeout=30).problem(422)["sqlstate"] == "23505"
    assert len(database.drizzle_rows()) == 1
    # it fails again for the reason that it had, not over its own leftover
    assert daemon.apply(timeout=30).problem(422)["sqlstate"] == "23505"
    database.execute("DELETE FROM t WHERE ctid = (SELECT max(ctid) FROM t)")
    assert daemon.apply(timeout=30).status == 200
    assert is_valid(database)


@pytest.mark.parametrize("sql", [
    "DROP INDEX CONCURRENTLY t_id;",
    "DROP INDEX CONCURRENTLY IF EXISTS t_id;",
    "REINDEX TABLE CONCURRENTLY t;",
    "REINDEX (VERBOSE) INDEX CONCURRENTLY t_id;",
    "VACUUM (ANALYZE) t;",
    "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY m;",
])
def test_others_that_cannot_share(with_table, database, sql):
    if "DETACH" in sql and database.version < 14:
        pytest.skip("DETACH ... CONCURRENTLY came with PostgreSQL 14")
    for setup in ("CREATE INDEX t_id ON t (id)",
                  "CREATE TABLE p (id int) PARTITION BY RANGE (id)",
                  "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9)",
                  "CREATE MATERIALIZED VIEW m AS SELECT DISTINCT id FROM t",
                  "CREATE UNIQUE INDEX m_id ON m (id)"):
        database.execute(setup)
    daemon = with_table(sql + "\nCREATE TABLE behind (id int);")
    assert daemon.apply(timeout=30).status == 200
    assert database.has_table("behind")
    assert len(database.drizzle_rows()) == 2
    assert database.value("SELECT count(*) FROM pg_index"
                          " WHERE NOT indisvalid") == 0


# -- transactions -----------------------------------------------------------------

COMMITS = ("DO $$ BEGIN INSERT INTO t VALUES (0, 1); COMMIT;"
           " INSERT INTO t VALUES (0, 2); END $$;")


@pytest.mark.parametrize("around", [
    COMMITS, "CREATE TABLE before (id int);\n" + COMMITS,
    COMMITS + "\nCREATE TABLE after (id int);"],
    ids=["alone", "behind", "before"])
def test_a_do_that_commits(with_table, database, around):
    """2D000 in any transaction of ours, and in a string of several."""
    daemon = with_table(around)
    assert daemon.apply(timeout=30).status == 200
    assert database.value("SELECT count(*) FROM t WHERE id = 0") == 2
    assert len(database.drizzle_rows()) == 2


def test_a_file_that_commits_and_then_fails(with_table, database):
    """Its first half is there to stay: it is neither recorded nor repeated,
    and once it is mended the rest follows."""
    first = "BEGIN;\nCREATE TABLE a (id int);\nCOMMIT;\n"
    daemon = with_table(first + "SELECT 1/0;\n")
    assert daemon.apply(timeout=30).problem(422)["sqlstate"] == "22012"
    assert database.has_table("a")
    assert len(database.drizzle_rows()) == 1
    files = [p for p in daemon.get("/migrations").json()["migrations"]
             if p["id"] == INDEX]
    assert files[0]["state"] == "failed"


def test_what_a_file_sets_is_not_the_next_ones(serve, drizzle, database):
    """set_config(..., false) outlives COMMIT: pg_dump's files do that."""
    daemon = serve(drizzle([
        (TABLE, "SELECT pg_catalog.set_config('search_path', '', false);"
                " CREATE TABLE public.t (id int);"),
        (INDEX, "CREATE TABLE unqualified (id int);"
                " INSERT INTO t VALUES (1);")]))
    assert daemon.apply(timeout=30).status == 200
    assert database.has_table("public.unqualified")


def test_advisory_locks_of_a_file_are_its_own(serve, drizzle, database):
    """pg_advisory_unlock_all() drops ours too: another daemon may be in."""
    daemon = serve(drizzle([
        (TABLE, "SELECT pg_advisory_lock(1), pg_advisory_lock(2);"
                " CREATE TABLE a (id int);"),
        (INDEX, "SELECT pg_advisory_unlock_all(); CREATE TABLE b (id int);")]))
    assert daemon.apply(timeout=30).status == 200
    assert len(database.drizzle_rows()) == 2
    wait_until(lambda: database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND"
        " database = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())") == 0, 5)


# -- rights -----------------------------------------------------------------------

def test_nothing_is_created_that_is_there(serve, start_daemon, drizzle,
                                          database):
    """CREATE SCHEMA IF NOT EXISTS asks for the right to create one even when
    it exists; the role that runs migrations often has none any more."""
    role = f"narrow_{database.name}"
    folder = drizzle([MADE])
    assert serve(folder).apply().status == 200
    database.execute(f"CREATE ROLE {role} LOGIN")
    try:
        database.execute(
            f"GRANT USAGE ON SCHEMA drizzle TO {role};"
            f"GRANT ALL ON ALL TABLES IN SCHEMA drizzle TO {role};"
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA drizzle TO {role};"
            f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        drizzle([MADE, (INDEX, "CREATE TABLE mine (id int);")])
        daemon = start_daemon("--migrations", folder, "--database-url",
                              database.url_as(role))
        got = daemon.apply(timeout=30)
        assert got.status == 200, repr(got)
        assert applied_ids(got.json()) == [INDEX]
        assert database.value("SELECT tableowner FROM pg_tables"
                              " WHERE tablename = 'mine'") == role
        daemon.stop()
    finally:
        database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")
