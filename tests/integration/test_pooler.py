# SPDX-License-Identifier: PostgreSQL
"""Behind a connection pooler: each migration exactly once all the same, and
nothing of ours is left in sessions that belong to others."""

import collections
import concurrent.futures
import hashlib
import signal
import threading

import pytest

from harness.daemon import applied_ids
from harness.pgbouncer import PgBouncer
from harness.proxy import Proxy
from harness.wait import wait_until

A, B = "0000_a", "0001_b"


@pytest.fixture(scope="module", params=["transaction", "session"])
def pooler(request, postgres):
    # a session for each client, or a few for all
    sizes = {"transaction": 4, "session": 100}
    made = PgBouncer(postgres, request.param, sizes[request.param])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shared(postgres):
    """In transaction mode, and with one server session for all clients."""
    made = PgBouncer(postgres, "transaction", pool_size=1)
    yield made
    made.stop()


@pytest.fixture
def behind(database, start_daemon):
    """behind(pooler, folder, ...) -> a daemon that knows the pooler alone."""
    def start(pooler, folder, *args, **kwargs):
        return start_daemon("--migrations", folder, "--database-url",
                            pooler.url(database), *args, **kwargs)
    return start


def leases(database):
    return database.query("SELECT token <> '' AND expires_at > now()"
                          " FROM migrationd.locks WHERE name LIKE 'lease/%%'")


def expire(database):
    """As if its holder had not been heard of for as long as a lease lasts."""
    database.execute("UPDATE migrationd.locks SET expires_at = now()"
                     " - interval '1 s' WHERE name LIKE 'lease/%%'")


def in_background(daemon):
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(daemon.apply(timeout=90)), daemon=True)
    thread.start()

    def answer(timeout=60):
        thread.join(timeout)
        assert answers, "no answer to POST /apply"
        return answers[0]
    return answer


def run_at(daemon, migration):
    wait_until(lambda: (daemon.status()["run"] or {}).get("current")
               == migration, 15)


def test_as_if_there_were_none(pooler, behind, sample, database, postgres,
                               once):
    daemon = behind(pooler, sample)
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert daemon.wait_verdict("current")["database"]["pooled"] is True
    assert leases(database) == [(False,)], "given back"
    beside = postgres.createdb()
    assert once(sample, url=beside.url).returncode == 0
    assert database.schema_dump() == beside.schema_dump()
    assert database.drizzle_rows() == beside.drizzle_rows()
    postgres.dropdb(beside.name)


def test_no_lease_where_none_is_needed(serve, sample, database):
    assert serve(sample).apply().status == 200
    assert not database.has_table("migrationd.locks")


def test_the_lease_is_seen_while_it_is_held(pooler, behind, drizzle,
                                            database, gate):
    folder = drizzle([(A, gate.sql)])
    daemon = behind(pooler, folder, "--instance", "pod-1")
    beside = behind(pooler, folder)
    answer = in_background(daemon)
    gate.wait()
    assert leases(database) == [(True,)]
    waiting = in_background(beside)
    run = wait_until(lambda: (r := beside.status()["run"])
                     and r["lock_holder"] and r, 10)
    assert "migrationd pod-1, pid " in run["lock_holder"]
    lock = beside.status()["lock"]
    assert lock["held"] is True and "pod-1" in lock["holder"]
    gate.open()
    assert answer().status == 200
    assert applied_ids(waiting().json()) == []


def test_the_lease_is_renewed(pooler, behind, drizzle, database, gate):
    """Every ten seconds, over a connection of its own."""
    daemon = behind(pooler, drizzle([(A, gate.sql)]))
    answer = in_background(daemon)
    gate.wait()
    end = "SELECT expires_at FROM migrationd.locks WHERE name LIKE 'lease/%'"
    first = database.value(end)
    renewed = wait_until(lambda: (v := database.value(end)) > first and v, 20)
    assert (renewed - first).total_seconds() > 9
    gate.open()
    assert answer().status == 200
    assert leases(database) == [(False,)]


def test_races(pooler, behind, drizzle, database):
    counted = "INSERT INTO effects VALUES ('{0}'); SELECT pg_sleep(0.01);"
    migrations = [(A, "CREATE TABLE effects (name text);"
                   + counted.format(A))] + [
        (f"{i:04d}_m", counted.format(f"{i:04d}_m")) for i in range(1, 10)]
    folder = drizzle(migrations)
    daemons = [behind(pooler, folder) for _ in range(4)]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = [f.result() for f in [
            pool.submit(daemon.apply, timeout=120)
            for daemon in daemons for _ in range(10)]]
    assert {a.status for a in answers} == {200}, [
        a for a in answers if a.status != 200][:2]
    assert collections.Counter(r[0] for r in database.query(
        "SELECT name FROM effects")) == {m[0]: 1 for m in migrations}
    assert len(database.drizzle_rows()) == len(migrations)


# -- dying, and coming back too late ------------------------------------------------

def test_a_killed_daemons_work_is_taken_over(pooler, behind, drizzle,
                                             database, gate):
    folder = drizzle([(A, "CREATE TABLE a (id int);"),
                      (B, "CREATE TABLE b (id int);" + gate.sql)])
    first = behind(pooler, folder)
    assert first.apply(Prefer="respond-async").status == 202
    gate.wait()
    first.kill()
    gate.open()
    second = behind(pooler, folder)
    answer = in_background(second)
    wait_until(lambda: (second.status()["run"] or {}).get("state") == "lock",
               10)
    expire(database)
    got = answer()
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == [B]
    assert len(database.drizzle_rows()) == 2


def test_who_wakes_up_late_trips_over_the_fence(pooler, behind, drizzle,
                                                database, gate):
    """It stood still for longer than its lease lasts; another has done its
    work since. Nothing of it may be committed."""
    slow = drizzle([(A, "CREATE TABLE log (who text);"),
                    (B, gate.sql + "INSERT INTO log VALUES ('b');")])
    first = behind(pooler, slow)
    answer = in_background(first)
    gate.wait()
    first.signal(signal.SIGSTOP)
    try:
        gate.open()
        expire(database)
        second = behind(pooler, slow)
        got = second.apply(timeout=60)
        assert got.status == 200, repr(got)
        assert applied_ids(got.json()) == [B]
    finally:
        first.signal(signal.SIGCONT)
    late = answer()
    assert late.status in (200, 409, 503), repr(late)
    if late.status == 200:
        assert B not in applied_ids(late.json())
    assert database.value("SELECT count(*) FROM log") == 1
    assert len(database.drizzle_rows()) == 2
    assert first.apply(timeout=60).status == 200


def test_an_open_transaction_keeps_its_fence(pooler, behind, drizzle,
                                             database):
    """The lease is gone, the transaction at its COMMIT is not: whoever comes
    has to wait for it."""
    folder = drizzle([(A, "CREATE TABLE a (id int);")])
    assert behind(pooler, folder).apply().status == 200
    held = database.hold_lock("SELECT 1 FROM migrationd.locks"
                              " WHERE name LIKE 'fence/%' FOR UPDATE")
    drizzle([(A, "CREATE TABLE a (id int);"), (B, "CREATE TABLE b ();")])
    daemon = behind(pooler, folder)
    answer = in_background(daemon)
    wait_until(lambda: (daemon.status()["run"] or {}).get("lock_attempts", 0)
               > 3 or (daemon.status()["run"] or {}).get("state") == "lock",
               10)
    assert not database.has_table("b")
    held.close()
    assert answer().status == 200
    assert database.has_table("b")


def test_the_answer_to_commit_is_lost(pooler, behind, drizzle, database):
    proxy = Proxy(pooler.port)
    try:
        daemon = behind(proxy, drizzle([
            (A, "CREATE TABLE a (id int); INSERT INTO a VALUES (1);"),
            (B, "CREATE TABLE b (id int); INSERT INTO b VALUES (1);")]))
        rule = proxy.on("client", "Q", rb"^COMMIT\0", lambda _: proxy.on(
            "server", "C", rb"^COMMIT\0", "cut"), nth=2)
        got = daemon.apply(timeout=60)
        rule.wait()
        assert got.status == 200, repr(got)
        assert applied_ids(got.json()) == [A, B]
        assert database.value("SELECT count(*) FROM b") == 1
        assert len(database.drizzle_rows()) == 2
        daemon.stop()
    finally:
        proxy.close()


# -- the sessions are others' ---------------------------------------------------------

SETTINGS = ("search_path", "statement_timeout", "lock_timeout", "role",
            "idle_in_transaction_session_timeout", "synchronous_commit",
            "DateStyle", "client_min_messages", "standard_conforming_strings",
            "default_transaction_isolation", "tcp_keepalives_idle")


def settings(pooler, database):
    connection = pooler.connect(database.name)
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT " + ", ".join(
            f"current_setting('{name}')" for name in SETTINGS))
        return dict(zip(SETTINGS, cursor.fetchone()))
    finally:
        connection.close()


def test_nothing_is_left_in_a_shared_session(shared, behind, drizzle,
                                             database):
    """What a file sets for its session, as pg_dump's do, would be set for
    the application."""
    before = settings(shared, database)
    daemon = behind(shared, drizzle([
        (A, "SET search_path = ''; SET statement_timeout = '5s';"
            " SET DateStyle = 'German'; SET ROLE pg_monitor; RESET ROLE;"
            " SELECT pg_catalog.set_config('lock_timeout', '1s', false);"
            " CREATE TABLE public.a (id int);"),
        (B, "CREATE TABLE unqualified (id int);")]))
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert database.has_table("public.unqualified")
    daemon.wait_verdict("current")
    assert settings(shared, database) == before


def test_what_others_left_does_not_count(shared, behind, drizzle, database):
    connection = shared.connect(database.name)
    connection.cursor().execute("SET search_path = 'nowhere';"
                                " SET statement_timeout = '50ms'")
    connection.close()
    daemon = behind(shared, drizzle([
        (A, "CREATE TABLE a (id int); SELECT pg_sleep(0.2);")]))
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert database.has_table("public.a")


@pytest.mark.parametrize("sql", [
    "CREATE INDEX CONCURRENTLY a_id ON a (id);",
    "CREATE TABLE more (id int);\nVACUUM a;\nCREATE TABLE most (id int);"],
    ids=["index", "mixed"])
def test_what_runs_outside_a_transaction(pooler, behind, drizzle, database,
                                         sql):
    daemon = behind(pooler, drizzle([
        (A, "CREATE TABLE a (id int);"), (B, sql)]))
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert len(database.drizzle_rows()) == 2
    assert database.value("SELECT count(*) FROM pg_index"
                          " WHERE NOT indisvalid") == 0


@pytest.mark.parametrize("sql, line", [
    ("CREATE TABLE app.b (id int);\nSET search_path = app;\n"
     "CREATE INDEX CONCURRENTLY a_id ON a (id);", 2),
    ("-- migrationd: no-transaction\nSET search_path = app;\n"
     "CREATE INDEX a_id ON a (id);", 2)], ids=["segments", "no-transaction"])
def test_what_a_session_would_have_to_keep(pooler, behind, drizzle, database,
                                           sql, line):
    """Refused before anything of it ran; both ways out work. Run, it would
    not find its table, or another's of that name."""
    database.execute("CREATE TABLE public.a (id int)")
    folder = drizzle([(A, "CREATE SCHEMA app; CREATE TABLE app.a (id int);"),
                      (B, sql)])
    daemon = behind(pooler, folder)
    problem = daemon.apply(timeout=60).problem(409, "CONFIGURATION")
    assert problem["statement"]["line"] == line, problem
    assert "pooler" in problem["detail"], problem
    for way in ("database_direct_url", "app.users"):
        assert way in problem["hint"], problem
    assert not database.has_table("app.a")
    assert database.drizzle_rows() == []

    direct = behind(pooler, folder, "--database-direct-url", database.url)
    got = direct.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert database.query("SELECT tablename FROM pg_indexes WHERE indexname"
                          " = 'a_id' AND schemaname = 'app'") == [("a",)]


# -- the ways out ---------------------------------------------------------------------

def test_direct_url(shared, behind, drizzle, database, gate):
    daemon = behind(shared, drizzle([(A, gate.sql)]),
                    "--database-direct-url", database.url)
    answer = in_background(daemon)
    gate.wait()
    assert database.value("SELECT count(*) FROM pg_locks"
                          " WHERE locktype = 'advisory'") >= 1
    gate.open()
    assert answer().status == 200
    assert not database.has_table("migrationd.locks")


def test_advisory_in_a_shared_session_is_refused(shared, behind, drizzle,
                                                 database):
    """The server grants it to both, for it sees one session."""
    folder = drizzle([(A, "CREATE TABLE a (id int);")])
    first = behind(shared, folder, "--lock", "advisory")
    assert first.apply(timeout=60).status == 200
    # taken by another client, through the same server session
    other = shared.connect(database.name)
    other.cursor().execute(
        "SELECT pg_advisory_lock(%s)", [lock_key(database)])
    drizzle([(A, "CREATE TABLE a (id int);"), (B, "CREATE TABLE b ();")])
    second = behind(shared, folder, "--lock", "advisory")
    got = second.apply(timeout=60)
    problem = got.problem(category="CONFIGURATION")
    assert "lock = lease" in problem["hint"]
    assert not database.has_table("b")
    other.cursor().execute("SELECT pg_advisory_unlock_all()")
    other.close()


def lock_key(database):
    """The key of the drizzle table of this database: a promise to other
    releases."""
    names = ("migrationd", database.name, "drizzle", "__drizzle_migrations")
    digest = hashlib.sha256(b"".join(n.encode() + b"\0" for n in names))
    return int.from_bytes(digest.digest()[:8], "big", signed=True)


def test_without_the_right_to_make_the_lease(behind, start_daemon, drizzle,
                                             database, postgres):
    role = f"narrow_{database.name}"
    database.execute(f"CREATE ROLE {role} LOGIN;"
                     "CREATE SCHEMA drizzle;"
                     f"GRANT ALL ON SCHEMA drizzle, public TO {role}")
    try:
        daemon = start_daemon(
            "--migrations", drizzle([(A, "CREATE TABLE a (id int);")]),
            "--database-url", database.url_as(role), "--lock", "lease")
        problem = daemon.apply(timeout=30).problem(422, "PERMISSION_DENIED")
        assert "migrationd.locks" in problem["hint"]
        assert "database_direct_url" in problem["hint"]
        assert not database.has_table("a")
        database.execute(
            "CREATE SCHEMA migrationd;"
            f"GRANT ALL ON SCHEMA migrationd TO {role}")
        assert daemon.apply(timeout=30).status == 200
        daemon.stop()
    finally:
        database.execute(f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_statement_mode_cannot_work(postgres, behind, drizzle, database):
    """It forbids transactions: said so, and nothing done."""
    pooler = PgBouncer(postgres, "statement")
    try:
        daemon = behind(pooler, drizzle([(A, "CREATE TABLE a (id int);")]))
        got = daemon.apply(timeout=30)
        assert got.status >= 400, repr(got)
        assert "statement pooling" in got.text
        assert not database.has_table("a")
        daemon.stop()
    finally:
        pooler.stop()
