# SPDX-License-Identifier: PostgreSQL
"""However many callers and daemons: every migration once, one answer."""

import collections
import concurrent.futures

import pytest

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


def test_a_waiting_daemon_says_who_holds_the_lock(serve, drizzle, database):
    folder = drizzle([("0000_slow", "SELECT pg_sleep(4);")])
    first, second = serve(folder), serve(folder)
    assert first.apply(Prefer="respond-async").status == 202
    wait_until(lambda: first.status()["lock"]["held"], 5)
    started = second.apply(Prefer="respond-async")

    def waits():
        run = second.get(started.headers["Location"]).json()
        lock = second.status()["lock"]
        return run["state"] == "lock" and lock["held"] and lock["holder"]
    assert "pid" in str(wait_until(waits, 5))
    run = wait_until(lambda: (got := second.get(
        started.headers["Location"]).json())["finished_at"] and got, 10)
    assert run["outcome"] == "succeeded"
    assert run["applied"] == []
    assert run["lock_wait_seconds"] > 0.2
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
    wait_until(ended, 3, what="the dead daemon's lock is gone")
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
