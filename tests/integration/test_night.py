# SPDX-License-Identifier: PostgreSQL
"""What the text page says to type, typed: it works."""

import subprocess

import psycopg2
from harness.wait import wait_until

ONE = ("0000_t", "CREATE TABLE t (id int);")


def screen(daemon):
    return daemon.get("/status?format=text").text


def commands(text):
    return [line.strip() for line in text.splitlines()
            if line.startswith("      curl ")]


def type_in(command):
    done = subprocess.run(
        ["sh", "-c", command.replace(
            "curl ", "curl --silent --show-error --fail-with-body ", 1)],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (command, done)
    return done.stdout


def start_apply(daemon):
    return daemon.apply(Prefer="respond-async").headers["Location"]


def wait_outcome(daemon, where, outcome):
    wait_until(lambda: daemon.get(where).json()["outcome"] == outcome,
               what=f"{where} has {outcome}")


def test_parked(serve, drizzle, database):
    daemon = serve(drizzle([ONE, ("0001_x", "ALTER TABLE t ADD x txet;")]))
    assert daemon.apply().status == 422
    text = screen(daemon)
    assert "mend 0001_x.sql, then POST /apply" in text
    drizzle([ONE, ("0001_x", "ALTER TABLE t ADD x text;")])
    [command] = commands(text)
    type_in(command)
    assert daemon.verdict() == "current"


def test_with_a_token(serve, drizzle, workdir, monkeypatch):
    token = "0123456789abcdef0123456789abcdef"
    (workdir / "token").write_text(token + "\n", encoding="ascii")
    (workdir / "token").chmod(0o600)
    daemon = serve(drizzle([ONE]), options={"token_file": workdir / "token"})
    daemon.wait_verdict("pending")
    [command] = commands(screen(daemon))
    assert token not in command
    monkeypatch.setenv("TOKEN", token)
    type_in(command)
    assert daemon.verdict() == "current"


def in_doubt(serve, drizzle, database, tag):
    """A daemon killed in a statement that runs alone, and another's screen."""
    folder = drizzle([
        ONE, (tag, "-- migrationd: no-transaction\n"
                   "INSERT INTO t SELECT 1 FROM pg_sleep(600);")])
    first = serve(folder)
    start_apply(first)
    busy = ("SELECT pid FROM pg_stat_activity WHERE state = 'active'"
            " AND query LIKE 'INSERT INTO t %%pg_sleep(600)%%'"
            " AND datname = %s")
    [[pid]] = wait_until(lambda: database.query(busy, database.name),
                         what="the statement runs")
    first.kill()
    database.query("SELECT pg_terminate_backend(%s)", pid)
    daemon = serve(folder)
    assert daemon.apply().status == 409
    text = screen(daemon)
    assert "did it run?" in text and "look at the database" in text
    return daemon, text


def test_in_doubt(serve, drizzle, database):
    daemon, text = in_doubt(serve, drizzle, database, "0001_copy")
    ran, did_not, anew = commands(text)
    assert '"action": "applied"' in ran and "# the statement ran" in ran
    assert '"action": "retry"' in did_not and '"pending"' in anew
    assert '"outcome":"succeeded"' in type_in(ran)
    [apply] = commands(screen(daemon))
    type_in(apply)
    assert daemon.verdict() == "current"


def test_waits_for_a_table(serve, drizzle, database):
    folder = drizzle([ONE])
    daemon = serve(folder, options={"ddl_lock_timeout": "60s"})
    daemon.apply()
    drizzle([ONE, ("0001_x", "ALTER TABLE t ADD x text;")])
    holder = database.hold_lock("SELECT count(*) FROM t")
    where = start_apply(daemon)
    wait_until(lambda: "pg_terminate_backend" in screen(daemon),
               what="the blocker is named")
    # what has been committed is not pending any more, what runs neither
    assert daemon.status()["counts"]["pending"] == 0
    remedy = screen(daemon).split("\nnext: ")[1].split("waits for: ")[1]
    database.query(remedy.split(";")[0])
    wait_outcome(daemon, where, "succeeded")
    try:
        holder.close()
    except psycopg2.Error:
        pass


def test_cancelled(serve, drizzle, database, gate):
    folder = drizzle([ONE, ("0001_x", gate.sql),
                      ("0002_y", "SELECT 2;")])
    daemon = serve(folder)
    daemon.wait_verdict("pending")
    where = start_apply(daemon)
    wait_until(lambda: daemon.get(where).json()["current"] == "0001_x",
               what="the second runs")
    text = screen(daemon)
    # committed by this run, though the table was read before it
    assert daemon.states()["0000_t"] == "applied"
    [command] = commands(text)
    assert command.endswith(where + "/cancel")
    type_in(command)
    gate.open()
    wait_outcome(daemon, where, "cancelled")
    text = screen(daemon)
    assert "the last run was cancelled" in text
    [command] = commands(text)
    type_in(command)
    assert daemon.verdict() == "current"


def test_waits_for_another_daemon(serve, drizzle, database):
    folder = drizzle([ONE, ("0001_x", "SELECT pg_sleep(600);")])
    first, second = serve(folder), serve(folder)
    busy = start_apply(first)
    wait_until(lambda: first.get(busy).json()["current"] == "0001_x",
               what="the first is busy")
    where = start_apply(second)
    wait_until(lambda: second.get(where).json()["lock_holder"],
               what="the holder is named")
    text = screen(second)
    assert "wait, or look there" in text
    [command] = commands(text)
    type_in(command)
    wait_outcome(second, where, "cancelled")
    first.post(busy + "/cancel", json={"mode": "now"})
    wait_outcome(first, busy, "cancelled")
