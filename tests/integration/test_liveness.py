# SPDX-License-Identifier: PostgreSQL
"""What must answer at once whatever else goes on, and how the daemon ends."""

import concurrent.futures
import os
import signal
import threading
import time

import pytest

from harness.probes import assert_prompt
from harness.wait import wait_until

# MIGRATIOND_TEST_SLEEP=20 measures as long as the promise says
SECONDS = float(os.environ.get("MIGRATIOND_TEST_SLEEP", "2"))


def test_probes_answer_while_a_migration_runs(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]))
    daemon.wait_verdict("pending")
    assert daemon.apply(Prefer="respond-async").status == 202
    gate.wait()
    assert_prompt(daemon, SECONDS, "/livez", "/metrics", "/readyz", "/status")
    gate.open()
    daemon.wait_verdict("current")


def test_probes_answer_while_many_join(serve, drizzle, gate):
    """Each of them is told whether the run has the files of now."""
    daemon = serve(drizzle([("0000_slow", gate.sql)] + [
        (f"{n:04}_x", "SELECT 1;") for n in range(1, 1200)]))
    daemon.wait_verdict("pending")
    done = threading.Event()

    def join():
        while not done.is_set():
            daemon.apply(Prefer="respond-async")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(join)
        try:
            gate.wait()
            # the callers share an interpreter with who measures
            assert_prompt(daemon, SECONDS, "/livez", usual_seconds=0.2)
        finally:
            done.set()


def test_probes_answer_while_a_check_reads(serve, drizzle):
    """A hundred megabytes of snapshots."""
    folder = drizzle([("0000_a", "SELECT 1;")])
    for i in range(50):
        text = f'{{"id": "{i}", "prevId": "{i - 1}", "x": "' + "y" * (2 << 20)
        (folder / "meta" / f"{i:04}_snapshot.json").write_text(text + '"}')
    daemon = serve(folder)
    daemon.wait_verdict("pending")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        check = pool.submit(daemon.get, "/check")
        answers = 0
        while not check.done():
            assert daemon.get("/livez").status == 200
            answers += 1
    assert check.result().status == 200
    assert check.result().json()["folder"]["snapshots"] == 50
    # in one turn of the loop there would be the one before it, and none else
    assert answers > 5


def test_probes_answer_while_the_database_is_away(start_daemon, drizzle,
                                                  own_postgres):
    database = own_postgres.createdb()
    daemon = start_daemon("--migrations",
                          drizzle([("0000_a", "CREATE TABLE a (id int);")]),
                          "--database-url", database.url)
    assert daemon.apply().status == 200
    own_postgres.stop("immediate")
    assert_prompt(daemon, 2, "/livez", "/metrics")

    status = daemon.wait_verdict("unreachable")
    assert status["database"]["reachable"] is False
    assert daemon.get("/readyz").status == 503
    assert daemon.get("/current").status == 503
    assert_prompt(daemon, 1, "/livez", "/metrics", "/status", "/migrations")

    own_postgres.start()
    daemon.wait_verdict("current", timeout=30)
    assert daemon.get("/current").status == 200
    daemon.stop()


def test_apply_without_a_database_may_be_repeated(start_daemon, drizzle,
                                                  own_postgres):
    database = own_postgres.createdb()
    daemon = start_daemon("--migrations",
                          drizzle([("0000_a", "CREATE TABLE a (id int);")]),
                          "--database-url", database.url,
                          options={"connect_wait": "1s"})
    daemon.wait_verdict("pending")
    own_postgres.stop("fast")
    got = daemon.apply(timeout=30)
    problem = got.problem(503, "NETWORK_ERROR")
    assert int(got.headers["Retry-After"]) >= 1
    assert problem["retryable"] is True
    own_postgres.start()
    wait_until(lambda: daemon.apply().status == 200, 30)
    daemon.stop()


def test_a_server_lost_in_the_middle(start_daemon, drizzle, own_postgres,
                                     gate_of):
    database = own_postgres.createdb()
    gate = gate_of(own_postgres)  # the server takes it along
    daemon = start_daemon(
        "--migrations",
        drizzle([("0000_a", "CREATE TABLE a (id int);"),
                 ("0001_b", "CREATE TABLE b (id int);" + gate.sql)]),
        "--database-url", database.url)
    got = daemon.apply(Prefer="respond-async")
    location = got.headers["Location"]
    gate.wait()
    own_postgres.stop("immediate")
    run = wait_until(lambda: (r := daemon.get(location).json())["finished_at"]
                     and r, 30)
    assert run["outcome"] == "failed"
    assert run["error"]["category"] == "NETWORK_ERROR"
    assert [m["id"] for m in run["applied"]] == ["0000_a"]
    own_postgres.start()
    wait_until(lambda: daemon.apply(timeout=30).status == 200, 30)
    assert len(database.drizzle_rows()) == 2
    daemon.stop()


def test_a_terminated_backend_fails_the_run_only(serve, drizzle, database):
    daemon = serve(drizzle([("0000_b", "SELECT pg_sleep(30);")]))
    location = daemon.apply(Prefer="respond-async").headers["Location"]
    wait_until(lambda: database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND state = 'active'"
        " AND query LIKE '%%pg_sleep(30)%%' AND pid <> pg_backend_pid()"), 5)
    run = wait_until(lambda: (r := daemon.get(location).json())["finished_at"]
                     and r, 20)
    assert run["outcome"] == "failed"
    assert daemon.get("/livez").status == 200
    assert database.drizzle_rows() == []


def test_daemon_starts_without_a_database(start_daemon, drizzle):
    daemon = start_daemon("--migrations", drizzle([]), "--database-url",
                          "postgresql://127.0.0.1:1/nobody")
    daemon.wait_verdict("unreachable")
    assert daemon.get("/livez").status == 200
    assert daemon.get("/readyz").status == 503


# -- ending --------------------------------------------------------------------

def test_sigterm_when_idle(serve, sample):
    daemon = serve(sample)
    daemon.apply()
    started = time.monotonic()
    daemon.stop()
    assert time.monotonic() - started < 5, "no grace time"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stop_finishes_the_migration_in_hand(serve, drizzle, database,
                                             signum, gate):
    daemon = serve(drizzle([
        ("0000_slow", "CREATE TABLE slow (id int);" + gate.sql),
        ("0001_next", "CREATE TABLE next (id int);")]))
    assert daemon.apply(Prefer="respond-async").status == 202
    gate.wait()
    daemon.signal(signum)
    wait_until(lambda: '"stopping"' in daemon.stderr())
    gate.open()
    daemon.process.wait(timeout=20)
    daemon.stop()
    assert database.has_table("slow")
    assert not database.has_table("next")
    assert len(database.drizzle_rows()) == 1


def test_the_waiting_caller_is_answered_at_the_end(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql),
                            ("0001_next", "SELECT 1;")]))
    connection = daemon.connection()
    connection.request("POST", "/apply")
    gate.wait()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: '"stopping"' in daemon.stderr())
    gate.open()
    got = connection.getresponse()
    body = got.read().decode()
    assert got.status == 503, body
    assert "CANCELLED" in body
    connection.close()
    daemon.process.wait(timeout=20)
    daemon.stop()


def test_second_sigterm_cancels(serve, drizzle, database):
    daemon = serve(drizzle([("0000_slow", "CREATE TABLE slow (id int);"
                                          "SELECT pg_sleep(60);")]))
    assert daemon.apply(Prefer="respond-async").status == 202
    wait_until(lambda: daemon.states()["0000_slow"] == "running", 5)
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: "stop" in daemon.stderr().lower(), 5)
    daemon.signal(signal.SIGTERM)
    daemon.process.wait(timeout=10)
    assert not database.has_table("slow")
    assert database.drizzle_rows() == []
    wait_until(lambda: database.sessions() == 0, 5)


def test_kill_9_leaves_nothing_half_done(serve, drizzle, database, gate):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);"),
                      ("0001_slow", "CREATE TABLE slow (id int);"
                                    + gate.sql)])
    daemon = serve(folder)
    daemon.apply(Prefer="respond-async")
    gate.wait()
    daemon.kill()
    gate.open()
    second = serve(folder)
    got = second.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert [m["id"] for m in got.json()["applied"]] == ["0001_slow"]
    assert len(database.drizzle_rows()) == 2


def test_standard_descriptors_may_be_closed(database, drizzle, workdir):
    import subprocess

    from harness.daemon import binary, environment
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', binary(), "--once",
         "--migrations", drizzle([("0000_a", "CREATE TABLE a (id int);")]),
         "--database-url", database.url],
        env=environment(), timeout=30, check=False)
    assert done.returncode == 0
    assert database.has_table("a")


def test_apply_on_start(serve, sample, database):
    daemon = serve(sample, "--apply-on-start")
    daemon.wait_verdict("current")
    assert len(database.drizzle_rows()) == 7
