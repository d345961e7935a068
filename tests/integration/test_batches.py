# SPDX-License-Identifier: PostgreSQL
"""Batched backfills: each batch a transaction of its own with its progress,
resumed after a kill, nothing twice; paused, held back, cancelled, and noticed
where they would never end."""

import os

import pytest

from harness.daemon import applied_ids
from harness.folder import drizzle_add, write
from harness.postgres import Postgres
from harness.wait import wait_until

ROWS = 20_000
KILLED_ROWS = int(os.environ.get("BATCH_ROWS", ROWS))  # more, to see it last
QUICK = {"settle": "50ms", "rescan_interval": "1s", "refresh_interval": "1s"}
# how often each row was touched is kept by the table itself
USERS = """
CREATE TABLE users (id int PRIMARY KEY, nick text,
                    touched int NOT NULL DEFAULT 0);
CREATE FUNCTION count_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.touched := OLD.touched + 1; RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON users
  FOR EACH ROW EXECUTE FUNCTION count_touch();
"""
FILL = """-- fill in the nicknames
-- migrationd: batch {words}
-- migrationd: batch-count SELECT count(*) FROM users WHERE nick IS NULL
UPDATE users SET nick = 'n' || id
WHERE id IN (SELECT id FROM users WHERE nick IS NULL LIMIT $1);
"""


@pytest.fixture
def backfill(drizzle, serve, database):
    """backfill(sql, rows=...) -> start(*args, options=...) and the folder."""
    def build(sql, rows=ROWS):
        folder = drizzle([("0000_users", USERS), ("0001_fill", sql)])
        database.query(USERS)
        database.query("INSERT INTO users SELECT g FROM "
                       f"generate_series(1, {rows}) g")
        database.query("ANALYZE users")

        def start(*args, options=None):
            return serve(folder, *args, options={**QUICK, **(options or {})})
        first = start()
        first.post("/baseline", json={"target": "0000_users"})
        first.stop()
        return start, folder
    return build


def touches(database):
    """How many rows were touched how often."""
    return dict(database.query("SELECT touched, count(*)::int FROM users "
                               "GROUP BY 1"))


def journal(database):
    if not database.value("SELECT to_regclass('migrationd.batches')"):
        return []
    return database.query("SELECT batches, rows, total FROM migrationd.batches")


def test_each_row_once(backfill, database):
    start, _ = backfill(FILL.format(words="size=3000"))
    run = start().apply().json()
    assert applied_ids(run) == ["0001_fill"], run
    assert touches(database) == {1: ROWS}
    # 7 batches, and the one that found nothing
    assert run["statements"] == 8
    assert run["batch"] is None
    assert journal(database) == []
    assert len(database.drizzle_rows()) == 2


def test_connection_made_anew_between_batches(backfill, database):
    start, _ = backfill(FILL.format(words="size=2000 pause=100ms").replace(
        "'n' || id", "pg_backend_pid()"))
    daemon = start(options={"connection_max_age": "300ms"})
    assert daemon.apply().status == 200
    assert touches(database) == {1: ROWS}
    assert database.value("SELECT count(DISTINCT nick)::int FROM users") > 1


def test_killed_three_times(backfill, database):
    size = KILLED_ROWS // 200
    start, _ = backfill(FILL.format(words=f"size={size} pause=10ms"),
                        rows=KILLED_ROWS)
    rows = 0
    for kill in range(1, 4):
        daemon = start()
        daemon.apply(Prefer="respond-async")
        wait_until(lambda: journal(database)
                   and journal(database)[0][1] > kill * KILLED_ROWS // 5, 600)
        daemon.kill()
        # what the journal says is what is there
        wait_until(lambda: database.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0,
            10)
        batches, rows, total = journal(database)[0]
        assert rows == batches * size and total == KILLED_ROWS
        assert touches(database) == {0: KILLED_ROWS - rows, 1: rows}
    daemon = start()
    daemon.apply(Prefer="respond-async")
    run = wait_until(lambda: (r := daemon.status()["run"]) and r["batch"]
                     and r["batch"]["rows"] > rows + 5 * size and r, 60)
    assert run["state"] in ("begin", "part", "mark", "commit", "pace")
    assert run["batch"]["batches"] == run["batch"]["rows"] // size
    progress = run["progress"]
    assert (progress["command"], progress["unit"]) == ("batches", "rows")
    assert progress["total"] == KILLED_ROWS == run["batch"]["total"]
    assert progress["percent"] == pytest.approx(
        100 * progress["done"] / KILLED_ROWS)
    assert progress["rate_per_second"] > size
    assert progress["eta_seconds"] == pytest.approx(
        (KILLED_ROWS - progress["done"]) / progress["rate_per_second"])
    assert "rows/s" in daemon.get("/status?format=text").text
    metrics = daemon.get("/metrics").text
    assert f"migrationd_batch_rows_expected {KILLED_ROWS}" in metrics
    daemon.wait_verdict("current", timeout=600)
    assert touches(database) == {1: KILLED_ROWS}
    assert journal(database) == []


def test_cancelled_between_batches(backfill, database):
    start, _ = backfill(FILL.format(words="size=100 pause=50ms"))
    daemon = start()
    where = daemon.apply(Prefer="respond-async").headers["Location"]
    wait_until(lambda: journal(database), 10)
    assert daemon.post(f"{where}/cancel").status == 202
    run = wait_until(lambda: (r := daemon.get(where).json())["outcome"] and r,
                     10)
    assert run["outcome"] == "cancelled"
    rows = journal(database)[0][1]
    assert touches(database) == {0: ROWS - rows, 1: rows}
    assert daemon.wait_verdict("pending")


def test_a_batch_that_waits_for_a_lock_tries_again(backfill, database):
    start, _ = backfill(FILL.format(words="size=5000"))
    daemon = start(options={"ddl_lock_timeout": "200ms"})
    holder = database.hold_lock("UPDATE users SET nick = NULL WHERE id = 7")
    where = daemon.apply(Prefer="respond-async").headers["Location"]
    wait_until(lambda: daemon.get(where).json()["attempts"] > 0, 15)
    holder.rollback()
    holder.close()
    daemon.wait_verdict("current", timeout=30)
    assert touches(database) == {1: ROWS}


def test_a_role_that_may_not_see_the_load_is_told(start_daemon, drizzle,
                                                  database):
    """It would hold nothing back, and nobody would know."""
    role = f"blind_{database.name}"
    database.execute(f"CREATE ROLE {role} LOGIN;"
                     f'ALTER DATABASE "{database.name}" OWNER TO {role}')
    folder = drizzle([
        ("0000_users", USERS),
        ("0001_rows", "INSERT INTO users SELECT generate_series(1, 300)"),
        ("0002_fill", FILL.format(words="size=100"))])
    daemon = start_daemon("--migrations", folder, "--database-url",
                          database.url_as(role),
                          options={"batch_max_active": 100})
    try:
        with database.connect():
            [warning] = daemon.apply().json()["warnings"]
        assert "batch_max_active is not held to" in warning
        assert "pg_monitor" in warning
        # whoever may see all has nothing to worry about
        database.execute(f"GRANT pg_monitor TO {role}")
        drizzle_add(folder, "0003_again", FILL.format(words="size=100"))
        database.query("UPDATE users SET nick = NULL")
        with database.connect():
            assert daemon.apply().json()["warnings"] == []
    finally:
        daemon.stop()
        database.execute(
            f'ALTER DATABASE "{database.name}" OWNER TO postgres;'
            f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


def test_held_back_by_load(backfill, database):
    start, _ = backfill(FILL.format(words="size=1000"))
    daemon = start(options={"batch_max_active": 1})
    busy = [database.connect() for _ in range(3)]
    pids = [c.get_backend_pid() for c in busy]
    import threading

    def sleep(connection):
        try:
            connection.cursor().execute("SELECT pg_sleep(60)")
        except Exception:  # it is cancelled
            pass
    threads = [threading.Thread(target=sleep, args=(c,)) for c in busy]
    for thread in threads:
        thread.start()
    try:
        daemon.apply(Prefer="respond-async")
        run = wait_until(lambda: (r := daemon.status()["run"]) and r["batch"]
                         and r["batch"]["held"] and r, 15)
        assert "sessions are active" in run["batch"]["held"]
        assert run["state"] == "pace"
        assert "migrationd_batch_held 1" in daemon.get("/metrics").text
        assert "sessions are active" in daemon.get(
            "/status?format=text").text
        rows = run["batch"]["rows"]
        assert 0 < rows < ROWS
    finally:
        for pid in pids:
            database.query("SELECT pg_cancel_backend(%s)", pid)
        for thread in threads:
            thread.join()
        for connection in busy:
            connection.close()
    daemon.wait_verdict("current", timeout=30)
    assert touches(database) == {1: ROWS}


def test_held_back_by_a_replica(own_postgres, drizzle, start_daemon):
    own_postgres.stop()
    # it has the changes at once, and makes them late
    standby = Postgres({"recovery_min_apply_delay": "2s",
                        "wal_receiver_status_interval": "1s"},
                       standby_of=own_postgres)
    own_postgres.start()
    try:
        standby.start()
        database = own_postgres.createdb()
        folder = drizzle([
            ("0000_users", USERS),
            ("0001_rows", f"INSERT INTO users SELECT generate_series(1, {ROWS})"),
            # long enough for the lag to be known: that is at the first replay
            ("0002_fill", FILL.format(words="size=100 pause=100ms"))])
        daemon = start_daemon("--migrations", folder, "--database-url",
                              database.url,
                              options={**QUICK, "batch_max_lag": "500ms"})
        where = daemon.apply(Prefer="respond-async").headers["Location"]
        run = wait_until(lambda: (r := daemon.get(where).json())["batch"]
                         and r["batch"]["held"] and r, 30)
        assert run["batch"]["held"].startswith("a replica is ")
        assert run["batch"]["held"].endswith(" behind")
        assert daemon.post(f"{where}/cancel").status == 202
        wait_until(lambda: daemon.get(where).json()["outcome"] == "cancelled",
                   10)
        assert touches(database)[0] > 0
        daemon.stop()
        # who did not ask for it does not wait
        daemon = start_daemon("--migrations", folder, "--database-url",
                              database.url,
                              options={**QUICK, "batch_max_lag": "0",
                                       "batch_max_active": 100})
        daemon.apply(Prefer="respond-async")
        wait_until(lambda: database.value(
            "SELECT max(replay_lag) > '500ms' FROM pg_stat_replication"), 30)
        begun = len(own_postgres.log())
        wait_until(lambda: own_postgres.log_count("r.replay_lag", begun) >= 3,
                   20)
        assert "the next batch waits" not in daemon.stderr()
        daemon.stop()
    finally:
        standby.destroy()


def test_what_comes_behind_is_no_batch(backfill, drizzle, database):
    start, folder = backfill(FILL.format(words="size=5000"))
    drizzle_add(folder, "0002_slow", "SELECT pg_sleep(60);")
    daemon = start()
    where = daemon.apply(Prefer="respond-async").headers["Location"]
    wait_until(lambda: daemon.states()["0002_slow"] == "running", 20)
    assert daemon.status()["run"]["batch"] is None
    assert daemon.post(f"{where}/cancel", json={"mode": "now"}).status == 202
    assert touches(database) == {1: ROWS}


def test_one_that_never_ends_is_noticed(backfill, database):
    start, _ = backfill("-- migrationd: batch size=1000\n"
                        "UPDATE users SET nick = 'x' WHERE id IN "
                        "(SELECT id FROM users ORDER BY random() LIMIT $1);\n",
                        rows=500)
    daemon = start()
    problem = daemon.apply().problem(422, "SQL_ERROR")
    assert "it would never end" in problem["detail"]
    assert "WHERE has to leave out what is done" in problem["hint"]
    # not known how many there are to do: nothing is made up
    assert journal(database)[0][2] is None


@pytest.mark.parametrize("sql, says", [
    ("-- migrationd: batch\nUPDATE users SET nick = 'x';",
     "nothing bounds a batch"),
    ("-- migrationd: batch\nSELECT 1 LIMIT 1;", "cannot be run in batches"),
    ("-- migrationd: batch\nDELETE FROM users WHERE id IN (SELECT 1 LIMIT 1);"
     "DELETE FROM users;", "holds one statement"),
    ("-- migrationd: batch size=5\nDELETE FROM users WHERE id IN "
     "(SELECT 1 LIMIT 1);", "nothing to fill"),
    ("-- migrationd: batch size=x\nSELECT 1;", "a number from 1"),
])
def test_what_is_no_batch_is_refused(backfill, sql, says):
    start, _ = backfill(sql, rows=1)
    problem = start().apply().problem()
    assert says in problem["detail"], problem


def test_with_a_limit_of_its_own_as_a_data_migration(
        backfill, drizzle, serve, workdir, database):
    start, folder = backfill("SELECT 1;\n", rows=2500)
    data = workdir / "data"
    data.mkdir()
    write(data / "2026-01-02_purge.sql",
          "-- migrationd: batch\nWITH old AS (SELECT id FROM users LIMIT 1000)"
          "\nDELETE FROM users USING old WHERE users.id = old.id;\n")
    daemon = start(options={"data": data})
    assert applied_ids(daemon.apply().json()) == ["0001_fill",
                                                  "2026-01-02_purge"]
    assert database.value("SELECT count(*) FROM users") == 0
    assert database.value("SELECT success FROM data_migrations")


def test_a_failure_keeps_what_is_committed(backfill, database):
    start, folder = backfill(
        "-- migrationd: batch size=1000\n"
        "UPDATE users SET nick = 'n' || (1 / (5500 - id)) WHERE id IN "
        "(SELECT id FROM users WHERE nick IS NULL ORDER BY id LIMIT $1);\n")
    daemon = start()
    problem = daemon.apply().problem(422, "SQL_ERROR")
    assert problem["sqlstate"] == "22012"
    assert "POST /apply goes on there" in problem["hint"]
    assert touches(database) == {0: ROWS - 5000, 1: 5000}
    write(folder / "0001_fill.sql", FILL.format(words="size=1000"))
    assert applied_ids(daemon.apply().json()) == ["0001_fill"]
    assert touches(database) == {1: ROWS}


def test_counts_in_a_session_as_if_new(serve, sequence, database):
    """What an earlier file SET for its session does not change what is
    counted, as it does not change what runs."""
    database.query(USERS)
    database.query("INSERT INTO users SELECT generate_series(1, 100)")
    database.query("CREATE SCHEMA other")
    daemon = serve(sequence({
        "0001_other.sql": "SET search_path = other;\n"
                          "CREATE TABLE x (id int);\n",
        "0002_fill.sql": FILL.format(words="size=30")}))
    assert daemon.apply().status == 200
    assert touches(database) == {1: 100}
