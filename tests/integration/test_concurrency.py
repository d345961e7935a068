# SPDX-License-Identifier: PostgreSQL
"""However many callers and daemons: every migration once, one answer."""

import collections
import concurrent.futures
import signal

import pytest

from harness.daemon import applied_ids
from harness.folder import drizzle_add, tables
from harness.wait import wait_until

CALLERS = 50
# inserted before its table is filled by the rest: a second run would show
COUNTED = "INSERT INTO effects (name) VALUES ('{name}'); SELECT pg_sleep(0.02);"


def marked(count):
    """Migrations whose effects can be counted."""
    return [("0000_effects", "CREATE TABLE effects (name text);"
             + COUNTED.format(name="0000_effects"))] + [
        (f"{i:04d}_m{i}", COUNTED.format(name=f"{i:04d}_m{i}"))
        for i in range(1, count)]


def effects(database):
    return collections.Counter(
        r[0] for r in database.query("SELECT name FROM effects"))


def post_all(daemons, callers):
    """`callers` POST /apply to each daemon, all in flight together."""
    work = [daemon for daemon in daemons for _ in range(callers)]
    with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
        futures = [(daemon, pool.submit(daemon.apply, timeout=120))
                   for daemon in work]
        return [(daemon, future.result()) for daemon, future in futures]


def test_three_daemons_fifty_callers_each(serve, drizzle, database):
    migrations = marked(12)
    folder = drizzle(migrations)
    daemons = [serve(folder) for _ in range(3)]
    answers = post_all(daemons, CALLERS)

    assert len(answers) == 150
    assert {a.status for _, a in answers} == {200}, [
        a for _, a in answers if a.status != 200][:2]
    assert effects(database) == {tag: 1 for tag, _ in migrations}
    assert len(database.drizzle_rows()) == len(migrations)

    applied = []
    for daemon in daemons:
        ids = {a.json()["id"] for d, a in answers if d is daemon}
        assert len(ids) == 1, "one run for each daemon"
        assert ('migrationd_runs_total{operation="apply"} 1\n'
                in daemon.get("/metrics").text)
        run = daemon.get(f"/runs/{ids.pop()}").json()
        applied += [m["id"] for m in run["applied"]]
        assert daemon.wait_verdict("current")
    assert sorted(applied) == [tag for tag, _ in migrations]


def test_a_waiting_daemon_says_who_holds_the_lock(serve, drizzle, database,
                                                  gate):
    folder = drizzle([("0000_slow", gate.sql)])
    first, second = serve(folder), serve(folder)
    assert first.apply(Prefer="respond-async").status == 202
    gate.wait()
    started = second.apply(Prefer="respond-async")

    def waits():
        run = second.get(started.headers["Location"]).json()
        lock = second.status()["lock"]
        return run["state"] == "lock" and lock["held"] and lock["holder"]
    assert "pid" in str(wait_until(waits))
    gate.open()
    run = wait_until(lambda: (got := second.get(
        started.headers["Location"]).json())["finished_at"] and got, 10)
    assert run["outcome"] == "succeeded"
    assert run["applied"] == []
    assert run["lock_wait_seconds"] > 0
    assert len(database.drizzle_rows()) == 1


def test_the_lock_of_a_killed_daemon_is_free_at_once(serve, drizzle, database):
    if database.version < 14:
        pytest.skip("PostgreSQL 13 looks after its client only when it has "
                    "an answer for it (client_connection_check_interval: 14)")
    folder = drizzle([("0000_slow", "CREATE TABLE slow (id int);"
                                    "SELECT pg_sleep(60);")])
    first = serve(folder)
    assert first.apply(Prefer="respond-async").status == 202
    wait_until(lambda: database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
        " '%%pg_sleep(60)%%' AND pid <> pg_backend_pid()"), 5)
    first.kill()

    def ended():
        return database.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database"
            " WHERE datname = current_database())") == 0
    wait_until(ended, what="the dead daemon's lock is gone")
    assert not database.has_table("slow")
    assert database.drizzle_rows() == []


def test_no_session_is_left_behind(serve, sample, database):
    daemon = serve(sample)
    for _ in range(5):
        assert daemon.apply().status == 200
    wait_until(lambda: database.sessions() <= 2, 10,
               what="at most two connections when idle")


def test_once_beside_daemons(serve, once, drizzle, database):
    migrations = marked(6)
    folder = drizzle(migrations)
    daemon = serve(folder)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = pool.submit(daemon.apply, timeout=60)
        ended = [f.result() for f in [pool.submit(once, folder)
                                      for _ in range(5)]]
        assert asked.result().status == 200
    assert [e.returncode for e in ended] == [0] * 5, ended
    assert effects(database) == {tag: 1 for tag, _ in migrations}


# -- a run that comes too early for what is asked -------------------------------

def begin(daemon, **kwargs):
    return daemon.post("/apply", Prefer="respond-async", **kwargs).json()


def ended(daemon, run):
    return wait_until(lambda: (r := daemon.get(f"/runs/{run['id']}").json())
                      ["state"] == "done" and r, 30)


@pytest.fixture
def at_its_journal(serve, drizzle, database):
    """A run that has concluded and cannot be journalled yet; a file came
    since. -> daemon, run; let(): it may."""
    folder = drizzle(tables(1))
    daemon = serve(folder, options={"refresh_interval": "1s"})
    assert daemon.apply().status == 200
    drizzle_add(folder, "0001_b", "CREATE TABLE b (id int);\n")
    with database.connect() as blocker, blocker.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE migrationd.runs")
        run = begin(daemon)
        wait_until(lambda: daemon.status()["run"]["state"] == "journal")
        drizzle_add(folder, "0002_c", "CREATE TABLE c (id int);\n")
        yield daemon, run, lambda: cursor.execute("ROLLBACK")


def test_a_caller_behind_the_outcome_gets_a_run_of_its_own(
        at_its_journal, database):
    daemon, old, let = at_its_journal
    mine, others = begin(daemon), begin(daemon)
    assert not mine["joined"] and mine["state"] == "new"
    assert others["joined"] and others["id"] == mine["id"] != old["id"]
    # one waits, no more
    assert mine["id"] in daemon.post("/rollback", json={"steps": 1}).problem(
        409)["detail"]
    let()
    assert applied_ids(ended(daemon, old)) == ["0001_b"]
    assert applied_ids(ended(daemon, mine)) == ["0002_c"]
    assert "public.c" in database.tables()
    assert daemon.status()["run"] is None


def test_another_kind_of_run_waits_for_the_journal(at_its_journal):
    daemon, old, let = at_its_journal
    mine = daemon.post("/baseline", json={"all": True, "force": True},
                       Prefer="respond-async")
    assert mine.status == 202
    let()
    ended(daemon, old)
    assert applied_ids(ended(daemon, mine.json())) == ["0002_c"]


def test_a_run_that_waits_can_be_cancelled(at_its_journal, database):
    daemon, old, let = at_its_journal
    mine = begin(daemon)
    assert daemon.post(f"/runs/{mine['id']}/cancel").status == 202
    let()
    assert ended(daemon, mine)["outcome"] == "cancelled"
    assert ended(daemon, old)["outcome"] == "succeeded"
    assert "public.c" not in database.tables()
    assert daemon.apply().json()["outcome"] == "succeeded"
    assert "public.c" in database.tables()


def test_a_run_that_waits_when_the_daemon_stops(at_its_journal):
    daemon, _, let = at_its_journal
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(daemon.apply)
        wait_until(lambda: len(daemon.get("/runs").json()["runs"]) == 3)
        daemon.signal(signal.SIGTERM)
        let()
        answer.result(30).problem(503, "CANCELLED")
    assert daemon.process.wait(timeout=10) == 0


def test_a_file_that_came_during_the_run(serve, drizzle, gate):
    """Whoever put it there and asks then is not told that all is well before
    it is applied."""
    folder = drizzle([("0000_a", gate.sql)])
    daemon = serve(folder)
    old = begin(daemon)
    gate.wait()
    assert begin(daemon)["id"] == old["id"]
    drizzle_add(folder, "0001_b", "CREATE TABLE b (id int);\n")
    mine = begin(daemon)
    assert mine["id"] != old["id"]
    # what cannot be queued behind a run that goes on is refused as before
    assert daemon.post("/rollback", json={"steps": 1}).status == 409
    gate.open()
    assert applied_ids(ended(daemon, old)) == ["0000_a"]
    assert applied_ids(ended(daemon, mine)) == ["0001_b"]


def test_who_waits_behind_a_run_can_be_cancelled(serve, drizzle, gate):
    folder = drizzle([("0000_a", gate.sql)])
    daemon = serve(folder)
    old = begin(daemon)
    gate.wait()
    drizzle_add(folder, "0001_b", "CREATE TABLE b (id int);\n")
    mine = begin(daemon)
    assert daemon.post(f"/runs/{mine['id']}/cancel").status == 202
    # at once, not when the other one ends; and it takes nobody with it
    assert ended(daemon, mine)["outcome"] == "cancelled"
    other = begin(daemon)
    assert other["id"] not in (old["id"], mine["id"])
    assert daemon.post(f"/runs/{other['id']}/cancel").status == 202
    assert daemon.post(f"/runs/{old['id']}/cancel",
                       json={"mode": "now"}).status == 202
    assert ended(daemon, old)["outcome"] == "cancelled"
    gate.open()
    assert applied_ids(ended(daemon, begin(daemon))) == ["0000_a", "0001_b"]


def test_who_asks_after_a_reload_has_a_run_of_its_own(serve, drizzle,
                                                      workdir, gate):
    """What a run in progress does is of the configuration that it began with."""
    data = workdir / "data"
    data.mkdir()
    (data / "2024-03-15_a.sql").write_text("SELECT 1;\n")
    daemon = serve(drizzle([("0000_a", gate.sql)]), options={"data": data})
    old = begin(daemon)
    gate.wait()
    text = daemon.config_path.read_text()
    daemon.config_path.write_text("\n".join(
        line for line in text.splitlines()
        if not line.startswith("data")) + "\n")
    assert daemon.post("/reload").status == 200
    mine = begin(daemon)
    assert mine["id"] != old["id"]
    gate.open()
    assert ended(daemon, old)["outcome"] == "succeeded"
    assert ended(daemon, mine)["outcome"] == "succeeded"


def test_a_file_that_came_during_the_run_is_applied_by_itself(
        serve, drizzle, database, gate):
    folder = drizzle([("0000_a", gate.sql)])
    daemon = serve(folder, "--apply-on-change", options={"settle": "50ms"})
    begin(daemon)
    gate.wait()
    drizzle_add(folder, "0001_b", "CREATE TABLE b (id int);\n")
    wait_until(lambda: len(daemon.states()) == 2)
    gate.open()
    wait_until(lambda: "public.b" in database.tables())


def test_who_asks_during_a_run_by_itself_has_failures_tried_again(
        serve, drizzle, database, workdir, gate):
    """Such a run leaves them out, for nobody asked."""
    data = workdir / "data"
    data.mkdir()
    (data / "2024-03-15_a.sql").write_text("INSERT INTO later VALUES (1);\n")
    folder = drizzle([("0000_a", "SELECT 1;")])
    daemon = serve(folder, "--apply-on-change",
                   options={"settle": "50ms", "data": data})
    assert daemon.apply().json()["failed"] == 1
    database.query("CREATE TABLE later (id int)")
    drizzle_add(folder, "0001_b", gate.sql)
    gate.wait()
    mine = begin(daemon)
    assert not mine["joined"]
    gate.open()
    assert applied_ids(ended(daemon, mine)) == ["2024-03-15_a"]
