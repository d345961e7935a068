# SPDX-License-Identifier: PostgreSQL
"""A statement that takes its time: who blocks it, who waits behind it, how far it is."""

import concurrent.futures
import time

import psycopg2
import pytest
from harness.wait import wait_until

ALTER = [("0000_t", "CREATE TABLE t (id int);"),
         ("0001_alter", "ALTER TABLE t ADD COLUMN name text;")]
HOLD = "SET application_name = 'report'; SELECT count(*) FROM t"
LOOKS = "pg_catalog.pg_blocking_pids"
PATIENT = {"ddl_lock_timeout": "60s"}


@pytest.fixture
def blocked(serve, drizzle, database):
    """blocked(options, url) -> the daemon, its run waiting for the holder,
    and the holder's connection."""
    holders = []

    def start(options=None, url=None):
        folder = drizzle(ALTER[:1])
        options = {**PATIENT, **(options or {})}
        args = ("--database-url", url) if url else ()
        daemon = serve(folder, *args, options=options)
        assert daemon.apply().status == 200
        holders.append(database.hold_lock(HOLD))
        drizzle(ALTER)
        started = daemon.apply(Prefer="respond-async")
        assert started.status == 202
        return daemon, started.headers["Location"], holders[0]

    yield start
    for holder in holders:
        holder.close()


def run_of(daemon, location):
    return daemon.get(location).json()


def wait_blocked(daemon, location, timeout=20):
    return wait_until(lambda: (run := run_of(daemon, location))["blockers"]
                      and run, timeout, what="the blocker is named")


def wait_done(daemon, location, timeout=20):
    return wait_until(lambda: (run := run_of(daemon, location))["outcome"]
                      and run, timeout, what="the run is done")


def test_a_blocker_is_named(blocked, database):
    daemon, location, holder = blocked()
    pid = holder.get_backend_pid()
    run = wait_blocked(daemon, location)
    assert len(run["blockers"]) == 1
    blocker = run["blockers"][0]
    assert 0 <= blocker.pop("age_seconds") < 10
    assert blocker == {"pid": pid, "application": "report",
                       "user": "postgres", "state": "idle in transaction",
                       "query": HOLD}
    assert run["wait_event"] == "Lock:relation"
    assert run["queued"] == 0 and run["progress"] is None

    status = daemon.status()
    assert status["run"]["blockers"][0]["pid"] == pid
    assert (f"waiting for a lock that pid {pid} (report as postgres, "
            "idle in transaction for " in status["sentence"])
    remedy = f"SELECT pg_terminate_backend({pid})"
    assert remedy in status["advice"]
    for page in "/status?format=text", location + "?format=text":
        text = daemon.get(page).text
        line = next(x for x in text.splitlines() if x.startswith("blocker "))
        assert f"pid {pid} (report" in line and remedy in line and HOLD in line
    metrics = daemon.get("/metrics").text
    assert "\nmigrationd_run_blockers 1\n" in metrics
    assert "\nmigrationd_run_queued_sessions 0\n" in metrics

    # typing it works
    database.execute(remedy)
    run = wait_done(daemon, location)
    assert run["outcome"] == "succeeded", run
    assert run["blockers"] == [] and run["wait_event"] is None
    # told once, however often it was looked at
    told = [x for x in daemon.log_lines() if "waiting for a lock that"
            in x["message"]]
    assert len(told) == 1, told
    assert told[0]["migration"] == "0001_alter"
    assert told[0]["remedy"] == remedy and told[0]["query"] == HOLD
    assert "\nmigrationd_run_blockers 0\n" in daemon.get("/metrics").text


def test_who_waits_behind_is_counted(blocked, database):
    daemon, location, holder = blocked()
    wait_blocked(daemon, location)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(database.value, "SELECT count(*) FROM t")
                   for _ in range(3)]
        run = wait_until(lambda: (run := run_of(daemon, location))["queued"]
                         == 3 and run, 5)
        assert len(run["blockers"]) == 1
        assert "\nmigrationd_run_queued_sessions 3\n" in daemon.get(
            "/metrics").text
        assert "queued    3 sessions " in daemon.get(
            location + "?format=text").text
        holder.close()
        assert [r.result(20) for r in readers] == [0, 0, 0]
    assert wait_done(daemon, location)["outcome"] == "succeeded"


def test_without_the_right_to_see_others(blocked, database):
    database.execute(
        "DROP ROLE IF EXISTS waiter; CREATE ROLE waiter LOGIN;"
        f'GRANT CREATE ON DATABASE "{database.name}" TO waiter;'
        "GRANT ALL ON SCHEMA public TO waiter")
    daemon, location, holder = blocked(url=database.url_as("waiter"))
    blocker = wait_blocked(daemon, location)["blockers"][0]
    assert blocker["pid"] == holder.get_backend_pid()
    assert blocker["application"] == "report"
    assert blocker["state"] is blocker["query"] is blocker["age_seconds"] \
        is None
    assert (f"pid {blocker['pid']} (report as postgres) holds"
            in daemon.status()["sentence"])
    holder.close()
    assert wait_done(daemon, location)["outcome"] == "succeeded"
    database.execute("DROP OWNED BY waiter CASCADE; DROP ROLE waiter")


def test_nothing_asked_of_quick_migrations(serve, drizzle, database):
    before = len(database.postgres.log())
    daemon = serve(drizzle([(f"{i:04d}_q", f"CREATE TABLE q{i} (id int);")
                            for i in range(5)]))
    assert daemon.apply().status == 200
    assert database.postgres.log_count(LOOKS, before) == 0


def test_a_lost_monitor_is_replaced_and_harms_nothing(blocked, database):
    daemon, location, holder = blocked()
    wait_blocked(daemon, location)

    def monitors():
        return {r[0] for r in database.query(
            "SELECT pid FROM pg_stat_activity WHERE query LIKE %s"
            " AND pid <> pg_backend_pid()", f"%{LOOKS}%")}
    first = monitors()
    assert len(first) == 1
    assert database.value("SELECT pg_terminate_backend(%s)", first.pop())
    second = wait_until(lambda: monitors() - first, 10)
    assert len(second) == 1
    assert run_of(daemon, location)["blockers"]
    holder.close()
    assert wait_done(daemon, location)["outcome"] == "succeeded"
    wait_until(lambda: not monitors(), 5)


def test_an_index_tells_percent_and_time_left(serve, drizzle, database):
    # 30,000 rows in some hundred blocks, one row of ten takes 2 ms
    daemon = serve(drizzle([
        ("0000_t", "CREATE TABLE t AS SELECT i AS id, repeat('x', 60) AS pad"
         " FROM generate_series(1, 30000) AS i;"
         "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql"
         " AS $$ BEGIN IF $1 % 10 = 0 THEN PERFORM pg_sleep(0.002); END IF;"
         " RETURN $1; END $$;"),
        ("0001_index", "CREATE INDEX t_slow ON t (slow(id));")]))
    started = time.monotonic()
    location = daemon.apply(Prefer="respond-async").headers["Location"]
    seen = []

    def look():
        run = run_of(daemon, location)
        progress = run["progress"]
        if progress and progress["percent"] and (
                not seen or progress["percent"] > seen[-1]["percent"]):
            seen.append({**progress, "at": time.monotonic(),
                         "sentence": daemon.status()["sentence"],
                         "ratio": daemon.get("/metrics").text})
        return run["outcome"]
    assert wait_until(look, 60, 0.1) == "succeeded"
    ended = time.monotonic()

    scan = [s for s in seen if s["phase"] == "building index: scanning table"]
    assert len(scan) >= 3, (seen, ended - started)
    told = [s for s in scan if s["eta_seconds"] is not None]
    assert told, scan
    for one in told:
        assert one["command"] == "CREATE INDEX" and one["unit"] == "blocks"
        assert 0 < one["done"] <= one["total"]
        assert one["percent"] == pytest.approx(100 * one["done"]
                                               / one["total"])
        assert one["rate_per_second"] > 0
    assert "% " not in told[0]["sentence"]
    assert " %, " in told[0]["sentence"] and " left" in told[0]["sentence"]
    assert "building index: scanning table" in told[0]["sentence"]
    # what it said was left is about what it took
    middle = min(told, key=lambda s: abs(s["percent"] - 50))
    real = ended - middle["at"]
    assert real / 2 - 1 < middle["eta_seconds"] < real * 2 + 1, (middle, real)
    ratio = next(float(x.split()[1]) for x in middle["ratio"].splitlines()
                 if x.startswith("migrationd_run_progress_ratio "))
    assert 0.5 < ratio < 1, "one of two, and a part of the other"
    assert run_of(daemon, location)["progress"] is None


def test_an_old_snapshot_that_an_index_waits_for(serve, drizzle, database):
    daemon = serve(drizzle([
        ("0000_t", "CREATE TABLE t (id int);"),
        ("0001_index", "CREATE INDEX CONCURRENTLY t_id ON t (id);")]))
    holder = psycopg2.connect(database.url)
    holder.set_isolation_level(
        psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ)
    holder.cursor().execute("SELECT 1")
    location = daemon.apply(Prefer="respond-async").headers["Location"]
    run = wait_blocked(daemon, location)
    pid = holder.get_backend_pid()
    assert [b["pid"] for b in run["blockers"]] == [pid]
    assert run["progress"]["command"] == "CREATE INDEX CONCURRENTLY"
    assert run["progress"]["phase"].startswith("waiting for ")
    assert f"waiting for the transaction of pid {pid} (" in daemon.status()[
        "sentence"]
    holder.close()
    assert wait_done(daemon, location)["outcome"] == "succeeded"
    assert database.value("SELECT indisvalid FROM pg_index"
                          " WHERE indexrelid = 't_id'::regclass")


def test_it_yields_to_those_behind_it(blocked, database):
    daemon, location, holder = blocked({"yield_after": 2})
    wait_blocked(daemon, location)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(database.value, "SELECT count(*) FROM t")
                   for _ in range(2)]
        # they get through although the holder is still there
        assert [r.result(20) for r in readers] == [0, 0]
    assert not holder.closed
    assert run_of(daemon, location)["outcome"] is None
    holder.close()
    assert wait_done(daemon, location, 60)["outcome"] == "succeeded"


def test_one_reader_is_no_reason_to_yield(blocked, database):
    daemon, location, holder = blocked({"yield_after": 2})
    wait_blocked(daemon, location)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reader = pool.submit(database.value, "SELECT count(*) FROM t")
        wait_until(lambda: run_of(daemon, location)["queued"] == 1, 5)
        looks = len(database.postgres.log())
        wait_until(lambda: database.postgres.log_count(LOOKS, looks) >= 3, 5)
        assert not reader.done()
        holder.close()
        assert reader.result(20) == 0
    assert wait_done(daemon, location)["outcome"] == "succeeded"
