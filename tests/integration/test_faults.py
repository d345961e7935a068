# SPDX-License-Identifier: PostgreSQL
"""The server and the network fail in the middle: the caller hears the truth,
and the next apply leaves what an undisturbed one would have left."""

import contextlib
import signal
import subprocess
import threading
import time
from datetime import datetime

import pytest

from harness.daemon import applied_ids, runs_of
from harness.postgres import Postgres, with_admin
from harness.probes import assert_prompt
from harness.process import is_root
from harness.proxy import Proxy
from harness.wait import wait_until

A, B, C = "0000_a", "0001_b", "0002_c"
# what is counted would show that a migration ran twice
COUNTED = "CREATE TABLE {0} (id int); INSERT INTO {0} VALUES (1);"
THREE = [(A, COUNTED.format("a")), (B, COUNTED.format("b")),
         (C, COUNTED.format("c"))]


@pytest.fixture
def proxy(postgres):
    made = Proxy(postgres.port)
    yield made
    made.close()


@pytest.fixture
def through(proxy, database, start_daemon):
    """through(folder, ...) -> a daemon whose connections go by the proxy."""
    def start(folder, *args, **kwargs):
        return start_daemon("--migrations", folder, "--database-url",
                            proxy.url(database), *args, **kwargs)
    return start


def in_background(daemon, **kwargs):
    """POST /apply on a thread; call the result for the answer."""
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(daemon.apply(timeout=90, **kwargs)),
        daemon=True)
    thread.start()

    def answer(timeout=60):
        thread.join(timeout)
        assert answers, f"no answer to POST /apply within {timeout} s"
        return answers[0]
    answer.waiting = thread.is_alive
    return answer


def assert_undisturbed(database, count=3):
    """As if nothing had happened: each table with its one row, each
    migration recorded once."""
    assert len(database.drizzle_rows()) == count
    for table in ("a", "b", "c")[:count]:
        assert database.value(f"SELECT count(*) FROM {table}") == 1, table


def assert_heals(daemon, database, count=3):
    """The next apply completes without repair by hand."""
    got = wait_until(lambda: (r := daemon.apply(timeout=60)).status == 200
                     and r, 30, 0.2)
    assert_undisturbed(database, count)
    daemon.wait_verdict("current")
    return got


def backend_of(database, query):
    """The process that runs a statement like `query`."""
    return wait_until(lambda: database.query(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
        " AND query LIKE %s", f"%{query}%"), 10)[0][0]


def our_locks(database):
    return database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND"
        " database = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())")


# -- the connection is lost ------------------------------------------------------

# (side, message, what it says): where the connection breaks, phase by phase
PHASES = {
    "probe": ("client", None, rb"pg_is_in_recovery"),
    "answer to probe": ("server", "D", rb"on|off"),
    "lock": ("client", None, rb"pg_try_advisory_lock"),
    "prepare": ("client", None, rb"__drizzle_migrations"),
    "begin": ("client", "Q", rb"BEGIN"),
    "first part": ("client", "Q", rb"CREATE TABLE b"),
    "answer to a part": ("server", "C", rb"INSERT 0 1"),
    "record": ("client", None, rb"INSERT INTO .*__drizzle_migrations"),
    "commit": ("client", "Q", rb"^COMMIT\0"),
    "journal": ("client", None, rb"INSERT INTO migrationd.runs"),
    "unlock": ("client", None, rb"pg_advisory_unlock\("),
}


@pytest.mark.parametrize("how", ["cut", "half_close"])
@pytest.mark.parametrize("phase", PHASES)
def test_connection_lost(through, proxy, drizzle, database, phase, how):
    daemon = through(drizzle(THREE))
    daemon.wait_verdict("pending")
    rule = proxy.on(*PHASES[phase], how)
    got = daemon.apply(timeout=60)
    rule.wait()
    assert got.status in (200, 503), repr(got)
    if got.status == 503:
        assert got.problem(503, "NETWORK_ERROR")["retryable"] is True
    else:
        assert_undisturbed(database)
    proxy.heal()
    assert_heals(daemon, database)


def test_what_a_run_has_seen_is_known_without_a_look(through, proxy, drizzle,
                                                     database):
    # the connection that looks never gets ready, that of the run does
    lost = proxy.on("server", "Z", b"", "swallow")
    daemon = through(drizzle([("0000_a", "CREATE TABLE a (id int);")]),
                     options={"connect_timeout": "60s"})
    lost.wait()
    assert daemon.verdict() == "unreachable"
    assert daemon.get("/current").status == 503
    assert daemon.apply().status == 200
    status = daemon.status()
    assert status["verdict"] == "current" and status["counts"]["applied"] == 1
    assert status["database"]["name"] == database.name
    assert status["tracking"] == {
        "kind": "drizzle", "table": "drizzle.__drizzle_migrations",
        "exists": True}
    assert daemon.get("/current").status == 200


def test_a_look_that_began_before_the_run_tells_nothing_after_it(
        through, proxy, drizzle, database):
    """The rows as they were before the run are on their way meanwhile."""
    one = ("0000_a", "CREATE TABLE a (id int);")
    folder = drizzle([one])
    daemon = through(folder)
    assert daemon.apply().status == 200
    daemon.wait_verdict("current")
    looks = [threading.Event(), threading.Event()]
    held = proxy.on("server", "T", b"created_at",
                    lambda _: looks[0].wait(60))
    asked = threading.Thread(target=daemon.get, args=("/check",))
    asked.start()
    held.wait()
    drizzle([one, ("0001_b", "CREATE TABLE b (id int);")])
    assert daemon.apply().status == 200
    held = proxy.on("server", "T", b"created_at",
                    lambda _: looks[1].wait(60))
    looks[0].set()
    held.wait()
    counts = daemon.status()["counts"]
    assert (counts["applied"], counts["pending"]) == (2, 0)
    looks[1].set()
    asked.join()


def test_an_unreadable_journal_is_said_once(serve, drizzle, own_postgres,
                                            start_daemon):
    database = own_postgres.createdb()
    daemon = start_daemon(
        "--migrations", drizzle([("0000_a", "SELECT 1;")]), "--database-url",
        database.url, options={"refresh_interval": "1s"})
    assert daemon.apply().status == 200
    database.execute(
        # another run, for the look behind the apply may know that one already
        "UPDATE migrationd.runs SET id = gen_random_uuid(), migrations = "
        "jsonb_set(migrations, '{0,duration_seconds}', '\"soon\"')")
    wait_until(lambda: "the journal cannot be read" in daemon.stderr(), 20)
    before = len(own_postgres.log())
    wait_until(lambda: own_postgres.log_count("migrationd.runs", before) > 6, 20)
    assert daemon.stderr().count("the journal cannot be read") == 1
    daemon.stop()


def test_connection_refused_for_a_while_is_waited_for(through, proxy, drizzle,
                                                      database):
    daemon = through(drizzle(THREE))
    daemon.wait_verdict("pending")
    proxy.refuse()
    proxy.cut()
    answer = in_background(daemon)
    wait_until(lambda: "cannot connect yet" in daemon.stderr(), 10)
    proxy.heal()
    assert answer().status == 200
    assert_undisturbed(database)


# -- what became of COMMIT -------------------------------------------------------

def test_the_answer_to_commit_is_lost(through, proxy, drizzle, database):
    """It was committed: the caller hears so, as if nothing had happened."""
    daemon = through(drizzle(THREE))
    daemon.wait_verdict("pending")
    rule = proxy.on("client", "Q", rb"^COMMIT\0", lambda _: proxy.on(
        "server", "C", rb"^COMMIT\0", "cut"), nth=2)
    got = daemon.apply(timeout=60)
    rule.wait()
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == [A, B, C]
    assert_undisturbed(database)


def test_commit_itself_is_lost(through, proxy, drizzle, database):
    """It was not committed: looked for, not found, done again."""
    daemon = through(drizzle(THREE))
    daemon.wait_verdict("pending")
    rule = proxy.on("client", "Q", rb"^COMMIT\0", "cut", nth=2)
    got = daemon.apply(timeout=60)
    rule.wait()
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == [A, B, C]
    assert_undisturbed(database)


def test_a_commit_that_arrives_late(through, proxy, drizzle, database):
    """The daemon loses the connection at COMMIT, which reaches the server
    only later: whoever just reconnects and looks sees no row, and applies
    twice. The old session's lock has to be waited for."""
    daemon = through(drizzle(THREE))
    daemon.wait_verdict("pending")
    old = []

    def hold(connection):
        connection.hold()
        old.append(connection)

    proxy.on("client", "Q", rb"^COMMIT\0", hold, nth=2)
    answer = in_background(daemon)
    wait_until(lambda: old, 20)
    # as long as the old session may still commit, nobody else applies
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        assert our_locks(database) == 1
        assert len(database.drizzle_rows()) == 1
    old[0].release()
    got = answer()
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == [A, B, C]
    assert_undisturbed(database)


# -- the server stalls -----------------------------------------------------------

def test_probes_answer_while_the_server_is_stalled(through, proxy, drizzle,
                                                   database):
    daemon = through(drizzle(THREE))
    daemon.wait_verdict("pending")
    rule = proxy.on("client", "Q", rb"CREATE TABLE b", "stall")
    answer = in_background(daemon)
    rule.wait()
    assert_prompt(daemon, 2, "/livez", "/metrics", "/status")
    assert answer.waiting()
    assert daemon.status()["run"]["current"] == B
    proxy.heal()
    assert answer().status == 200
    assert_undisturbed(database)


@pytest.mark.parametrize("side", ["client", "server"])
def test_sigterm_ends_a_daemon_whose_server_fell_silent(
        through, proxy, drizzle, database, side):
    """One direction goes nowhere: the daemon must end all the same, and the
    session that it leaves must not commit."""
    daemon = through(drizzle([
        (A, COUNTED.format("a")),
        (B, COUNTED.format("b") + "SELECT pg_sleep(0.5);")]))
    daemon.wait_verdict("pending")
    rule = proxy.on("client", "Q", rb"CREATE TABLE b",
                    lambda _: proxy.drop(side))
    in_background(daemon)
    rule.wait()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "stop" in daemon.stderr().lower(), 5)
    daemon.signal(signal.SIGTERM)
    daemon.process.wait(timeout=20)
    proxy.cut()
    wait_until(lambda: our_locks(database) == 0, 10)
    assert len(database.drizzle_rows()) == 1
    assert not database.has_table("b")


# -- what an administrator does --------------------------------------------------

def test_terminated_backend_and_then_again(serve, drizzle, database, gate):
    daemon = serve(drizzle(THREE[:1] + [
        (B, COUNTED.format("b") + gate.sql)]))
    answer = in_background(daemon)
    database.execute("SELECT pg_terminate_backend(%s)", *gate.wait())
    gate.open()
    got = answer()
    assert got.status in (200, 503), repr(got)
    if got.status == 503:
        assert got.problem(503, "NETWORK_ERROR")["sqlstate"] == "57P01"
    assert_heals(daemon, database, 2)


def test_cancelled_backend_is_a_failed_migration(serve, drizzle, database):
    daemon = serve(drizzle([(A, "SELECT pg_sleep(30);")]))
    answer = in_background(daemon)
    database.execute("SELECT pg_cancel_backend(%s)",
                     backend_of(database, "pg_sleep(30)"))
    got = answer()
    assert got.problem(422)["sqlstate"] == "57014"
    assert daemon.states()[A] == "failed"


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_restarted_during_a_run(start_daemon, drizzle, own_postgres,
                                       gate_of, mode):
    database = own_postgres.createdb()
    gate = gate_of(own_postgres)  # the server takes it along
    daemon = start_daemon(
        "--migrations", drizzle(THREE[:1] + [
            (B, COUNTED.format("b") + gate.sql)]),
        "--database-url", database.url)
    answer = in_background(daemon)
    gate.wait()
    own_postgres.restart(mode)
    got = answer()
    assert got.status in (200, 503), repr(got)
    assert_heals(daemon, database, 2)
    daemon.stop()


def test_restarts_while_applies_go_on(start_daemon, drizzle, own_postgres):
    """Immediate stops at moments that nobody chose."""
    database = own_postgres.createdb()
    migrations = [(f"{i:04d}_m", COUNTED.format(f"t{i}")
                   + "SELECT pg_sleep(0.05);") for i in range(24)]
    daemon = start_daemon("--migrations", drizzle(migrations),
                          "--database-url", database.url)
    for _ in range(3):
        answer = in_background(daemon)
        before = len(database.drizzle_rows()) if database.has_table(
            "drizzle.__drizzle_migrations") else 0
        wait_until(lambda: database.has_table("drizzle.__drizzle_migrations")
                   and len(database.drizzle_rows()) > before, 60)
        own_postgres.restart("immediate")
        assert answer().status in (200, 503)
    wait_until(lambda: daemon.apply(timeout=60).status == 200, 30, 0.2)
    assert len(database.drizzle_rows()) == len(migrations)
    for i in range(len(migrations)):
        assert database.value(f"SELECT count(*) FROM t{i}") == 1
    daemon.stop()


# -- no room ---------------------------------------------------------------------

@contextlib.contextmanager
def all_connections_taken(database, user):
    """Every connection that `user` may have is taken by another."""
    taken = []
    try:
        while True:
            try:
                taken.append(database.connect(user))
            except Exception as error:
                assert "connections" in str(error), error
                break
        yield
    finally:
        for connection in taken:
            connection.close()


@pytest.fixture
def limited(database):
    """A role with few connections and all rights."""
    role = f"limited_{database.name}"
    database.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 4;"
                     f'ALTER DATABASE "{database.name}" OWNER TO {role}')
    yield role
    database.execute(f'ALTER DATABASE "{database.name}" OWNER TO postgres;'
                     f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_too_many_connections_is_waited_for(start_daemon, drizzle, database,
                                            limited):
    with all_connections_taken(database, limited):
        daemon = start_daemon("--migrations", drizzle(THREE),
                              "--database-url", database.url_as(limited))
        answer = in_background(daemon)
        wait_until(lambda: "cannot connect yet" in daemon.stderr(), 10)
        assert answer.waiting()
    assert answer().status == 200
    assert_undisturbed(database)
    daemon.stop()


def test_too_many_connections_for_too_long(start_daemon, drizzle, database,
                                           limited):
    with all_connections_taken(database, limited):
        daemon = start_daemon("--migrations", drizzle(THREE),
                              "--database-url", database.url_as(limited),
                              "--connect-wait", "1s")
        got = daemon.apply(timeout=30)
        problem = got.problem(503, "NETWORK_ERROR")
        assert problem["sqlstate"] == "53300"
        assert problem["retryable"] is True
        assert int(got.headers["Retry-After"]) >= 1
        assert got.seconds > 0.9, "waited before it gave up"
    assert_heals(daemon, database)
    daemon.stop()


@pytest.fixture
def small_tablespace(own_postgres):
    """A tablespace of 4 MB."""
    path = own_postgres.directory / "small"
    path.mkdir()
    as_root = [] if is_root() else ["env", "sudo", "-n"]
    owner = own_postgres.directory.stat()
    mounted = subprocess.run(
        [*as_root, "mount", "-t", "tmpfs", "-o", "size=4m,mode=0700,"
         f"uid={owner.st_uid},gid={owner.st_gid}", "tmpfs", path],
        capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        own_postgres.stop("immediate")
        subprocess.run([*as_root, "umount", path], check=True)


def test_disk_full(start_daemon, drizzle, own_postgres, small_tablespace):
    database = own_postgres.createdb()
    own_postgres_admin = own_postgres.connect("postgres")
    own_postgres_admin.cursor().execute(
        f"CREATE TABLESPACE small LOCATION '{small_tablespace}'")
    own_postgres_admin.close()
    ballast = small_tablespace / "ballast"
    fill = ("CREATE TABLE b (id int, filler text) TABLESPACE small;"
            "INSERT INTO b SELECT 1, repeat('x', 1000)"
            " FROM generate_series(1, 1000);")
    daemon = start_daemon(
        "--migrations", drizzle([(A, COUNTED.format("a")), (B, fill)]),
        "--database-url", database.url)
    ballast.write_bytes(b"x" * (3 << 20))
    got = daemon.apply(timeout=30)
    problem = got.problem(422, "SQL_ERROR")
    assert problem["sqlstate"] == "53100"
    assert problem["migration"] == B
    assert len(database.drizzle_rows()) == 1
    assert not database.has_table("b")
    assert daemon.get("/livez").status == 200

    ballast.unlink()
    assert daemon.apply(timeout=30).status == 200
    assert database.value("SELECT count(*) FROM b") == 1000
    daemon.stop()


# -- standby ---------------------------------------------------------------------

@pytest.fixture
def standby(own_postgres):
    """A hot standby of own_postgres, made of its files at rest, so that every
    version can do it."""
    own_postgres.stop("fast")
    made = Postgres(standby_of=own_postgres)
    own_postgres.start()
    try:
        yield made.start()
    finally:
        made.destroy()


def test_standby_refuses_and_once_promoted_works(start_daemon, drizzle,
                                                 own_postgres, standby):
    database = own_postgres.createdb()
    replica = standby.database(database.name)
    wait_until(lambda: replica.exists(), 20, what="the database is replicated")
    daemon = start_daemon("--migrations", drizzle(THREE), "--database-url",
                          replica.url, "--apply-on-start",
                          "--refresh-interval", "1s")
    daemon.wait_verdict("pending")
    started = len(standby.log())
    got = daemon.apply(timeout=30)
    problem = got.problem(503, "NETWORK_ERROR")
    assert problem["sqlstate"] == "25006"
    assert "standby" in problem["detail"]
    assert got.seconds < 20, "refused, not tried again for a minute"
    status = daemon.status()
    assert status["database"]["in_recovery"] is True
    assert all(s == "pending" for s in daemon.states().values())

    # nobody asks: nothing is tried
    runs = len(runs_of(daemon.get("/runs")))
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        assert len(runs_of(daemon.get("/runs"))) == runs
    assert standby.log_count("pg_try_advisory_lock", started) == 0

    replica.execute("SELECT pg_promote()")
    wait_until(lambda: not replica.value("SELECT pg_is_in_recovery()"), 30)
    assert daemon.apply(timeout=30).status == 200
    assert_undisturbed(replica)
    daemon.stop()


def test_standby_promoted_in_the_middle_of_waiting(
        start_daemon, drizzle, own_postgres, standby):
    """Nobody asks again: what was to be applied at the start is, as soon as
    it can be."""
    database = own_postgres.createdb()
    replica = standby.database(database.name)
    wait_until(lambda: replica.exists(), 20)
    daemon = start_daemon("--migrations", drizzle(THREE), "--database-url",
                          replica.url, "--apply-on-start",
                          "--refresh-interval", "1s")
    daemon.wait_verdict("pending")
    replica.execute("SELECT pg_promote()")
    daemon.wait_verdict("current", timeout=30)
    assert_undisturbed(replica)
    daemon.stop()


def test_a_failing_wish_is_repeated_with_longer_pauses(
        serve, drizzle, database):
    """The database is read only for now: apply_on_start goes on trying, and
    not as fast as it can."""
    read_only = (f'ALTER DATABASE "{database.name}"'
                 " SET default_transaction_read_only = ")
    database.execute(read_only + "on")
    daemon = serve(drizzle(THREE), "--apply-on-start",
                   "--refresh-interval", "1s")

    def ended():
        runs = [run for run in runs_of(daemon.get("/runs"))
                if run["finished_at"]]
        return runs[::-1] if len(runs) >= 4 else None

    runs = wait_until(ended, 60)
    for run, following, pause in zip(runs, runs[1:], (1, 2, 4)):
        began = datetime.fromisoformat(following["started_at"])
        gap = began - datetime.fromisoformat(run["finished_at"])
        assert gap.total_seconds() > pause - 0.01  # they are rounded
    with_admin(database.postgres, read_only + "off")
    daemon.wait_verdict("current", timeout=30)


def test_standby_first_in_the_list(start_daemon, drizzle, own_postgres,
                                   standby):
    """The way out that the refusal names."""
    database = own_postgres.createdb()
    replica = standby.database(database.name)
    wait_until(lambda: replica.exists(), 20)
    daemon = start_daemon(
        "--migrations", drizzle(THREE), "--database-url",
        f"postgresql://postgres@127.0.0.1:{standby.port},"
        f"127.0.0.1:{own_postgres.port}/{database.name}"
        "?target_session_attrs=read-write")
    assert daemon.apply(timeout=30).status == 200
    assert_undisturbed(database)
    daemon.stop()


# -- the lease of a run that lost its connection ---------------------------------

def lease_ends(database):
    """As if its holder had not been heard of for as long as a lease lasts."""
    database.execute("UPDATE migrationd.locks SET expires_at = now()"
                     " - interval '1 s' WHERE name LIKE 'lease/%%'")


@pytest.mark.parametrize("what", ["first part", "record", "journal"])
def test_the_next_run_takes_the_lease_of_the_dead_one(through, proxy, drizzle,
                                                      database, what):
    daemon = through(drizzle(THREE), "--lock", "lease")
    daemon.wait_verdict("pending")
    rule = proxy.on(*PHASES[what], "cut")
    first = daemon.apply(timeout=60)
    rule.wait()
    assert first.status == (200 if what == "journal" else 503), repr(first)
    held = "SELECT token FROM migrationd.locks WHERE name LIKE %s AND expires_at > now()"
    before = database.query(held, "lease/%")
    assert before and before[0][0], "nobody could give it back"
    fence = database.value("SELECT token FROM migrationd.locks WHERE name LIKE 'fence/%%'")
    assert before[0][0] == fence

    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert got.seconds < 15, "it is its own lease that it waited for"
    assert_undisturbed(database)
    assert database.value("SELECT token FROM migrationd.locks"
                          " WHERE name LIKE 'fence/%%'") > fence, "a token of its own"


def test_a_lease_is_left_to_a_statement_that_may_go_on(through, proxy, drizzle,
                                                       database):
    """What runs outside a transaction has no fence: the lease has to run out."""
    daemon = through(drizzle([(A, THREE[0][1]),
                              (B, "CREATE INDEX CONCURRENTLY i ON a (id);")]),
                     "--lock", "lease", "--lock-wait", "2s")
    daemon.wait_verdict("pending")
    rule = proxy.on("client", None, rb"CREATE INDEX CONCURRENTLY", "cut")
    daemon.apply(timeout=60).problem(503, "NETWORK_ERROR")
    rule.wait()
    for _ in range(2):
        daemon.apply(timeout=60).problem(503, "LOCK_TIMEOUT")
    lease_ends(database)
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert database.value("SELECT indisvalid FROM pg_index"
                          " WHERE indexrelid = 'i'::regclass")


def test_a_lease_goes_to_no_earlier_run(through, proxy, drizzle, database):
    """One that is still on its way when a later run of its process has the lease."""
    daemon = through(drizzle(THREE), "--lock", "lease", "--lock-wait", "2s")
    daemon.wait_verdict("pending")
    proxy.on(*PHASES["first part"], "cut")
    daemon.apply(timeout=60).problem(503, "NETWORK_ERROR")
    later = "split_part(token, '/', 1) || '/' || repeat('9', 20)"
    database.execute(f"UPDATE migrationd.locks SET token = {later}")
    daemon.apply(timeout=60).problem(503, "LOCK_TIMEOUT")
    lease_ends(database)
    assert daemon.apply(timeout=60).status == 200
    assert_undisturbed(database)


# what is lost -> (message of the client, is it its answer, of a run that did its work)
LOST = {
    "try": (rb"SKIP LOCKED", False, False),
    "answer to try": (rb"SKIP LOCKED", True, False),
    "release": (rb"SET token = '', holder = ''", False, True),
    "answer to release": (rb"SET token = '', holder = ''", True, True),
}


@pytest.mark.parametrize("what", LOST)
def test_a_lease_whose_fate_is_not_known(through, proxy, drizzle, database, what):
    """Taken, given back or neither: the next run of the daemon has it at its first
    try, and another daemon waits no longer than it lasts."""
    message, of_answer, done = LOST[what]
    folder = drizzle(THREE)
    daemon = through(folder, "--lock", "lease")
    daemon.wait_verdict("pending")
    rule = proxy.on("client", "Q", message,
                    (lambda c: c.half_close()) if of_answer else "cut")
    first = daemon.apply(timeout=60)
    rule.wait()
    assert first.status == (200 if done else 503), repr(first)
    if done:
        wait_until(lambda: "the lock could not be given back" in daemon.stderr(), 10)
        assert "pg_advisory_unlock_all" not in daemon.stderr()
    proxy.heal()
    lease = ("SELECT token <> '' AND expires_at > now() FROM migrationd.locks"
             " WHERE name LIKE 'lease/%'")
    held = what in ("answer to try", "release")
    wait_until(lambda: database.value(lease) is held, 10)
    if held:  # however slow what follows is
        database.execute("UPDATE migrationd.locks SET expires_at = expires_at"
                         " + interval '1 hour' WHERE name LIKE 'lease/%%'")

    beside = through(folder, "--lock", "lease", "--lock-wait", "1s")
    got = beside.apply(timeout=60)
    if held:
        assert "pid " in got.problem(503, "LOCK_TIMEOUT")["detail"]
        got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert "waiting for the lock" not in daemon.stderr()
    assert_undisturbed(database)
    assert database.value(lease) is False
