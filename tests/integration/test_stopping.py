# SPDX-License-Identifier: PostgreSQL
"""Ending a run before it is over: by a request, by a signal, by the end of the
grace time. The waiting caller is answered, nothing is half done, the lock is
free, and /status tells what to type next."""

import signal
import threading
import time

import pytest

from harness.daemon import applied_ids
from harness.folder import write
from harness.wait import wait_until

# within which a cancelled statement has to be over, on a machine with other work
AT_ONCE = 10.0


class Caller(threading.Thread):
    """A POST that waits for its answer."""

    def __init__(self, daemon, path="/apply", **kwargs):
        super().__init__(daemon=True)
        self._ask = lambda: daemon.post(path, **kwargs)
        self._got = None
        self.start()

    def run(self):
        self._got = self._ask()

    def answer(self, timeout=20):
        self.join(timeout)
        assert self._got is not None, "the caller still waits"
        return self._got


def run_in_progress(daemon):
    return wait_until(lambda: daemon.status()["run"])


def wait_running(daemon, migration):
    wait_until(lambda: daemon.states()[migration] == "running")
    return run_in_progress(daemon)["id"]


def cancel(daemon, run, **body):
    return daemon.post(f"/runs/{run}/cancel", json=body)


def lock_holders(database):
    return database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " AND database = (SELECT oid FROM pg_database"
        " WHERE datname = current_database())")


ENDLESS = [("0000_a", "CREATE TABLE a (id int);"),
           ("0001_slow", "CREATE TABLE slow (id int); SELECT pg_sleep(120);"),
           ("0002_next", "CREATE TABLE next (id int);")]


@pytest.fixture
def slow(drizzle, gate):
    """The second of three stands at the gate."""
    return drizzle([
        ENDLESS[0],
        ("0001_slow", "CREATE TABLE slow (id int);" + gate.sql),
        ENDLESS[2]])


# -- by a request ---------------------------------------------------------------

@pytest.mark.parametrize("body", [None, {}, {"mode": "graceful"}])
def test_cancel_finishes_the_migration_in_hand(serve, slow, database, gate,
                                               body):
    daemon = serve(slow)
    caller = Caller(daemon)
    run = wait_running(daemon, "0001_slow")

    got = daemon.post(f"/runs/{run}/cancel", json=body)
    assert got.status == 202, repr(got)
    assert got.json()["id"] == run
    assert got.json()["outcome"] is None
    assert got.headers["Location"] == f"/runs/{run}"

    gate.open()
    problem = caller.answer().problem(409, "CANCELLED")
    assert problem["outcome"] == "cancelled"
    assert applied_ids(problem) == ["0000_a", "0001_slow"]
    assert "asked for it" in problem["detail"]
    assert len(database.drizzle_rows()) == 2
    assert not database.has_table("next")

    status = daemon.wait_verdict("pending")
    assert "POST /apply" in status["advice"], status["advice"]
    assert "cancelled" in status["advice"]
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == ["0002_next"]


def test_cancel_now_ends_the_statement_in_progress(serve, drizzle, database):
    daemon = serve(drizzle(ENDLESS))
    callers = [Caller(daemon) for _ in range(3)]
    run = wait_running(daemon, "0001_slow")

    started = time.monotonic()
    assert cancel(daemon, run, mode="now").status == 202
    answers = [caller.answer() for caller in callers]
    assert time.monotonic() - started < AT_ONCE
    for got in answers:
        problem = got.problem(409, "CANCELLED")
        assert problem["outcome"] == "cancelled"
        assert problem["run_id"] == run
        assert applied_ids(problem) == ["0000_a"]

    document = daemon.get(f"/runs/{run}").json()
    assert document["outcome"] == "cancelled"
    assert document["error"]["category"] == "CANCELLED"
    assert document["exit_code"] == 9
    assert not database.has_table("slow")
    assert len(database.drizzle_rows()) == 1
    wait_until(lambda: lock_holders(database) == 0)
    assert "POST /apply" in daemon.wait_verdict("pending")["advice"]


def test_cancel_now_after_a_graceful_one(serve, drizzle, database):
    daemon = serve(drizzle(ENDLESS))
    caller = Caller(daemon)
    run = wait_running(daemon, "0001_slow")
    assert cancel(daemon, run).status == 202
    assert daemon.get(f"/runs/{run}").json()["outcome"] is None
    assert cancel(daemon, run, mode="now").status == 202
    caller.answer().problem(409, "CANCELLED")
    assert not database.has_table("slow")


def test_another_daemon_goes_on_at_once(serve, drizzle, database):
    folder = drizzle(ENDLESS)
    first = serve(folder)
    caller = Caller(first)
    run = wait_running(first, "0001_slow")
    cancel(first, run, mode="now")
    caller.answer().problem(409)
    write(folder / "0001_slow.sql", "CREATE TABLE slow (id int);")
    second = serve(folder, "--lock-wait=0")
    got = second.apply()
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == ["0001_slow", "0002_next"]


def test_cancelling_the_last_migration_changes_nothing(serve, drizzle, gate):
    daemon = serve(drizzle([ENDLESS[0], ("0001_slow", gate.sql)]))
    caller = Caller(daemon)
    run = wait_running(daemon, "0001_slow")
    assert cancel(daemon, run).status == 202
    gate.open()
    got = caller.answer()
    assert got.status == 200, repr(got)
    assert got.json()["outcome"] == "succeeded"


def test_cancel_while_it_waits_for_the_lock(serve, drizzle, database):
    folder = drizzle(ENDLESS)
    holder = serve(folder)
    Caller(holder)
    run = wait_running(holder, "0001_slow")

    waiting = serve(folder)
    caller = Caller(waiting)
    waiting_run = wait_until(
        lambda: (r := waiting.status()["run"]) and r["state"] == "lock" and r,
        5)["id"]
    status = waiting.status()
    assert f"POST /runs/{waiting_run}/cancel" in status["advice"]
    started = time.monotonic()
    assert cancel(waiting, waiting_run).status == 202
    problem = caller.answer().problem(409, "CANCELLED")
    assert time.monotonic() - started < AT_ONCE
    assert problem["applied"] == []
    assert daemon_still_runs(holder, run)
    cancel(holder, run, mode="now")


def daemon_still_runs(daemon, run):
    return daemon.get(f"/runs/{run}").json()["outcome"] is None


def test_cancel_while_it_tries_to_connect(start_daemon, drizzle):
    daemon = start_daemon("--migrations", drizzle([]), "--database-url",
                          "postgresql://127.0.0.1:1/nobody")
    caller = Caller(daemon)
    run = wait_until(
        lambda: (r := daemon.status()["run"]) and r["state"] == "connect"
        and r, 5)["id"]
    assert cancel(daemon, run).status == 202
    caller.answer().problem(409, "CANCELLED")


def test_cancel_while_the_folder_moves(serve, drizzle, workdir, database):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);")])
    daemon = serve(folder, options={"settle": "1min"})
    daemon.wait_verdict("pending")
    write(folder / "0000_a.sql", "CREATE TABLE b (id int);")
    caller = Caller(daemon)
    run = run_in_progress(daemon)
    assert run["state"] == "new"
    assert cancel(daemon, run["id"]).status == 202
    problem = caller.answer().problem(409, "CANCELLED")
    assert "before it began" in problem["detail"]
    assert database.tables() == []


def test_what_cannot_be_cancelled(serve, drizzle):
    daemon = serve(drizzle(ENDLESS[:1]))
    got = daemon.post("/runs/nosuchrun/cancel")
    assert "nosuchrun" in got.problem(404, "RESOURCE_NOT_FOUND")["detail"]
    run = daemon.apply().json()["id"]
    got = daemon.post(f"/runs/{run}/cancel")
    problem = got.problem(409, "CONFIGURATION")
    assert "is over: succeeded" in problem["detail"]
    assert "cancelled" not in problem["title"]
    assert daemon.get(f"/runs/{run}").json()["outcome"] == "succeeded"
    assert daemon.get(f"/runs/{run}/cancel").status == 405
    daemon.post(f"/runs/{run}/cancel", json={"mode": "kill"}).problem(400)


def test_cancel_needs_the_token(serve, drizzle, workdir):
    token = workdir / "token"
    token.write_text("s3cret\n")
    token.chmod(0o640)
    daemon = serve(drizzle(ENDLESS), "--token-file", token)
    daemon.token = "s3cret"
    caller = Caller(daemon)
    run = wait_running(daemon, "0001_slow")
    daemon.token = None
    assert cancel(daemon, run, mode="now").status == 401
    assert daemon_still_runs(daemon, run)
    daemon.token = "s3cret"
    assert cancel(daemon, run, mode="now").status == 202
    caller.answer().problem(409)


# -- by a signal ----------------------------------------------------------------

def exit_code(daemon, timeout=10):
    return daemon.process.wait(timeout=timeout)


@pytest.mark.parametrize("callers", [1, 8])
def test_sigterm_finishes_and_answers(serve, slow, database, gate, callers):
    daemon = serve(slow)
    waiting = [Caller(daemon) for _ in range(callers)]
    gate.wait()
    wait_until(lambda: daemon.status()["run"]["callers"] == callers)
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: '"stopping"' in daemon.stderr())
    gate.open()
    for caller in waiting:
        got = caller.answer()
        problem = got.problem(503, "CANCELLED")
        assert int(got.headers["Retry-After"]) >= 1
        assert applied_ids(problem) == ["0000_a", "0001_slow"]
    assert exit_code(daemon) == 0
    assert len(database.drizzle_rows()) == 2
    assert not database.has_table("next")
    assert lock_holders(database) == 0
    daemon.stop()


def test_second_sigterm_cancels_and_answers(serve, drizzle, database):
    daemon = serve(drizzle(ENDLESS))
    caller = Caller(daemon)
    wait_running(daemon, "0001_slow")
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: '"stopping"' in daemon.stderr())
    assert daemon.running()
    started = time.monotonic()
    daemon.signal(signal.SIGTERM)
    problem = caller.answer().problem(503, "CANCELLED")
    assert applied_ids(problem) == ["0000_a"]
    assert exit_code(daemon) == 0
    assert time.monotonic() - started < 2 * AT_ONCE
    assert not database.has_table("slow")
    assert len(database.drizzle_rows()) == 1
    assert lock_holders(database) == 0
    daemon.stop()


def test_the_grace_time_ends(serve, drizzle, database):
    daemon = serve(drizzle(ENDLESS), options={"shutdown_grace": "500ms"})
    caller = Caller(daemon)
    wait_running(daemon, "0001_slow")
    started = time.monotonic()
    daemon.signal(signal.SIGTERM)
    caller.answer().problem(503, "CANCELLED")
    assert exit_code(daemon) == 0
    assert 0.5 <= time.monotonic() - started < 0.5 + 2 * AT_ONCE
    assert "grace time is over" in daemon.stderr()
    assert not database.has_table("slow")
    assert len(database.drizzle_rows()) == 1
    daemon.stop()


def test_sigterm_while_it_waits_for_the_lock(serve, drizzle):
    folder = drizzle(ENDLESS)
    holder = serve(folder)
    Caller(holder)
    run = wait_running(holder, "0001_slow")
    waiting = serve(folder)
    caller = Caller(waiting)
    wait_until(lambda: (r := waiting.status()["run"])
               and r["state"] == "lock", 5)
    started = time.monotonic()
    waiting.signal(signal.SIGTERM)
    caller.answer().problem(503, "CANCELLED")
    assert exit_code(waiting) == 0
    assert time.monotonic() - started < 2 * AT_ONCE
    waiting.stop()
    cancel(holder, run, mode="now")


def test_no_new_run_while_it_stops(serve, slow, gate):
    daemon = serve(slow)
    caller = Caller(daemon)
    wait_running(daemon, "0001_slow")
    kept = daemon.connection()
    kept.request("GET", "/livez")
    kept.getresponse().read()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: '"stopping"' in daemon.stderr())
    kept.request("POST", "/apply")
    got = kept.getresponse()
    body = got.read().decode()
    assert got.status == 503, body
    assert "takes no new run" in body
    assert int(got.headers["Retry-After"]) >= 1
    kept.close()
    gate.open()
    caller.answer().problem(503)
    assert exit_code(daemon) == 0
    daemon.stop()


@pytest.mark.parametrize("signals, tables", [(1, ["slow"]), (2, [])])
def test_once_is_stopped_likewise(drizzle, database, workdir, start_daemon,
                                  gate, signals, tables):
    daemon = start_daemon(
        "--once", "--migrations",
        drizzle([("0000_slow", "CREATE TABLE slow (id int);" + gate.sql),
                 ("0001_next", "CREATE TABLE next (id int);")]),
        "--database-url", database.url, listen=None, wait=False)
    gate.wait()
    for _ in range(signals):  # two that are pending at once are one
        daemon.signal(signal.SIGTERM)
        wait_until(lambda: signal_taken(daemon))
    if signals == 1:
        gate.open()
    assert exit_code(daemon) == 9
    assert [t for t in ("slow", "next") if database.has_table(t)] == tables
    daemon.process = None


def signal_taken(daemon):
    """Whether no SIGTERM is pending any more (proc(5), SigPnd/ShdPnd) and the
    loop is asleep again: it has seen what the handler wrote for it."""
    try:
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
            told = dict(line.split(":", 1) for line in status)
    except FileNotFoundError:
        return True
    pending = int(told["SigPnd"], 16) | int(told["ShdPnd"], 16)
    return (not pending & 1 << (signal.SIGTERM - 1)
            and told["State"].split()[0] in "SZ")
