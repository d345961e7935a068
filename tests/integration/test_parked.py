# SPDX-License-Identifier: PostgreSQL
"""A migration that failed is parked: it is not tried again by itself until its
content changes or a person asks, also by a daemon that was started since.
/status says what to type, and typing it works."""


import pytest

from harness.daemon import applied_ids, runs_of
from harness.folder import drizzle_add, write
from harness.wait import wait_until

BROKEN = "INSERT INTO nowhere VALUES (1);"
MENDED = "CREATE TABLE nowhere (id int);"
MIGRATIONS = [("0000_a", "CREATE TABLE a (id int);"), ("0001_b", BROKEN)]
QUICK = {"settle": "50ms", "rescan_interval": "1s", "refresh_interval": "1s"}


@pytest.fixture
def eager(serve):
    """A daemon that applies whenever it may."""
    def start(folder, **options):
        return serve(folder, "--apply-on-start", "--apply-on-change",
                     options={**QUICK, **options})
    return start


def tries(postgres, before):
    """How often the server saw the broken statement."""
    return postgres.log_count(f"statement: {BROKEN}", after=before)


def wait_declined(daemon, times=1):
    """Wait until the daemon has thought of applying, and left it."""
    wait_until(lambda: daemon.stderr().count("not applied: a migration")
               >= times, 10)


def test_it_is_tried_once(eager, drizzle, postgres, database):
    before = len(postgres.log())
    folder = drizzle(MIGRATIONS)
    daemon = eager(folder)
    status = daemon.wait_verdict("failed")
    assert tries(postgres, before) == 1

    # another file is no reason to try this one again
    drizzle_add(folder, "0002_c", "CREATE TABLE c (id int);")
    wait_declined(daemon)
    assert tries(postgres, before) == 1
    assert len(database.drizzle_rows()) == 1
    assert daemon.states() == {"0000_a": "applied", "0001_b": "failed",
                               "0002_c": "pending"}

    advice = daemon.status()["advice"]
    assert "mend 0001_b.sql, then POST /apply" in advice
    run = status["last_run"]["id"]
    assert f"GET /runs/{run}" in advice
    assert daemon.get(f"/runs/{run}").json()["error"]["sqlstate"] == "42P01"


def test_a_change_of_it_is_tried(eager, drizzle, postgres, database):
    before = len(postgres.log())
    folder = drizzle(MIGRATIONS)
    daemon = eager(folder)
    daemon.wait_verdict("failed")
    write(folder / "0001_b.sql", MENDED)
    daemon.wait_verdict("current")
    assert tries(postgres, before) == 1
    assert database.has_table("nowhere")


def test_a_person_may_ask(eager, drizzle, postgres, database):
    before = len(postgres.log())
    daemon = eager(drizzle(MIGRATIONS))
    daemon.wait_verdict("failed")
    daemon.apply().problem(422, "SQL_ERROR")
    assert tries(postgres, before) == 2
    # the database was mended, not the file
    database.execute("CREATE TABLE nowhere (id int)")
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert daemon.verdict() == "current"


def test_other_runs_do_not_unpark_it(eager, drizzle, postgres):
    before = len(postgres.log())
    folder = drizzle(MIGRATIONS)
    daemon = eager(folder)
    daemon.wait_verdict("failed")
    got = daemon.apply(json={"target": "0000_a"})
    assert got.status == 200, repr(got)
    assert daemon.states()["0001_b"] == "failed"
    drizzle_add(folder, "0002_c", "SELECT 1;")
    wait_declined(daemon)
    assert tries(postgres, before) == 1
    assert "mend 0001_b.sql" in daemon.status()["advice"]


def test_a_restart_does_not_unpark_it(eager, drizzle, postgres, database):
    before = len(postgres.log())
    folder = drizzle(MIGRATIONS)
    first = eager(folder)
    failed = first.wait_verdict("failed")["last_run"]["id"]
    first.stop()

    second = eager(folder)
    status = second.wait_verdict("failed")
    wait_declined(second)
    assert tries(postgres, before) == 1
    assert [r["id"] for r in runs_of(second.get("/runs"))] == [failed]
    assert "0001_b failed" in status["sentence"]
    assert "nowhere" in status["sentence"]
    assert "mend 0001_b.sql, then POST /apply" in status["advice"]
    assert f"GET /runs/{failed}" in status["advice"]

    # what it says, typed
    write(folder / "0001_b.sql", MENDED)
    second.wait_verdict("current")
    assert tries(postgres, before) == 1
    second.stop()
    third = eager(folder)
    assert third.wait_verdict("current")


def test_killed_again_and_again(eager, drizzle, postgres):
    before = len(postgres.log())
    folder = drizzle(MIGRATIONS)
    for _ in range(4):
        daemon = eager(folder)
        daemon.wait_verdict("failed")
        wait_until(lambda: runs_of(daemon.get("/runs"))[-1]["outcome"]
                   == "failed", 5)
        daemon.kill()
    assert tries(postgres, before) == 1


def test_mended_while_no_daemon_ran(eager, drizzle, postgres, database):
    before = len(postgres.log())
    folder = drizzle(MIGRATIONS)
    first = eager(folder)
    first.wait_verdict("failed")
    first.stop()
    write(folder / "0001_b.sql", MENDED)
    second = eager(folder)
    second.wait_verdict("current")
    assert tries(postgres, before) == 1
    run = runs_of(second.get("/runs"))[0]
    assert applied_ids(run) == ["0001_b"]


def test_a_person_may_ask_after_a_restart(eager, drizzle, database):
    folder = drizzle(MIGRATIONS)
    first = eager(folder)
    first.wait_verdict("failed")
    first.stop()
    database.execute("CREATE TABLE nowhere (id int)")
    second = eager(folder)
    second.wait_verdict("failed")
    assert second.apply().status == 200
    assert second.verdict() == "current"


def test_applied_by_another_tool_meanwhile(eager, drizzle, database):
    folder = drizzle(MIGRATIONS)
    first = eager(folder)
    first.wait_verdict("failed")
    first.stop()
    # what drizzle-orm writes when it succeeds where we failed
    database.execute(
        "INSERT INTO drizzle.__drizzle_migrations (hash, created_at)"
        " VALUES (encode(sha256(%s), 'hex'), 1700000060000)",
        BROKEN.encode())
    second = eager(folder)
    second.wait_verdict("current")


def test_a_lost_database_parks_nothing(start_daemon, drizzle, own_postgres,
                                       gate_of):
    """What was not the migration's fault is tried again by itself."""
    database = own_postgres.createdb()
    gate = gate_of(own_postgres)  # the server takes it along
    daemon = start_daemon(
        "--migrations", drizzle([("0000_slow", gate.sql)]),
        "--database-url", database.url, "--apply-on-start",
        options={**QUICK, "connect_wait": "1s"})
    gate.wait()
    own_postgres.stop("immediate")
    wait_until(lambda: any(r["outcome"] == "failed"
                           for r in runs_of(daemon.get("/runs"))), 20)
    own_postgres.start()
    daemon.wait_verdict("current", timeout=40)
    daemon.stop()
