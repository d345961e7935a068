# SPDX-License-Identifier: PostgreSQL
"""migrationctl in a pipe: the same commands asked of a daemon over TCP and
over a unix socket, and done without one."""

import http.server
import json
import re
import subprocess
import threading

import pytest

from harness.ctl import ctl_binary, run, spawn, finish
from harness.daemon import config_text, environment
from harness.folder import write
from harness.process import free_port
from harness.proxy import Proxy
from harness.wait import wait_until

FINE, DRIFT, FILES, PENDING, CONFIGURATION, FAILED = 0, 1, 2, 3, 4, 5
UNREACHABLE, LOCK, REFUSED, CANCELLED, USAGE, INTERRUPTED = 6, 7, 8, 9, 64, 130

WAYS = ["tcp", "unix", "local"]


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
def ctl_on(way, serve, database, workdir):
    """ctl_on(folder, ...) -> ctl(*args), on the test's database each way."""
    def begin(folder, url=None, options=None):
        if way == "local":
            flags = ["--migrations", folder, "--database-url",
                     url or database.url]
            if options:
                write(workdir / "ctl.conf", config_text(options))
                flags += ["--config", workdir / "ctl.conf"]
        else:
            listen = f"unix:{workdir}/api.sock" if way == "unix" else "auto"
            daemon = serve(folder, *(["--database-url", url] if url else []),
                           listen=listen, options=options)
            wait_until(lambda: has_looked(daemon), 20)
            flags = ["--server",
                     listen if way == "unix" else daemon.base_url]

        def ctl(*args, **kwargs):
            return run(*flags, *args, **kwargs)
        ctl.flags = flags
        return ctl
    return begin


def has_looked(daemon):
    """Before its first look a daemon does not know what is pending."""
    database = daemon.status()["database"]
    return database["refreshed_at"] or database["error"]


def lines(text):
    return text.splitlines()


def keys(document):
    """The names of all members, with where they stand."""
    if isinstance(document, dict):
        return {(name, *rest) for name, value in document.items()
                for rest in [(), *keys(value)]}
    if isinstance(document, list) and document:
        return {("[]", *rest) for rest in keys(document[0])}
    return set()


# -- looking --------------------------------------------------------------

def test_status(ctl_on, sample):
    ctl = ctl_on(sample)
    done = ctl("status")
    assert done.returncode == FINE, done.err
    assert "verdict   pending: 7 migrations pending" in done.out
    assert "0006_document_rules" in done.out
    assert "migrationctl apply runs them" in done.out
    assert re.search(r"\n          migrationctl --\S.* apply\n$", done.out)
    assert "\x1b" not in done.out and "POST" not in done.out
    assert done.err == ""


@pytest.mark.parametrize("command, path", [
    (["status"], "/status"),
    (["list"], "/migrations"),
    (["list", "--state", "pending"], "/migrations?state=pending"),
    (["show", "0000_users"], "/migrations/0000_users"),
    (["plan"], "/plan"),
    (["plan", "--target", "0001_documents"], "/plan?target=0001_documents"),
    (["history"], "/runs?limit=20"),
    (["config"], "/config"),
    (["version"], "/version"),
    (["ping"], "/readyz"),
])
def test_json_is_the_document_of_the_api(ctl_on, serve, sample, command, path):
    """Member by member the same as what a daemon answers."""
    ctl = ctl_on(sample)
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    done = ctl("--json", *command)
    assert done.returncode == FINE, done.err
    ours, theirs = json.loads(done.out), daemon.get(path).json()
    assert keys(ours) == keys(theirs)
    if command[0] in ("list", "show", "plan", "version", "ping"):
        assert ours == theirs
    assert done.err == ""


def test_list_and_show(ctl_on, drizzle):
    ctl = ctl_on(drizzle([("0000_a", "SELECT 1;"), ("0001_b", "SELECT 1;")]))
    assert ctl("apply", "--target", "0000_a").returncode == FINE
    done = ctl("list")
    table = lines(done.out)
    assert table[0].split() == ["MIGRATION", "STATE", "APPLIED"]
    assert table[1].split()[:2] == ["0000_a", "applied"]
    assert table[2].split() == ["0001_b", "pending"]
    assert lines(ctl("list", "--state", "pending").out)[1:] == table[2:3]
    shown = ctl("show", "0000_a").out
    assert "state     applied" in shown and "checksum  " in shown


def test_history_and_a_run(ctl_on, drizzle):
    ctl = ctl_on(drizzle([("0000_a", "CREATE TABLE a (id int);")]))
    assert ctl("history").out == "no runs\n"
    assert ctl("apply").returncode == FINE
    row = ctl("history", "--limit", "1").out.split()
    assert row[0] == "apply" and row[2] == "succeeded"
    shown = ctl("show", row[1])
    assert shown.returncode == FINE, shown.err
    assert f"apply {row[1]} succeeded" in shown.out


def test_config_masks_secrets(ctl_on, sample, database):
    ctl = ctl_on(sample)
    done = ctl("config")
    assert "password=secret" not in done.out
    assert str(sample) in done.out


def test_reading_writes_nothing(ctl_on, sample, database):
    ctl = ctl_on(sample)
    for command in ("status", "list", "plan", "history", "ping", "wait"):
        ctl(command, *(["--timeout", "1ms"] if command == "wait" else []))
    assert database.value(
        "SELECT count(*) FROM pg_namespace"
        " WHERE nspname IN ('drizzle', 'migrationd')") == 0


def test_check(ctl_on, drizzle):
    folder = drizzle([("0000_a", "SELECT 1;"), ("0001_b", "SELECT 1;")])
    ctl = ctl_on(folder)
    done = ctl("check")
    assert done.returncode == PENDING, done.err
    assert f"{folder}/0000_a.sql: warning: " in done.out
    assert lines(done.out)[-1].startswith("check: pending: 0 errors, 2 warn")
    assert ctl("check", "--files").returncode == FINE
    assert ctl("apply").returncode == FINE
    assert ctl("check").returncode == FINE
    document = json.loads(ctl("check", "--json").out)
    assert document["exit_code"] == FINE and document["strict"] is False
    (folder / "0001_b.sql").unlink()
    wait_until(lambda: ctl("check", "--files").returncode == FILES)
    done = ctl("check", "--quiet", "--strict")
    assert (done.returncode, done.out) == (FILES, "")


def test_check_of_files_needs_no_database(drizzle):
    done = run("check", "--files", "--migrations",
               drizzle([("0000_a", "SELECT 1;")]), "--database-url",
               "postgresql://postgres@127.0.0.1:1/nowhere")
    assert done.returncode == FINE, done.err
    assert "check: fine" in done.out


def test_head_is_no_failure(ctl_on, drizzle):
    long = "m" * 150  # more than a pipe holds
    ctl = ctl_on(drizzle([(f"{i:04d}_{long}", "SELECT 1;")
                          for i in range(600)]))
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; \"$@\" list | head -n 1", "-",
         ctl_binary(), *map(str, ctl.flags)],
        env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == FINE, done.stderr
    assert done.stdout.startswith("MIGRATION")


def test_watching_ends_with_its_reader(ctl_on, sample):
    ctl = ctl_on(sample)
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; \"$@\" status --watch | head -n 1",
         "-", ctl_binary(), *map(str, ctl.flags)],
        env=environment(), capture_output=True, check=False, timeout=60)
    assert done.returncode == FINE, done.stderr


@pytest.mark.parametrize("flags", [["--server", "ftp://x"],
                                   ["--layout", "bogus"]])
def test_watching_ends_where_nobody_can_be_asked(flags):
    done = finish(spawn(*flags, "status", "--watch"))
    assert done.returncode in (CONFIGURATION, USAGE), done.err
    assert len(lines(done.err)) == 1


def test_a_full_disk_is_one(ctl_on, sample):
    ctl = ctl_on(sample)
    with open("/dev/full", "w", encoding="ascii") as full:
        done = finish(spawn(*ctl.flags, "list", stdout=full))
    assert done.returncode == 70 and "cannot write" in done.err


def test_what_to_type_next_can_be_pasted(ctl_on, drizzle, database):
    """It says whom it asks, too: elsewhere it would do other work."""
    ctl = ctl_on(drizzle([("0000_a", "CREATE TABLE a (id int);")]))
    told = lines(ctl("status").out)[-1].strip()
    assert told.endswith(" apply"), told
    path = f"{ctl_binary().parent}:/usr/bin:/bin"
    done = subprocess.run(["sh", "-c", told], cwd="/", timeout=60, text=True,
                          env=environment({"PATH": path}),
                          capture_output=True, check=False)
    assert done.returncode == FINE, done.stderr
    assert database.has_table("a")


@pytest.mark.parametrize("target", [b"0000_users\xff", b"x" * 100000])
def test_a_target_that_cannot_be_sent_applies_nothing(ctl_on, sample,
                                                      database, target):
    ctl = ctl_on(sample)
    done = subprocess.run(
        [ctl_binary(), *map(str, ctl.flags), "apply", "--target", target],
        env=environment(), timeout=60, capture_output=True, check=False)
    assert done.returncode == USAGE and b"--target" in done.stderr
    assert not database.has_table("users")


def test_standard_descriptors_may_be_closed(ctl_on, sample, database):
    ctl = ctl_on(sample)
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', ctl_binary(),
         *map(str, ctl.flags), "apply"],
        env=environment(), timeout=60, check=False)
    assert done.returncode == FINE
    assert len(database.drizzle_rows()) == 7


# -- applying -------------------------------------------------------------

def test_apply_tells_a_line_for_each_event(ctl_on, sample, database):
    ctl = ctl_on(sample)
    done = ctl("apply")
    assert done.returncode == FINE, done.err
    told = lines(done.out)
    assert told[0].startswith("run apply ")
    applied = [line.split()[1] for line in told if line.startswith("applied")]
    assert len(applied) == 7 and applied[0] == "0000_users"
    assert told[-1].startswith("succeeded: 7 migrations in ")
    assert "\x1b" not in done.out + done.err and "\r" not in done.out
    assert len(database.drizzle_rows()) == 7
    again = ctl("apply")
    assert again.returncode == FINE
    assert lines(again.out)[-1] == "succeeded: nothing was to do"


def test_apply_as_json(ctl_on, sample):
    ctl = ctl_on(sample)
    done = ctl("apply", "--json")
    run_document = json.loads(done.out)
    assert done.returncode == FINE and done.err == ""
    assert run_document["outcome"] == "succeeded"
    assert len(run_document["applied"]) == 7


def test_apply_up_to(ctl_on, sample, database):
    ctl = ctl_on(sample)
    assert ctl("apply", "--target", "0001_documents").returncode == FINE
    assert len(database.drizzle_rows()) == 2
    done = ctl("apply", "--target", "nix")
    assert done.returncode == FILES, done.err
    assert "nix" in done.err and "migrationctl list" in done.err


def test_quiet(ctl_on, drizzle):
    ctl = ctl_on(drizzle([("0000_a", "SELECT 1;"), ("0001_b", "SELECT nix;")]))
    done = ctl("apply", "--quiet", "--target", "0000_a")
    assert (done.returncode, done.out, done.err) == (FINE, "", "")
    done = ctl("apply", "--quiet")
    assert done.returncode == FAILED and done.out == ""
    assert "nix" in done.err


def test_a_failure_says_where_and_what_next(ctl_on, drizzle):
    ctl = ctl_on(drizzle([("0000_a", "SELECT 1;"),
                          ("0001_bad", "SELECT 1;\nSELECT\n  nix;")]))
    done = ctl("apply")
    assert done.returncode == FAILED, done.err
    assert "applied   0000_a" in done.out
    assert lines(done.out)[-1].startswith("failed: 1 migration in ")
    assert "A migration failed: 0001_bad.sql:3:3" in done.err
    assert "SQLSTATE 42703" in done.err
    assert "next      mend 0001_bad.sql, then migrationctl apply" in done.err
    assert "0001_bad" not in "\n".join(
        line for line in lines(done.out) if not line.startswith("running"))
    plain = ctl("apply", "--json")
    problem = json.loads(plain.out)
    assert plain.returncode == FAILED == problem["exit_code"]
    assert problem["status"] == 422 and plain.err == ""


def test_dry_run_and_plan(ctl_on, sample, database):
    ctl = ctl_on(sample)
    for command in (["apply", "--dry-run"], ["plan"]):
        done = ctl(*command)
        assert done.returncode == FINE, done.err
        assert lines(done.out)[-1] == "7 to apply"
    assert lines(ctl("plan", "--target", "0001_documents").out)[-1] == (
        "2 to apply")
    assert not database.has_table("users")


def test_a_dry_run_of_some_phases(ctl_on, sample, workdir):
    data = workdir / "data"
    data.mkdir()
    (data / "2024-03-15_a.sql").write_text("SELECT 1;\n")
    ctl = ctl_on(sample, options={"data": data})
    for command in (["apply"], ["baseline", "--all"]):
        done = ctl(*command, "--dry-run", "--phases", "data")
        assert done.returncode == FINE, done.err
        assert "2024-03-15_a  data" in done.out
        assert "0001_documents" not in done.out
    assert "   8  2024-03-15_a  data" in lines(ctl("plan").out)


def test_a_refused_plan_has_its_exit_code(ctl_on, drizzle):
    folder = drizzle([("0000_a", "SELECT 1;", 1000),
                      ("0002_c", "SELECT 1;", 3000)])
    ctl = ctl_on(folder)
    assert ctl("apply").returncode == FINE
    drizzle([("0000_a", "SELECT 1;", 1000), ("0001_b", "SELECT 1;", 2000),
             ("0002_c", "SELECT 1;", 3000)])
    wait_until(lambda: ctl("plan").returncode == REFUSED)
    done = ctl("plan")
    assert "0001_b" in done.out
    assert ctl("apply").returncode == REFUSED


def test_a_plan_ends_as_its_run_would(ctl_on, sequence):
    ctl = ctl_on(sequence({"0001_a.sql": "SELECT 1;", "0001_b.sql": "SELECT 2;"}))
    for command in (["plan"], ["apply", "--dry-run"], ["apply"]):
        done = ctl(*command)
        assert done.returncode == FILES, done.err
        assert (done.out + done.err).count("have the same number") == 1


def test_baseline(ctl_on, sample, database):
    ctl = ctl_on(sample)
    done = ctl("baseline", "0002_document_status")
    assert done.returncode == FINE, done.err
    assert len(database.drizzle_rows()) == 3
    assert not database.has_table("users")
    refused = ctl("baseline", "--all")
    assert refused.returncode == REFUSED, refused.err
    assert ctl("baseline", "--all", "--force").returncode == FINE
    assert len(database.drizzle_rows()) == 7


UNDOABLE = {f"000{n}_{name}.sql":
            f"CREATE TABLE {name} (id int);\n\n-- ROLLBACK SQL\n"
            f"-- DROP TABLE {name};\n" for n, name in enumerate("abc", 1)}


def test_rollback(ctl_on, sequence, database):
    ctl = ctl_on(sequence(UNDOABLE), options={"rollback": True})
    assert ctl("apply").returncode == FINE
    shown = ctl("rollback", "0001", "--dry-run")
    assert shown.returncode == FINE, shown.err
    assert lines(shown.out)[-1] == "2 to undo" and database.has_table("c")
    done = ctl("rollback", "--steps", "1", "--reason", "it was too early")
    assert done.returncode == FINE, done.err
    assert "undone    0003_c" in done.out and not database.has_table("c")
    assert lines(done.out)[-1].startswith("succeeded: 1 migration in ")
    assert ctl("rollback", "0001_a").returncode == FINE
    assert database.has_table("a") and not database.has_table("b")
    run_id = ctl("history").out.split()[1]
    assert "undone    0002_b" in ctl("show", run_id).out


# loses the connection once, which may pass: a sequence does not go back
LOST_ONCE = ("-- DO $$ BEGIN IF nextval('tries') = 1 THEN"
             " PERFORM pg_terminate_backend(pg_backend_pid());"
             " END IF; END $$;\n")


@pytest.mark.parametrize("flag", ["--json", "--quiet"])
def test_rollback_is_not_begun_twice(serve, sequence, database, flag):
    """One of three is undone when the connection is lost: with patience
    left, three more would be one too many."""
    database.execute("CREATE SEQUENCE tries")
    files = {f"000{n}_{name}.sql":
             f"CREATE TABLE {name} (id int);\n\n-- ROLLBACK SQL\n"
             f"{LOST_ONCE if name == 'd' else ''}-- DROP TABLE {name};\n"
             for n, name in enumerate("abcde", 1)}
    daemon = serve(sequence(files), "--rollback")
    assert daemon.apply().status == 200
    done = run("--server", daemon.base_url, flag, "--wait", "60s", "rollback",
               "--steps", "3")
    assert done.returncode == UNREACHABLE, done.err
    assert database.value("SELECT count(*) FROM schema_migrations") == 4
    assert [database.has_table(name) for name in "abcde"] == [True] * 4 + [False]


def test_rollback_waits_for_the_daemon(serve, start_daemon, sequence, database):
    folder = sequence(UNDOABLE)
    assert serve(folder).apply().status == 200
    port = free_port()
    early = spawn("--server", f"127.0.0.1:{port}", "--json", "rollback",
                  "--steps", "1", "--wait", "30s")
    start_daemon("--migrations", folder, "--rollback", "--database-url",
                 database.url, listen=f"127.0.0.1:{port}")
    done = finish(early)
    assert done.returncode == FINE, done.err
    assert database.has_table("b") and not database.has_table("c")


def test_rollback_has_to_be_allowed(ctl_on, sequence, database):
    ctl = ctl_on(sequence(UNDOABLE))
    assert ctl("apply").returncode == FINE
    done = ctl("rollback", "--all")
    assert done.returncode != FINE and "rollback" in done.err
    assert database.has_table("c")


def test_baseline_of_what_is_something_else(ctl_on, drizzle, database):
    database.execute("CREATE TABLE a (x text)")
    ctl = ctl_on(drizzle([("0000_a", "CREATE TABLE a (x int);")]))
    refused = ctl("baseline", "--all", "--verify")
    assert refused.returncode == REFUSED, refused.err
    assert ("column public.a.x is text, the folder says integer"
            in refused.out + refused.err)
    database.execute("DROP TABLE a; CREATE TABLE a (x int)")
    assert ctl("baseline", "--all", "--verify").returncode == FINE
    assert len(database.drizzle_rows()) == 1


def test_baseline_shown_first(ctl_on, sample, database):
    ctl = ctl_on(sample)
    done = ctl("baseline", "--all", "--dry-run")
    assert done.returncode == FINE, done.err
    assert lines(done.out)[-1] == "7 to record"
    assert not database.value("SELECT to_regclass('drizzle.__drizzle_migrations')")


def test_phases(ctl_on, drizzle, workdir, database):
    for name in ("data", "seeds"):
        (workdir / name).mkdir()
    write(workdir / "data/2026-11-20_bad.sql", "SELECT nix;")
    write(workdir / "seeds/roles.sql", "INSERT INTO a VALUES (1);")
    ctl = ctl_on(drizzle([("0000_a", "CREATE TABLE a (id int);")]),
                 options={"data": workdir / "data",
                          "seeds": workdir / "seeds"})
    assert lines(ctl("plan").out) == [
        "   1  0000_a", "   2  2026-11-20_bad  data", "   3  roles  seeds",
        "3 to apply"]
    done = ctl("apply", "--phases", "schema")
    assert done.returncode == FINE, done.err
    assert database.value("SELECT count(*) FROM a") == 0
    done = ctl("apply")
    assert done.returncode == FINE, done.err
    assert "failed    2026-11-20_bad.sql:1:8: " in done.out
    assert done.out.count("2026-11-20_bad.sql:1:8: ") == 1
    assert lines(ctl("apply").out)[-1].endswith(", failed 1")
    assert database.value("SELECT count(*) FROM a") == 1
    table = ctl("list").out
    assert "\ndata\n" in table and "\nseeds\n" in table
    assert "data      pending 0   failed 1" in ctl("status").out
    assert ctl("wait", "--timeout", "0").returncode == FINE
    done = ctl("baseline", "--all", "--phases", "data", "--force")
    assert done.returncode == FINE, done.err
    assert "data      pending 0   applied 1" in ctl("status").out
    wrong = ctl("apply", "--phases", "schema,nix")
    assert wrong.returncode == CONFIGURATION and "seeds" in wrong.err


def test_repair_takes_a_changed_file_as_it_is(ctl_on, drizzle):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);")])
    ctl = ctl_on(folder)
    assert ctl("apply").returncode == FINE
    write(folder / "0000_a.sql", "CREATE TABLE a (id int); -- for ever\n")
    wait_until(lambda: ctl("check").returncode == DRIFT)
    done = ctl("repair", "0000_a", "checksum", "--reason", "a comment")
    assert done.returncode == FINE, done.err
    assert ctl("check").returncode == FINE


def test_repair_of_what_stands_well(ctl_on, sample):
    ctl = ctl_on(sample)
    assert ctl("apply").returncode == FINE
    done = ctl("repair", "0001_documents", "retry")
    assert done.returncode != FINE
    assert "0001_documents" in done.err


# -- waiting --------------------------------------------------------------

def test_wait(ctl_on, drizzle):
    ctl = ctl_on(drizzle([("0000_a", "SELECT 1;"), ("0001_b", "SELECT 1;")]))
    assert ctl("wait", "--for", "ready").returncode == FINE
    done = ctl("wait", "--timeout", "10ms")
    assert done.returncode == PENDING, done.err
    assert "2 migrations pending" in done.err
    assert ctl("wait", "--for", "0000_a", "--timeout",
               "10ms").returncode == PENDING
    waiting = [spawn(*ctl.flags, "wait", "--timeout", "30s"),
               spawn(*ctl.flags, "wait", "--for", "0001_b")]
    assert ctl("apply", "--target", "0000_a").returncode == FINE
    assert ctl("wait", "--for", "0000_a").returncode == FINE
    assert all(each.poll() is None for each in waiting)
    assert ctl("apply").returncode == FINE
    assert [finish(each).returncode for each in waiting] == [FINE, FINE]


def test_wait_for_what_is_not_there(ctl_on, sample):
    ctl = ctl_on(sample)
    done = ctl("wait", "--for", "nix", "--timeout", "10ms")
    assert done.returncode == FILES, done.err


def test_no_database(ctl_on, sample):
    ctl = ctl_on(sample, url="postgresql://postgres@127.0.0.1:1/nowhere",
                 options={"connect_wait": "0"})
    done = ctl("status")
    assert done.returncode == UNREACHABLE
    assert "verdict   unreachable" in done.out
    assert ctl("ping").returncode == UNREACHABLE
    done = ctl("apply")
    assert done.returncode == UNREACHABLE, done.err
    assert "127.0.0.1" in done.err
    done = ctl("wait", "--timeout", "10ms")
    assert done.returncode == UNREACHABLE


@pytest.mark.parametrize("args", [
    ["plan"], ["apply", "--dry-run"], ["list"], ["history"],
    ["show", "0000_users"]])
def test_nothing_known_is_not_nothing_there(ctl_on, sample, args):
    """While the database is away no list is empty, and nothing is fine."""
    ctl = ctl_on(sample, url="postgresql://postgres@127.0.0.1:1/nowhere")
    done = ctl(*args)
    assert done.returncode == UNREACHABLE, done
    assert "the database cannot be reached" in done.err
    assert "no migration" not in done.out + done.err
    assert "no runs" not in done.out
    done = ctl("--json", *args)
    assert done.returncode == UNREACHABLE and json.loads(done.out), done


def test_list_of_no_folder(ctl_on, workdir):
    done = ctl_on(workdir / "nowhere")("list")
    assert done.returncode == FILES, done
    assert "nowhere not found" in done.err and done.out == ""


# -- wrong words ----------------------------------------------------------

@pytest.mark.parametrize("args, code, said", [
    (["show", "nix"], FILES, "there is no migration nix"),
    (["show", "01a1f88e-0646-7907-9504-eb8ebc9952a3"], FILES, "no run"),
    (["list", "--state", "foo"], CONFIGURATION, "no such state"),
    (["list", "--state", "foo"], CONFIGURATION, "in_doubt"),
    (["baseline"], USAGE, "--all"),
    (["baseline", "0001", "--all"], USAGE, "--all"),
    (["repair", "0001"], USAGE, "retry"),
    (["rollback"], USAGE, "--steps"),
    (["rollback", "0001", "--all"], USAGE, "--steps"),
])
def test_refused(ctl_on, sample, args, code, said):
    done = ctl_on(sample)(*args)
    assert done.returncode == code, done.err
    assert said in done.err and done.out == ""


@pytest.mark.parametrize("args, said", [
    ([], "--help"),
    (["stauts"], "did you mean status?"),
    (["status", "--nosuch"], "--help"),
    (["completion", "csh"], "bash|zsh|fish"),
    (["cancel"], "--server"),
    (["events"], "--server"),
    (["apply", "--no-wait"], "--server"),
    (["--server", "db1:8432", "--migrations", "x", "status"], "--migrations"),
    (["--server", "postgresql://jan:pw@db1/app", "status"], "postgresql://"),
    (["--server", "http://jan:pw@db1", "status"], "address"),
    (["--server", "unix:", "status"], "address"),
])
def test_usage_is_64(args, said):
    done = run(*args)
    assert "pw" not in done.err
    assert done.returncode == USAGE, done.err
    assert said in done.err and "pw@" not in done.err


def test_help_and_version():
    done = run("--help")
    assert done.returncode == FINE
    for command in ("status", "apply", "completion"):
        assert f"\n  {command} " in done.out
        own = run(command, "--help")
        assert own.returncode == FINE
        assert own.out.startswith(f"migrationctl {command}")
    assert run("--version").out.startswith("migrationctl ")


def test_bash_completes():
    script = ("source <(\"$1\" completion bash); COMP_WORDS=(\"${@:2}\");"
              "COMP_CWORD=$(($# - 2)); _migrationctl; echo ${COMPREPLY[*]}")

    def complete(*words):
        return subprocess.run(
            ["bash", "-c", script, "-", ctl_binary(), "migrationctl", *words],
            capture_output=True, text=True, check=True).stdout.split()
    assert complete("stat") == ["status"]
    assert complete("--json", "sh") == ["show"]
    assert complete("apply", "--dry") == ["--dry-run"]
    assert complete("apply", "--migrat") == ["--migrations"]
    assert complete("repair", "0043", "re") == ["retry"]
    assert complete("--migrations", "/et") == ["/etc"]
    assert complete("prepare", "/et") == ["/etc"]
    assert complete("prepare", "--mo") == ["--move"]
    assert complete("completion", "") == ["bash", "zsh", "fish"]


# -- a daemon -------------------------------------------------------------

def test_nobody_listens(sample):
    server = f"127.0.0.1:{free_port()}"
    done = run("--server", server, "status")
    assert done.returncode == UNREACHABLE
    assert server in done.err and "--wait" in done.err


def test_no_socket(workdir):
    done = run("--server", f"unix:{workdir}/none.sock", "status")
    assert done.returncode == UNREACHABLE
    assert "none.sock: No such file or directory" in done.err
    assert "localhost" not in done.err and "--wait" in done.err


def test_wait_for_the_daemon(start_daemon, sample, database):
    port = free_port()
    early = spawn("--server", f"127.0.0.1:{port}", "apply", "--wait", "30s")
    start_daemon("--migrations", sample, "--database-url", database.url,
                 listen=f"127.0.0.1:{port}")
    done = finish(early)
    assert done.returncode == FINE, done.err
    assert "succeeded: 7 migrations" in done.out


def test_what_is_next_is_not_of_another_operation(ctl_on, sample):
    """A repair that was refused is not mended by an apply."""
    done = ctl_on(sample)("repair", "--remove-guard")
    assert done.returncode == REFUSED and "has no guard" in done.err
    assert "apply" not in done.err


def test_wait_for_the_database(postgres, database, sample, workdir):
    """A run that found it away is begun again: as text, too."""
    proxy = Proxy(postgres.port)
    told = workdir / "told"
    try:
        proxy.refuse()
        with told.open("w", encoding="utf-8") as out:
            early = spawn("--migrations", sample, "--database-url",
                          proxy.url(database), "--connect-wait", "0",
                          "apply", "--wait", "60s", stdout=out)
        wait_until(lambda: "\nfailed: " in told.read_text("utf-8"), 30)
        proxy.heal()
        done = finish(early)
    finally:
        proxy.close()
    assert done.returncode == FINE, done.err
    assert lines(told.read_text("utf-8"))[-1].startswith(
        "succeeded: 7 migrations")


def test_the_environment_names_the_daemon(serve, sample):
    daemon = serve(sample)
    done = run("--json", "status", env={"MIGRATIOND_SERVER": daemon.base_url})
    assert json.loads(done.out)["folder"]["path"] == str(sample)


def test_who_is_no_migrationd(start_daemon, sample, database):
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>\x1b[2J</html>")

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        done = run("--server", f"127.0.0.1:{server.server_port}", "status")
    finally:
        server.shutdown()
        server.server_close()
    assert done.returncode == UNREACHABLE, done.err
    assert "no answer of migrationd" in done.err and "\x1b" not in done.err


@pytest.fixture
def guarded(serve, sample, workdir):
    token = workdir / "token"
    token.write_text("sesame-0123456789\n", encoding="ascii")
    token.chmod(0o600)
    return serve(sample, "--token-file", token,
                 listen=f"127.0.0.1:{free_port()}"), token


def test_token(guarded, workdir):
    daemon, token = guarded
    server = ["--server", daemon.base_url]
    daemon.wait_verdict("pending")
    assert run(*server, "status").returncode == FINE
    done = run(*server, "apply")
    assert done.returncode == CONFIGURATION, done.err
    assert "--token-file" in done.err and "curl" not in done.err
    done = run(*server, "apply", env={"MIGRATIOND_TOKEN": "wrong"})
    assert done.returncode == CONFIGURATION and "wrong" not in done.err
    assert run(*server, "--token-file", token, "apply").returncode == FINE
    for env in ({"MIGRATIOND_TOKEN": "sesame-0123456789"},
                {"MIGRATIOND_TOKEN_FILE": token}):
        assert run(*server, "apply", env=env).returncode == FINE
    done = run(*server, "apply", env={"MIGRATIOND_TOKEN": "a\r\nX-Evil: 1"})
    assert done.returncode == CONFIGURATION and "Evil" not in done.err
    done = run(*server, "--token-file", workdir / "nix", "apply")
    assert done.returncode == CONFIGURATION and "nix" in done.err


def test_cancel_and_events(serve, drizzle, database):
    daemon = serve(drizzle([("0000_a", "SELECT 1;"),
                            ("0001_slow", "SELECT pg_sleep(60);")]))
    server = ["--server", daemon.base_url]
    nothing = run(*server, "cancel")
    assert nothing.returncode == FILES and "no run is in progress" in nothing.err
    started = run(*server, "apply", "--no-wait")
    assert started.returncode == FINE, started.err
    wait_until(lambda: daemon.states()["0001_slow"] == "running", 5)
    run_id = daemon.status()["run"]["id"]
    following = [spawn(*server, "events", run_id), spawn(*server, "apply")]
    wait_until(lambda: daemon.status()["run"]["callers"] == 2, 5)
    done = run(*server, "cancel", "--now")
    assert done.returncode == FINE and run_id in done.out
    for each in map(finish, following):
        assert each.returncode == CANCELLED, each.err
        assert "running   0001_slow" in each.out
        assert "cancelled: 1 migration" in each.out
    assert "joined apply" in following[1].out
    again = run(*server, "cancel", run_id)
    assert again.returncode == CANCELLED and "is over" in again.err


def test_events_of_whatever_runs(serve, drizzle, workdir, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]))
    told = workdir / "told"
    daemon.apply(Prefer="respond-async")
    with told.open("w", encoding="utf-8") as stdout:
        following = spawn("--server", daemon.base_url, "events",
                          stdout=stdout)
    wait_until(lambda: "running   0000_slow" in told.read_text(), 20)
    gate.open()
    wait_until(lambda: "succeeded: 1 migration in" in told.read_text(), 20)
    daemon.apply()
    wait_until(lambda: "nothing was to do" in told.read_text(), 20)
    following.terminate()
    done = finish(following)
    assert done.returncode == INTERRUPTED, done.err


def test_events_for_programs(serve, drizzle, workdir, gate):
    daemon = serve(drizzle([("0000_a", "SELECT 1;"),
                            ("0001_slow", gate.sql)]))
    run_id = daemon.apply(Prefer="respond-async").json()["id"]
    told = workdir / "told"
    with told.open("w", encoding="utf-8") as stdout:
        following = spawn("--server", daemon.base_url, "--json", "events",
                          run_id, stdout=stdout)
    wait_until(told.read_text, 20, what="an event")
    gate.open()
    done = finish(following)
    done.out = told.read_text()
    documents = [json.loads(line) for line in lines(done.out)]
    assert done.returncode == FINE, done.err
    assert {document["id"] for document in documents} == {run_id}
    assert len(documents) > 1 and documents[-1]["outcome"] == "succeeded"
    assert all(a != b for a, b in zip(documents, documents[1:]))
    over = run("--server", daemon.base_url, "--json", "events", run_id)
    assert [json.loads(line) for line in lines(over.out)] == documents[-1:]


def test_another_kind_of_run_is_waited_for(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]))
    server = ["--server", daemon.base_url]
    assert run(*server, "apply", "--no-wait").returncode == FINE
    gate.wait()
    done = run(*server, "baseline", "--all", "--force")
    assert done.returncode == CANCELLED and "in progress" in done.err
    patient = spawn(*server, "baseline", "--all", "--force", "--wait", "60s")
    wait_until(lambda: re.search(
        r'^migrationd_http_requests_total{route="/baseline",method="POST",'
        r'code="409"} [2-9]', daemon.get("/metrics").text, re.MULTILINE), 20,
        what="the second was refused")
    gate.open()
    done = finish(patient)
    assert done.returncode == FINE, done.err


# -- without a daemon -----------------------------------------------------

def test_settings_come_from_everywhere(database, sample, workdir):
    conf = write(workdir / "m.conf", f"migrations = '{sample}'\n")
    done = run("--config", conf, "--json", "config",
               env={"DATABASE_URL": database.url,
                    "MIGRATIOND_LOCK_WAIT": "7s"})
    settings = json.loads(done.out)["settings"]
    assert settings["migrations"]["origin"] == "file:1"
    assert settings["lock_wait"]["value"] == "7s"
    assert settings["database_url"]["origin"] == "env DATABASE_URL"


def test_own_variables_are_not_misspelt_settings(database, sample):
    done = run("--migrations", sample, "--database-url", database.url, "ping",
               env={"MIGRATIOND_TOKEN": "x", "MIGRATIOND_SERVER": ""})
    assert done.returncode == FINE and done.err == ""


def test_bad_settings_are_4(workdir):
    done = run("status", "--layout", "nosuch")
    assert done.returncode == CONFIGURATION
    assert "nosuch" in done.err


def test_missing_folder_is_2(database, workdir):
    done = run("apply", "--migrations", workdir / "nowhere", "--database-url",
               database.url)
    assert done.returncode == FILES, done.err
    assert "nowhere" in done.err


def test_it_waits_for_a_daemon_that_applies(serve, drizzle, database,
                                            workdir, gate):
    folder = drizzle([("0000_slow", gate.sql)])
    daemon = serve(folder)
    daemon.apply(Prefer="respond-async")
    gate.wait()
    told = workdir / "told"
    with told.open("w", encoding="utf-8") as stdout:
        waiting = spawn("apply", "--migrations", folder, "--database-url",
                        database.url, stdout=stdout)
    wait_until(lambda: "waiting   for " in told.read_text(), 20)
    gate.open()
    done = finish(waiting)
    assert done.returncode == FINE, done.err
    assert lines(told.read_text())[-1] == "succeeded: nothing was to do"


def test_lock_not_obtained_is_7(serve, drizzle, database, gate):
    folder = drizzle([("0000_slow", gate.sql)])
    daemon = serve(folder)
    daemon.apply(Prefer="respond-async")
    gate.wait()
    done = run("apply", "--migrations", folder, "--database-url",
               database.url, "--lock-wait", "300ms")
    assert done.returncode == LOCK, done.err
    gate.open()
    daemon.wait_verdict("current")


def test_who_asked_is_told(database, sample):
    done = run("apply", "--json", "--migrations", sample, "--database-url",
               database.url)
    assert "migrationctl" in json.loads(done.out)["requested_by"]


def test_log_on_request(database, sample):
    flags = ["--migrations", sample, "--database-url", database.url]
    done = run("apply", *flags, "--log-level", "info")
    assert "run started" in done.err


def test_looking_applies_nothing(database, sample, workdir):
    done = run("status", "--migrations", sample, "--database-url",
               database.url, "--apply-on-start", "--apply-on-change")
    assert done.returncode == FINE and "verdict   pending" in done.out
    assert "run       none in progress" in done.out
    assert not database.has_table("users")


def test_hooks_run_to_their_end(database, sample, workdir):
    hook = write(workdir / "hook", "#!/bin/sh\nsleep 1\n"
                                   f"echo told >>{workdir}/told\n")
    hook.chmod(0o755)
    done = run("apply", "--migrations", sample, "--database-url",
               database.url, "--hook-after", hook)
    assert done.returncode == FINE, done.err
    assert (workdir / "told").read_text() == "told\n"


def test_ephemeral(sample):
    done = run("apply", "--ephemeral", "--migrations", sample, timeout=120)
    assert done.returncode == FINE, done.err
    assert "succeeded: 7 migrations" in done.out
