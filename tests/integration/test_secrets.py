# SPDX-License-Identifier: PostgreSQL
"""Where secrets come from, that they can be rotated, and that nobody sees them."""

import os
import pathlib
import re
import signal
import time

import pytest

from harness import daemon as daemon_module
from harness.folder import tables
from harness.process import alive
from harness.wait import wait_until

SECRET = "hunter2-correct-horse"


def write(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.fixture
def guarded(own_postgres):
    """A database that the role app needs a password for."""
    database = own_postgres.createdb()
    database.execute(f"CREATE ROLE app LOGIN SUPERUSER PASSWORD '{SECRET}'")
    hba = own_postgres.data / "pg_hba.conf"
    hba.write_text("host all app 127.0.0.1/32 scram-sha-256\n"
                   + hba.read_text())
    database.execute("SELECT pg_reload_conf()")
    return database


def rotate(database, password):
    database.execute(f"ALTER ROLE app PASSWORD '{password}'")


def add_migration(folder, number):
    (folder / f"{number:04d}_more.sql").write_text(
        f"CREATE TABLE more_{number} (id int);\n")


def cut_sessions(database):
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'app'")


# -- rotation ----------------------------------------------------------------------

def test_password_file_is_rotated(start_daemon, sequence, guarded, workdir):
    path = write(workdir / "password", SECRET + "\n")
    folder = sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"})
    daemon = start_daemon(
        "--migrations", folder, "--database-url", guarded.url_as("app"),
        "--password-file", path, options={"refresh_interval": "1s"})
    assert daemon.apply().status == 200
    rotate(guarded, "second-password")
    write(path, "second-password\n")
    add_migration(folder, 2)
    cut_sessions(guarded)
    assert daemon.apply().status == 200
    assert "public.more_2" in guarded.tables()
    daemon.wait_verdict("current")
    wait_until(lambda: daemon.status()["database"]["reachable"])


def test_password_command_is_rotated(start_daemon, sequence, guarded,
                                     workdir):
    path = write(workdir / "password", SECRET + "\n")
    count = workdir / "count"
    ask = script(workdir / "ask", f"echo x >>{count}\nexec cat {path}\n")
    folder = sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"})
    daemon = start_daemon(
        "--migrations", folder, "--database-url", guarded.url_as("app"),
        "--password-command", ask)
    assert daemon.apply().status == 200
    asked = len(count.read_text())
    assert asked >= 2, "run and observer each have a connection"
    rotate(guarded, "second-password")
    write(path, "second-password\n")
    add_migration(folder, 2)
    cut_sessions(guarded)
    assert daemon.apply().status == 200
    assert len(count.read_text()) > asked
    assert "public.more_2" in guarded.tables()


def test_database_url_file_is_rotated(start_daemon, sequence, guarded,
                                      workdir):
    path = write(workdir / "url", guarded.url_as("app", SECRET) + "\n")
    folder = sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"})
    daemon = start_daemon("--migrations", folder,
                          options={"database_url_file": path})
    assert daemon.apply().status == 200
    rotate(guarded, "second-password")
    write(path, guarded.url_as("app", "second-password") + "\n")
    add_migration(folder, 2)
    assert daemon.apply().status == 200
    assert "public.more_2" in guarded.tables()
    assert "second-password" not in daemon.get("/config").text


def test_credentials_directory_is_read_at_each_connect(
        start_daemon, sequence, guarded, workdir):
    credentials = workdir / "credentials"
    credentials.mkdir()
    write(credentials / "database-url", guarded.url_as("app") + "\n")
    write(credentials / "password", SECRET + "\n")
    write(credentials / "api-token", "first-token\n")
    folder = sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"})
    daemon = start_daemon("--migrations", folder,
                          env={"CREDENTIALS_DIRECTORY": credentials})
    assert daemon.apply().status == 401
    daemon.token = "first-token"
    assert daemon.apply().status == 200
    rotate(guarded, "second-password")
    write(credentials / "password", "second-password\n")
    write(credentials / "api-token", "second-token\n")
    assert daemon.apply().status == 401, "the old token is none any more"
    daemon.token = "second-token"
    assert daemon.apply().status == 200


def test_token_is_rotated_without_a_reload(serve, drizzle, workdir):
    path = write(workdir / "token", "first-token\n")
    daemon = serve(drizzle(tables(1)), "--token-file", path)
    daemon.token = "first-token"
    assert daemon.apply().status == 200
    # as Kubernetes does it: another file takes its place
    os.replace(write(workdir / "new", "second-token\n"), path)
    assert daemon.apply().status == 401
    daemon.token = "second-token"
    assert daemon.apply().status == 200
    path.unlink()
    assert daemon.apply().status == 200, "the last one counts"
    assert any("token_file cannot be read" in line["message"]
               for line in daemon.log_lines())
    assert "second-token" not in daemon.stderr()


# -- commands that do not do what they should ---------------------------------------

@pytest.mark.parametrize("text, words", [
    ("exit 3", "ended with exit code 3"),
    ("kill -9 $$", "ended by signal 9"),
    (f"set -x; echo {SECRET}; exit 1", "ended with exit code 1"),
    ("true", "output is empty"),
    (f"echo {SECRET}; echo {SECRET}", "more than the one line"),
    ("exec yes", "printed more than 8192 bytes"),
    ("sleep 300 & sleep 300", "did not end within"),
])
def test_bad_password_command(start_daemon, drizzle, guarded, workdir,
                              text, words):
    ask = script(workdir / "ask", text + "\n")
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)),
        "--database-url", guarded.url_as("app"), "--password-command", ask,
        options={"connect_wait": "0", "connect_timeout": "4s"})
    got = daemon.apply()
    problem = got.problem(503)
    assert words in problem["detail"], problem
    assert "password_command" in problem["detail"]
    assert got.seconds < 20
    assert guarded.tables() == []
    for path in ("/status", "/status?format=text", "/runs", "/config",
                 "/metrics", "/readyz?verbose"):
        assert SECRET not in daemon.get(path).text
    daemon.stop()
    assert SECRET not in daemon.stderr()


def descendants(pid):
    """The processes beneath `pid`, at this moment."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        parent = int(stat.rpartition(")")[2].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    found, parents = [], [pid]
    while parents:
        new = children.get(parents.pop(), [])
        found += new
        parents += new
    return found


HANGING = "sleep 300 &\nsleep 300\n"


@pytest.fixture
def hanging(start_daemon, drizzle, guarded, workdir):
    ask = script(workdir / "ask", HANGING)
    return start_daemon(
        "--migrations", drizzle(tables(1)),
        "--database-url", guarded.url_as("app"), "--password-command", ask,
        options={"connect_timeout": "60s"})


def sleepers(daemon):
    """guard, shell and two sleeps of the observer's command"""
    pids = descendants(daemon.pid)
    return pids if len(pids) >= 4 else []


def test_hanging_command_holds_up_nobody(hanging):
    wait_until(lambda: sleepers(hanging))
    for _ in range(5):
        got = hanging.get("/livez")
        assert got.status == 200 and got.seconds < 3
    assert hanging.get("/metrics").seconds < 3


def test_stop_leaves_no_command_behind(hanging):
    pids = wait_until(lambda: sleepers(hanging))
    started = time.monotonic()
    hanging.stop()
    assert time.monotonic() - started < 15
    wait_until(lambda: not any(map(alive, pids)), 15)


def test_killed_daemon_leaves_no_command_behind(hanging):
    pids = wait_until(lambda: sleepers(hanging))
    hanging.kill()
    wait_until(lambda: not any(map(alive, pids)), 15)


def test_killed_guard_is_a_failure(hanging):
    pids = wait_until(lambda: sleepers(hanging))
    os.kill(pids[0], signal.SIGKILL)
    wait_until(lambda: not any(map(alive, pids)), 15)
    assert hanging.get("/livez").status == 200


# -- nobody sees them ---------------------------------------------------------------

def words_of(path):
    return path.read_bytes().replace(b"\0", b" ").decode()


@pytest.mark.parametrize("args", [
    ["--database-url", f"postgresql://app:{SECRET}@127.0.0.1:1/app"],
    [f"--database-url=host=127.0.0.1 port=1 password={SECRET}"],
    ["--database-url", "postgresql://app@127.0.0.1:1/app",
     "--password-command", f"echo {SECRET}"],
    ["--database-url", f"postgresql://app@127.0.0.1:1/{SECRET}@app"],
])
def test_nothing_shows_a_secret(start_daemon, drizzle, workdir, args):
    if "@app" in args[-1]:
        # cannot be read: it says so without a word of it
        done = daemon_module.run(*args)
        assert done.returncode == 4
        assert SECRET not in done.stderr + done.stdout
        return
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)), *args,
        options={"connect_wait": "200ms", "log_level": "debug"})
    got = daemon.apply()
    assert SECRET not in got.text
    assert SECRET not in words_of(pathlib.Path(f"/proc/{daemon.pid}/cmdline"))
    for path in ("/status", "/config", "/runs", "/metrics",
                 "/status?format=text"):
        assert SECRET not in daemon.get(path).text
    assert daemon.post("/reload").status == 200, "the flags are known still"
    assert SECRET not in daemon.get("/config").text
    daemon.stop()
    assert SECRET not in daemon.stderr()
    done = daemon_module.run("--print-config", *args)
    assert SECRET not in done.stdout + done.stderr


def test_wrong_password_from_a_command(start_daemon, drizzle, guarded,
                                       workdir):
    ask = script(workdir / "ask", "echo not-the-password\n")
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)),
        "--database-url", guarded.url_as("app"), "--password-command", ask,
        options={"connect_wait": "200ms", "log_level": "debug"})
    got = daemon.apply()
    assert got.problem()["category"] == "PERMISSION_DENIED"
    assert "not-the-password" not in got.text
    daemon.stop()
    assert not re.search("not-the-password", daemon.stderr())


@pytest.mark.parametrize("statement", [
    f"CREATE ROLE shown PASSWORD '{SECRET}' NOSUCHWORD;",
    f"DO $$ BEGIN EXECUTE 'ALTER ROLE nobody PASSWORD ''{SECRET}'''; END $$;",
    "CREATE SERVER s FOREIGN DATA WRAPPER nosuch"
    f" OPTIONS (user 'x', password '{SECRET}');",
])
def test_password_in_a_statement_that_fails(serve, drizzle, database,
                                            statement):
    daemon = serve(drizzle([("0000_a", statement)]))
    problem = daemon.apply().problem(422)
    assert "****" in str(problem)
    for path in ("/status", "/status?format=text", "/runs", "/check",
                 "/migrations", f"/runs/{problem['run_id']}?format=text"):
        assert SECRET not in daemon.get(path).text, path
    daemon.stop()
    assert SECRET not in daemon.stderr()
    [[error]] = database.query("SELECT error::text FROM migrationd.runs")
    assert "****" in error and SECRET not in error
