# SPDX-License-Identifier: PostgreSQL
"""--once: apply, print the run, end with a code that a script can branch on."""

import glob
import json
import os
import signal
import subprocess
import time

import pytest

from harness.daemon import binary, environment, run
from harness.folder import journal, tables, write
from harness.process import alive, die_with_parent
from harness.wait import wait_until

FINE, FILES, CONFIGURATION, FAILED = 0, 2, 4, 5
UNREACHABLE, LOCK, REFUSED, CANCELLED, USAGE = 6, 7, 8, 9, 64


def test_applies_and_prints_the_run(once, sample, database):
    done = once(sample)
    assert done.returncode == FINE, done
    assert "0000_users" in done.stdout
    assert "0006_document_rules" in done.stdout
    assert "succeeded" in done.stdout
    assert len(database.drizzle_rows()) == 7
    again = once(sample)
    assert again.returncode == FINE
    assert "0 migrations" in again.stdout or "nothing" in again.stdout


def test_prints_json_for_programs(once, sample):
    done = once(sample, "--log-format", "json")
    document = json.loads(done.stdout)
    assert document["outcome"] == "succeeded"
    assert [m["id"] for m in document["applied"]][0] == "0000_users"
    for line in done.stderr.splitlines():
        json.loads(line)


def test_prints_a_failure_as_json_too(once, drizzle):
    done = once(drizzle([("0000_bad", "CRATE;")]), "--log-format", "json")
    document = json.loads(done.stdout)
    assert document["outcome"] == "failed"
    assert document["error"]["category"] == "SQL_SYNTAX_ERROR"


@pytest.mark.parametrize("option", ["sslmode=bogus", "keepalives_idle=soon"])
def test_a_wrong_connection_option_is_4_at_once(once, sample, database,
                                                option):
    """Not after connect_wait, a minute: it never gets better."""
    begin = time.monotonic()
    done = once(sample, url=f"{database.url}?{option}")
    assert time.monotonic() - begin < 15
    assert done.returncode == CONFIGURATION, done
    assert option.split("=")[0] in done.stdout, done
    assert "database_url" in done.stdout, done


def test_missing_folder_is_2(once, workdir):
    done = once(workdir / "nowhere")
    assert done.returncode == FILES, done
    assert str(workdir / "nowhere") in done.stderr + done.stdout


def test_missing_file_is_2(once, drizzle, database):
    folder = drizzle(tables(2))
    (folder / "0001_t1.sql").unlink()
    done = once(folder)
    assert done.returncode == FILES, done
    assert "0001_t1.sql" in done.stderr + done.stdout
    assert not database.has_table("t0")


@pytest.mark.parametrize("args", [
    ["--layout", "nosuch"],
    ["--tracking", "nosuch"],
    ["--log-level", "loud"],
    ["--config", "/nonexistent/migrationd.conf"],
])
def test_bad_configuration_is_4(once, sample, args):
    done = once(sample, *args)
    assert done.returncode == CONFIGURATION, done
    assert args[1] in done.stderr


def test_failing_file_is_5(once, drizzle):
    done = once(drizzle([("0000_a", "SELECT 1;"),
                         ("0001_bad", "SELECT\n  nix;")]))
    assert done.returncode == FAILED, done
    screen = done.stdout + done.stderr
    assert "0001_bad.sql:2:3" in screen
    assert "42703" in screen


def test_no_database_is_6(once, sample, workdir):
    write(workdir / "c.conf", "connect_wait = '500ms'\n")
    started = time.monotonic()
    done = once(sample, "--config", workdir / "c.conf",
                url="postgresql://postgres@127.0.0.1:1/nowhere")
    assert done.returncode == UNREACHABLE, done
    assert time.monotonic() - started < 15
    assert "127.0.0.1" in done.stderr + done.stdout


def test_wrong_database_name_does_not_wait(once, sample, postgres):
    url = f"postgresql://postgres@127.0.0.1:{postgres.port}/nosuchdb"
    started = time.monotonic()
    done = once(sample, url=url)
    assert done.returncode in (UNREACHABLE, CONFIGURATION), done
    assert "nosuchdb" in done.stderr + done.stdout
    assert time.monotonic() - started < 10


def test_lock_not_obtained_is_7(once, serve, drizzle, workdir, gate):
    folder = drizzle([("0000_slow", gate.sql)])
    daemon = serve(folder)
    daemon.apply(Prefer="respond-async")
    gate.wait()
    write(workdir / "c.conf", "lock_wait = '300ms'\n")
    done = once(folder, "--config", workdir / "c.conf")
    assert done.returncode == LOCK, done
    assert "LOCK_TIMEOUT" in done.stderr + done.stdout
    gate.open()
    daemon.wait_verdict("current")


def test_out_of_order_is_8(once, drizzle):
    folder = drizzle([("0000_a", "SELECT 1;", 1000),
                      ("0002_c", "SELECT 1;", 3000)])
    assert once(folder).returncode == FINE
    write(folder / "0001_b.sql", "SELECT 1;")
    write(folder / "meta/_journal.json", journal(
        [("0000_a", 1000), ("0001_b", 2000), ("0002_c", 3000)]))
    done = once(folder)
    assert done.returncode == REFUSED, done
    assert "0001_b" in done.stderr + done.stdout


def test_interrupted_is_9(drizzle, database):
    process = subprocess.Popen(
        [binary(), "--once", "--migrations",
         drizzle([("0000_slow", "CREATE TABLE slow (id int);"
                                "SELECT pg_sleep(60);")]),
         "--database-url", database.url],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(), preexec_fn=die_with_parent())
    wait_until(lambda: database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
        " '%%pg_sleep(60)%%' AND pid <> pg_backend_pid()"), 10)
    process.send_signal(signal.SIGINT)
    # the first asks to finish the migration in hand, the second to cancel it
    wait_until(lambda: process.send_signal(signal.SIGINT) or
               process.poll() is not None, 10, interval=0.3)
    process.communicate()
    assert process.returncode == CANCELLED
    assert not database.has_table("slow")


@pytest.mark.parametrize("args", [
    ["--nosuchoption"],
    ["--migrations"],
    ["stray"],
])
def test_usage_is_64(args):
    done = run(*args)
    assert done.returncode == USAGE, done
    assert "--help" in done.stderr


def test_no_migrations_folder_named(database, workdir):
    done = run("--once", "--database-url", database.url, cwd=workdir)
    assert done.returncode in (FILES, CONFIGURATION), done
    assert "migrations" in done.stderr + done.stdout


def test_help_and_version():
    done = run("--help")
    assert done.returncode == FINE
    for option in ("config", "migrations", "database-url", "listen", "layout",
                   "tracking", "ephemeral", "once", "apply-on-start",
                   "apply-on-change", "log-format", "log-level", "token-file",
                   "check-config", "print-config", "version", "help"):
        assert f"--{option}" in done.stdout, option
    done = run("--version")
    assert done.returncode == FINE
    assert done.stdout.startswith("migrationd ")


def test_opens_no_listener(drizzle, database, gate):
    process = subprocess.Popen(
        [binary(), "--once", "--migrations",
         drizzle([("0000_slow", gate.sql)]),
         "--database-url", database.url], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=environment(),
        preexec_fn=die_with_parent())
    gate.wait()
    listening = {line.split()[9] for table in ("tcp", "tcp6")
                 for line in open(f"/proc/{process.pid}/net/{table}",
                                  encoding="utf-8").readlines()[1:]
                 if line.split()[3] == "0A"}
    held = {os.readlink(fd).removeprefix("socket:[").rstrip("]")
            for fd in glob.glob(f"/proc/{process.pid}/fd/*")
            if os.path.exists(fd) or os.path.islink(fd)}
    assert not listening & held
    gate.open()
    assert process.wait(timeout=20) == FINE


# -- --ephemeral ----------------------------------------------------------------

@pytest.fixture
def temporary(workdir):
    """A $TMPDIR of the test's own: what is in it, and which servers live in
    it, is the ephemeral daemon's doing. A name that has to be quoted."""
    made = workdir / "nobody's tmp"
    made.mkdir()
    made.chmod(0o1777)
    return made


def servers_in(directory):
    """The pids whose command line names a path beneath `directory`."""
    found = set()
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as cmdline:
                if os.fsencode(directory) in cmdline.read() and alive(pid):
                    found.add(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def nothing_left(directory):
    return not servers_in(directory) and not os.listdir(directory)


def test_ephemeral_once_leaves_nothing_behind(sample, temporary):
    done = run("--ephemeral", "--once", "--migrations", sample, timeout=120,
               env={"TMPDIR": temporary})
    assert done.returncode == FINE, done
    assert "0006_document_rules" in done.stdout
    wait_until(lambda: nothing_left(temporary), 10)


def test_ephemeral_reports_a_failing_file(drizzle, temporary):
    done = run("--ephemeral", "--once", "--migrations",
               drizzle([("0000_bad", "CRATE TABLE x;")]), timeout=120,
               env={"TMPDIR": temporary})
    assert done.returncode == FAILED, done
    assert "0000_bad.sql:1:1" in done.stdout + done.stderr
    wait_until(lambda: nothing_left(temporary), 10)


def test_ephemeral_daemon(start_daemon, sample, temporary):
    daemon = start_daemon("--ephemeral", "--migrations", sample,
                          env={"TMPDIR": temporary})
    daemon.wait_verdict("pending", timeout=60)
    assert daemon.apply().status == 200
    assert daemon.verdict() == "current"
    assert servers_in(temporary)
    daemon.stop()
    wait_until(lambda: nothing_left(temporary), 10)


def test_ephemeral_server_dies_with_a_killed_daemon(start_daemon, sample,
                                                    temporary):
    daemon = start_daemon("--ephemeral", "--migrations", sample,
                          env={"TMPDIR": temporary})
    daemon.wait_verdict("pending", timeout=60)
    assert servers_in(temporary)
    daemon.kill()
    wait_until(lambda: nothing_left(temporary), 20,
               what="the private server and its directory go too")


def test_ephemeral_as_an_ordinary_user(sample, temporary):
    done = run("--ephemeral", "--once", "--migrations", sample, timeout=120,
               user="postgres", env={"TMPDIR": temporary})
    assert done.returncode == FINE, done
    wait_until(lambda: nothing_left(temporary), 10)


def test_ephemeral_and_a_database_url_contradict(sample, database):
    done = run("--ephemeral", "--once", "--migrations", sample,
               "--database-url", database.url)
    assert done.returncode in (CONFIGURATION, USAGE), done
    assert "ephemeral" in done.stderr
