# SPDX-License-Identifier: PostgreSQL
"""Commands around a run: what they are told, and that they hold up nobody who
did not ask for it."""

import base64
import concurrent.futures
import json
import os
import signal
import time

import pytest

from harness import ctl
from harness import daemon as daemon_module
from harness.daemon import config_text
from harness.folder import drizzle_add, tables
from harness.postgres import find_pg_dump
from harness.process import alive
from harness.wait import wait_until

SECRET = "hunter2-correct-horse"

TELL = """\
{
    env | grep ^MIGRATION_ | sort
    echo INPUT
    cat
    echo
    echo END
} >>%s
"""


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


@pytest.fixture
def diary(workdir):
    """A hook that writes down what it is told, and its entries."""
    class Diary:
        path = workdir / "diary"
        command = script(workdir / "tell", TELL % (workdir / "diary"))

        def entries(self):
            if not self.path.exists():
                return []
            found = []
            for part in self.path.read_text().split("\nEND\n")[:-1]:
                variables, _, text = part.partition("INPUT\n")
                found.append((dict(
                    line.split("=", 1) for line in variables.splitlines()
                    if line.startswith("MIGRATION_")), json.loads(text)))
            return found

        def kinds(self):
            return [e[0]["MIGRATION_HOOK"] for e in self.entries()]

        def options(self, **more):
            return {"hook_before": self.command, "hook_after": self.command,
                    "hook_failure": self.command, **more}

    return Diary()


def metric(daemon, name):
    for line in daemon.get("/metrics").text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(name)


def test_what_hooks_are_told(serve, drizzle, diary):
    daemon = serve(drizzle(tables(2)), options=diary.options())
    run = daemon.apply().json()
    wait_until(lambda: len(diary.entries()) == 2)
    before, after = diary.entries()
    assert before[0]["MIGRATION_HOOK"] == "before"
    assert before[0]["MIGRATION_RUN"] == run["id"]
    assert before[0]["MIGRATION_OPERATION"] == "apply"
    assert before[0]["MIGRATION_OUTCOME"] == "in_progress"
    assert before[0]["MIGRATION_COUNT"] == "2"
    assert before[1]["id"] == run["id"]
    assert before[1]["migrations"] == [m["id"] for m in run["applied"]]
    assert after[0]["MIGRATION_HOOK"] == "after"
    assert after[0]["MIGRATION_OUTCOME"] == "succeeded"
    assert after[1]["outcome"] == "succeeded"
    assert after[1]["migrations"] == [m["id"] for m in run["applied"]]
    wait_until(lambda: metric(
        daemon, 'migrationd_hooks_total{hook="after"}') == 1)
    assert metric(daemon, 'migrationd_hook_failures_total{hook="after"}') == 0
    # nothing to do: nobody is told
    assert daemon.apply().status == 200
    daemon.stop()
    assert diary.kinds() == ["before", "after"]


def test_hook_on_failure(serve, sequence, diary):
    daemon = serve(sequence({"0001_bad.sql": "SELECT nosuchcolumn;\n"}),
                   options=diary.options())
    assert daemon.apply().status == 422
    wait_until(lambda: len(diary.entries()) == 3)
    assert diary.kinds() == ["before", "after", "failure"]
    told, document = diary.entries()[2]
    assert told["MIGRATION_OUTCOME"] == "failed"
    assert "nosuchcolumn" in told["MIGRATION_ERROR"]
    assert told["MIGRATION_ERROR_MIGRATION"].startswith("0001")
    assert document["error"]["category"] == told["MIGRATION_ERROR_CATEGORY"]


def test_hooks_and_phases(serve, drizzle, workdir, diary):
    """One hook before all phases; what a lenient one left out is told."""
    data = workdir / "data"
    data.mkdir()
    (data / "2024-03-15_bad.sql").write_text("SELECT nosuchcolumn;\n")
    (data / "2024-03-16_good.sql").write_text("SELECT 1;\n")
    daemon = serve(drizzle(tables(1)), options=diary.options(data=data))
    assert daemon.apply().status == 200
    wait_until(lambda: len(diary.entries()) == 3)
    assert diary.kinds() == ["before", "after", "failure"]
    told = diary.entries()[2][0]
    assert told["MIGRATION_OUTCOME"] == "succeeded"
    assert told["MIGRATION_FAILED"] == "1"


def test_hook_before_knows_all_phases(serve, drizzle, database, workdir,
                                      diary):
    """What is planned of those behind the schema, too; where a table cannot
    be read that is said."""
    for name, file in (("data", "2024-03-15_a"), ("data", "2024-03-16_b"),
                       ("repeatable", "views"), ("seeds", "roles")):
        (workdir / name).mkdir(exist_ok=True)
        (workdir / name / f"{file}.sql").write_text("SELECT 1;\n")
    folder = drizzle(tables(1))
    daemon = serve(folder, options=diary.options(
        hook_required=True, seeds_when="always",
        **{name: workdir / name for name in ("data", "repeatable", "seeds")}))
    before = [("schema", True, ["0000_t0"]),
              ("data", True, ["2024-03-15_a", "2024-03-16_b"]),
              ("repeatable", True, ["views"]), ("seeds", True, ["roles"])]

    def told():
        variables, document = diary.entries()[-2]
        assert variables["MIGRATION_HOOK"] == "before"
        planned = [(p["phase"], p["known"], p["migrations"])
                   for p in document["plan"]]
        assert document["migrations"] == [i for p in planned for i in p[2]]
        assert variables["MIGRATION_COUNT"] == str(len(document["migrations"]))
        return planned, variables["MIGRATION_UNKNOWN"]

    assert daemon.apply().status == 200
    wait_until(lambda: len(diary.entries()) == 2)
    assert told() == (before, "")
    # what is done is not planned again; seeds are, every time
    drizzle_add(folder, "0001_t2", "CREATE TABLE t2 (id int);\n")
    (workdir / "data" / "2024-03-17_c.sql").write_text("SELECT 1;\n")
    assert daemon.apply().status == 200
    wait_until(lambda: len(diary.entries()) == 4)
    assert told() == ([("schema", True, ["0001_t2"]),
                       ("data", True, ["2024-03-17_c"]),
                       ("repeatable", True, []),
                       ("seeds", True, ["roles"])], "")
    # a table that is none of ours
    database.query("ALTER TABLE data_migrations DROP COLUMN description")
    drizzle_add(folder, "0002_t3", "CREATE TABLE t3 (id int);\n")
    assert daemon.apply().status == 200
    wait_until(lambda: len(diary.entries()) >= 6)
    [(planned, variables)] = [
        ([(p["phase"], p["known"]) for p in d["plan"]], v)
        for v, d in diary.entries()[4:] if v["MIGRATION_HOOK"] == "before"]
    assert planned == [("schema", True), ("data", False),
                       ("repeatable", True), ("seeds", True)]
    assert variables["MIGRATION_UNKNOWN"] == "data"


def test_hook_on_failure_without_a_database(start_daemon, drizzle, diary):
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)),
        "--database-url", "postgresql://127.0.0.1:1/app",
        options=diary.options(connect_wait="0"))
    assert daemon.apply().status == 503
    wait_until(lambda: diary.kinds() == ["failure"])


def test_once_runs_hooks(once, drizzle, diary):
    done = once(drizzle(tables(1)), *(
        word for kind in ("before", "after", "failure")
        for word in (f"--hook-{kind}", diary.command)))
    assert done.returncode == 0
    assert diary.kinds() == ["before", "after"]


def test_once_warns_of_a_hook_behind_the_run(once, drizzle):
    done = once(drizzle(tables(1)), "--hook-after", "false",
                "--log-format", "json")
    assert done.returncode == 0, done
    [warning] = json.loads(done.stdout)["warnings"]
    assert "hook_after" in warning


def test_migrationctl_warns_of_a_hook_behind_the_run(drizzle, database,
                                                     workdir):
    hook = script(workdir / "hook", "exit 3\n")
    done = ctl.run("apply", "--migrations", drizzle(tables(1)),
                   "--database-url", database.url, "--hook-after", hook)
    assert done.returncode == 0, done
    assert "hook_after" in done.out + done.err


def test_a_daemons_run_warns_of_a_hook_behind_it(serve, sequence, workdir):
    hook = script(workdir / "hook", "exit 3\n")
    daemon = serve(sequence({"0001_a.sql": "SELEC 1;"}),
                   options={"hook_failure": hook})
    daemon.apply()
    [run] = daemon.get("/runs").json()["runs"]
    wait_until(lambda: any(
        "hook_failure" in line for line in
        daemon.get(f"/runs/{run['id']}").json()["warnings"]))


# -- hook_required -------------------------------------------------------------------

def test_required_hook_comes_before_everything(serve, sequence, database,
                                               workdir):
    hook = script(
        workdir / "count", "psql -XAtc \"SELECT count(*) FROM pg_class"
        f" WHERE relname = 'first'\" '{database.url}' >{workdir}/seen\n")
    daemon = serve(
        sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"}),
        options={"hook_before": hook, "hook_required": True})
    assert daemon.apply().status == 200
    assert (workdir / "seen").read_text() == "0\n"
    assert "public.first" in database.tables()


def test_migrations_behind_a_long_hook_get_a_new_connection(
        serve, sequence, database, workdir):
    """One that is older than it may be is about to be cut by somebody."""
    hook = script(
        workdir / "slow", "sleep 1.2\npsql -XAtqc 'CREATE TABLE hook_over AS"
        f" SELECT clock_timestamp() AS at' '{database.url}'\n")
    daemon = serve(
        sequence({"0001_first.sql": "CREATE TABLE began AS SELECT backend_start "
                  "FROM pg_stat_activity WHERE pid = pg_backend_pid();\n"}),
        options={"hook_before": hook, "hook_required": True,
                 "connection_max_age": "1s"})
    assert daemon.apply().status == 200
    assert database.value("SELECT backend_start > at FROM began, hook_over")


def test_backup_before_migrations(serve, sequence, database, postgres,
                                  workdir):
    """What people do by hand before a risky migration."""
    pg_dump = find_pg_dump(postgres.bindir)
    if pg_dump is None:
        pytest.skip("no pg_dump as new as the server")
    folder = sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"})
    daemon = serve(folder, options={
        "hook_before": f"sh -c '{pg_dump} -f {workdir}/$MIGRATION_RUN.sql"
                       f" \"{database.url}\"'",
        "hook_required": True})
    first = daemon.apply().json()
    (folder / "0002_risky.sql").write_text("DROP TABLE first;\n")
    second = daemon.apply().json()
    assert second["outcome"] == "succeeded"
    dump = (workdir / f"{second['id']}.sql").read_text()
    assert "CREATE TABLE public.first" in dump
    assert "CREATE TABLE public.first" not in (
        workdir / f"{first['id']}.sql").read_text()
    assert "public.first" not in database.tables()


@pytest.mark.parametrize("text, timeout, words", [
    ("exit 1", "60s", "ended with exit code 1"),
    ("sleep 300", "500ms", "did not end within 500 ms"),
    ("kill -9 $$", "60s", "ended by signal 9"),
])
def test_required_hook_that_fails_refuses(serve, drizzle, database, workdir,
                                          text, timeout, words):
    hook = script(workdir / "hook", text + "\n")
    daemon = serve(drizzle(tables(1)), options={
        "hook_before": hook, "hook_required": True, "hook_timeout": timeout})
    problem = daemon.apply().problem(409)
    assert words in problem["detail"]
    assert "hook_before" in problem["detail"]
    assert problem["outcome"] == "refused"
    assert "public.t1" not in database.tables()
    assert daemon.status()["verdict"] == "pending"
    # it is tried again once somebody has seen to it
    script(workdir / "hook", "exit 0\n")
    wait_until(lambda: daemon.apply().status == 200, 30)


def test_once_with_a_required_hook_that_fails(once, drizzle, database):
    done = once(drizzle(tables(1)), "--hook-before", "false",
                "--hook-required")
    assert done.returncode == 8
    assert "hook_before" in done.stdout + done.stderr


def test_migrationctl_says_where_a_hook_is_heard(drizzle, database, workdir):
    hook = script(workdir / "hook", "echo no room on the disk >&2\nexit 3\n")
    args = ["apply", "--migrations", drizzle(tables(1)), "--database-url",
            database.url, "--hook-before", hook, "--hook-required"]
    done = ctl.run(*args)
    assert done.returncode == 8 and "no room" not in done.err
    assert "--log-level info" in done.err and "POST" not in done.err
    done = ctl.run(*args, "--log-level", "info")
    assert done.returncode == 8 and "no room on the disk" in done.err


def test_required_hook_shows_and_can_be_cancelled(serve, drizzle, workdir,
                                                  database):
    hook = script(workdir / "hook",
                  f"echo $$ >{workdir}/pid\nsleep 300 &\nwait\n")
    daemon = serve(drizzle(tables(1)),
                   options={"hook_before": hook, "hook_required": True})
    run = daemon.post("/apply", Prefer="respond-async").json()
    wait_until(lambda: daemon.status()["run"]["state"] == "hook")
    pid = int(wait_until((workdir / "pid").read_text))
    assert daemon.get("/livez").seconds < 3
    assert daemon.post(f"/runs/{run['id']}/cancel").status in (200, 202)
    wait_until(lambda: daemon.get(
        f"/runs/{run['id']}").json()["outcome"] == "cancelled")
    wait_until(lambda: not alive(pid), 15)


def test_hook_that_ends_while_the_cancelled_run_does(serve, sequence, workdir,
                                                     database):
    """The run does not wait for the hook any more, and still writes its
    journal: the hook's end is nobody's business then."""
    hold = workdir / "hold"
    hook = script(workdir / "hook",
                  f"while test -e {hold}; do sleep 0.05; done\n")
    folder = sequence({"0001_a.sql": "CREATE TABLE a (id int);\n"})
    daemon = serve(folder,
                   options={"hook_before": hook, "hook_required": True})
    assert daemon.apply().status == 200
    hold.touch()
    (folder / "0002_b.sql").write_text("CREATE TABLE b (id int);\n")
    run = daemon.post("/apply", Prefer="respond-async").json()
    wait_until(lambda: daemon.status()["run"]["state"] == "hook")
    with database.connect() as blocker, blocker.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE migrationd.runs")
        assert daemon.post(f"/runs/{run['id']}/cancel").status == 202
        wait_until(lambda: daemon.status()["run"]["state"] == "journal")
        hold.unlink()
        wait_until(lambda: metric(
            daemon, 'migrationd_hooks_total{hook="before"}') == 2)
        cursor.execute("ROLLBACK")
    wait_until(lambda: daemon.get(
        f"/runs/{run['id']}").json()["outcome"] == "cancelled")
    assert "public.b" not in database.tables()


def test_connection_lost_while_the_hook_runs(serve, sequence, database,
                                             workdir):
    """The lock went with it, so nothing may be applied."""
    cut = ("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
           " WHERE application_name LIKE 'migrationd%'")
    hook = script(workdir / "hook", f"test -e {workdir}/once && exit 0\n"
                  f"touch {workdir}/once\n"
                  f"psql -XAtqc \"{cut}\" '{database.url}'\n")
    daemon = serve(
        sequence({"0001_first.sql": "CREATE TABLE first (id int);\n"}),
        options={"hook_before": hook, "hook_required": True})
    assert daemon.apply().problem(503)["category"] == "NETWORK_ERROR"
    assert "public.first" not in database.tables()
    assert daemon.apply().status == 200
    assert "public.first" in database.tables()


def test_fifty_callers_one_hook(serve, drizzle, diary):
    daemon = serve(drizzle(tables(1)), options=diary.options())
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        got = list(pool.map(lambda _: daemon.apply().status, range(50)))
    assert set(got) == {200}
    wait_until(lambda: diary.kinds() == ["before", "after"])


def test_required_without_a_hook_is_an_error():
    done = daemon_module.run("--check-config", "--hook-required")
    assert done.returncode == 4
    assert "hook_before" in done.stderr


# -- hooks that do not behave ----------------------------------------------------------

def test_hook_that_hangs_delays_nothing(serve, drizzle, workdir):
    hook = script(workdir / "hook", "sleep 300\n")
    daemon = serve(drizzle(tables(1)), options={
        "hook_before": hook, "hook_after": hook, "hook_timeout": "1s"})
    got = daemon.apply()
    assert got.status == 200 and got.seconds < 20
    wait_until(lambda: metric(
        daemon, 'migrationd_hook_failures_total{hook="after"}') == 1)
    failed = [line for line in daemon.log_lines()
              if "did not end within 1.0 s" in line.get("error", "")]
    assert {line["category"] for line in failed} == {"CONFIGURATION"}


def test_hook_that_prints_too_much(serve, drizzle, workdir):
    hook = script(workdir / "hook", "yes | head -c 100000000\n")
    daemon = serve(drizzle(tables(1)), options={"hook_after": hook})
    assert daemon.apply().status == 200
    wait_until(lambda: metric(
        daemon, 'migrationd_hooks_total{hook="after"}') == 1, 30)
    said = [line for line in daemon.log_lines()
            if line["message"] == "hook says"]
    assert 0 < len(said) <= 100
    assert len(daemon.stderr()) < 100_000


@pytest.mark.parametrize("place", ["environment", "file", "direct-file"])
def test_hook_that_prints_secrets(start_daemon, drizzle, database, workdir,
                                  place):
    (workdir / "token").write_text("token-" + SECRET + "\n")
    (workdir / "token").chmod(0o600)
    url = database.url_as("postgres", SECRET)
    hook = script(workdir / "hook",
           f"set -x\ncat {workdir}/token\nenv\necho {url}\n")
    (workdir / "url").write_text(url + "\n")
    given = {"environment": {}, "file": {"database_url_file": workdir / "url"},
             "direct-file": {"database_url": database.url,
                             "database_direct_url_file": workdir / "url"}}
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)),
        options={"hook_before": hook, "hook_after": f"{hook} {SECRET}",
                 "token_file": workdir / "token", **given[place]},
        env={"DATABASE_URL": url} if place == "environment" else None)
    daemon.token = "token-" + SECRET
    assert daemon.apply().status == 200
    wait_until(lambda: metric(
        daemon, 'migrationd_hooks_total{hook="after"}') == 1)
    assert any("****" in str(line) for line in daemon.log_lines())
    assert SECRET not in daemon.stderr()
    assert SECRET not in daemon.get("/config").text


def test_hook_that_prints_secrets_as_they_are_written(
        start_daemon, drizzle, database, workdir):
    """The line of a connection string, each of two webhook secrets, and what
    password_command prints."""
    webhooks = [
        "whsec_" + base64.b64encode(bytes([n] * 24)).decode() for n in (1, 2)]
    url = database.url_as("postgres", "with%20a%20blank%3a" + SECRET)
    for name, text in (("url", url), ("webhooks", " ".join(webhooks))):
        (workdir / name).write_text(text + "\n")
        (workdir / name).chmod(0o600)
    ask = script(workdir / "ask", "echo from-the-vault\n")
    hook = script(workdir / "hook",
                  f"set -x\npsql=$(cat {workdir}/url)\n"
                  f"for word in $(cat {workdir}/webhooks); do echo $word; done\n"
                  f"echo token is $({ask})\n")
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)),
        options={"hook_after": hook, "database_url_file": workdir / "url",
                 "password_command": ask,
                 "webhook_secret_file": workdir / "webhooks"})
    assert daemon.apply().status == 200
    wait_until(lambda: metric(
        daemon, 'migrationd_hooks_total{hook="after"}') == 1)
    said = [line.get("stdout") or line.get("stderr")
            for line in daemon.log_lines() if line["message"] == "hook says"]
    assert len(said) > 6
    secrets = webhooks + ["with%20a%20blank", "from-the-vault"]
    assert not [(secret, line) for line in said for secret in secrets
                if secret in line]


def test_stop_waits_for_the_last_hook(serve, drizzle, workdir):
    hook = script(workdir / "hook", f"sleep 2\necho done >{workdir}/done\n")
    daemon = serve(drizzle(tables(1)), options={"hook_after": hook})
    assert daemon.apply().status == 200
    daemon.stop()
    assert (workdir / "done").exists()


HANGING = "echo $$ >%s/pid\nsleep 300 &\nsleep 300\n"


@pytest.fixture
def hanging(serve, drizzle, workdir):
    hook = script(workdir / "hook", HANGING % workdir)
    daemon = serve(drizzle(tables(1)), options={
        "hook_after": hook, "shutdown_grace": "1500ms"})
    assert daemon.apply().status == 200
    daemon.hook_pid = int(wait_until(lambda: (workdir / "pid").read_text()))
    return daemon


def group_of(pid):
    return [int(name) for name in os.listdir("/proc")
            if name.isdigit() and _group(int(name)) == _group(pid)]


def _group(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def test_stop_kills_a_hook_after_the_grace_time(hanging):
    pids = group_of(hanging.hook_pid)
    assert len(pids) >= 3
    started = time.monotonic()
    hanging.stop()
    assert 1 < time.monotonic() - started < 25
    wait_until(lambda: not any(map(alive, pids)), 15)


def test_second_signal_does_not_wait(serve, drizzle, workdir):
    hook = script(workdir / "hook", HANGING % workdir)
    daemon = serve(drizzle(tables(1)), options={"hook_after": hook})
    assert daemon.apply().status == 200
    wait_until((workdir / "pid").exists)
    started = time.monotonic()
    daemon.signal(signal.SIGTERM)
    wait_until(lambda: any(line["message"] == "stopping"
                           for line in daemon.log_lines()))
    daemon.stop()
    assert time.monotonic() - started < 15


def test_killed_daemon_leaves_no_hook_behind(hanging):
    pids = group_of(hanging.hook_pid)
    assert len(pids) >= 3
    hanging.kill()
    wait_until(lambda: not any(map(alive, pids)), 15)


def test_hooks_change_with_a_reload(serve, drizzle, diary):
    daemon = serve(drizzle(tables(1)), options={"lock_wait": "11s"})
    daemon.config_path.write_text(config_text(
        {"hook_after": diary.command, "hook_before": "/nonexistent/x"}))
    assert daemon.post("/reload").status == 422
    daemon.config_path.write_text(config_text({"hook_after": diary.command}))
    assert daemon.post("/reload").status == 200
    assert daemon.apply().status == 200
    wait_until(lambda: diary.kinds() == ["after"])
