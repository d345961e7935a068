# SPDX-License-Identifier: PostgreSQL
"""Where a value comes from, what is shown of it, and changing it while the
daemon runs."""

import json
import signal

import pytest

from harness.daemon import run
from harness.folder import tables, write
from harness.wait import wait_until

SECRET = "hunter2-do-not-print"


def printed(*args, env=None, cwd=None):
    done = run("--print-config", *args, env=env, cwd=cwd)
    assert done.returncode == 0, done
    return done.stdout


def line_of(text, key):
    found = [line for line in text.splitlines()
             if line.split("=")[0].strip().lstrip("# ") == key
             and "=" in line]
    assert len(found) == 1, (key, text)
    return found[0]


def settings(daemon):
    """GET /config as {name: {value, origin, ...}}."""
    document = daemon.get("/config").json()
    listed = document.get("settings", document) if isinstance(
        document, dict) else document
    if isinstance(listed, dict):
        return listed
    return {row["name"]: row for row in listed}


# -- precedence -------------------------------------------------------------------

def test_flag_then_environment_then_file_then_default(workdir):
    path = workdir / "c.conf"
    path.write_text("lock_wait = '11s'\n")
    base = ["--config", path]
    environment = {"MIGRATIOND_LOCK_WAIT": "22s"}
    assert "11s" not in line_of(printed(), "lock_wait")
    assert "11s" in line_of(printed(*base), "lock_wait")
    assert "22s" in line_of(printed(*base, env=environment), "lock_wait")
    assert "33s" in line_of(
        printed(*base, "--lock-wait", "33s", env=environment), "lock_wait")
    assert "33s" in line_of(
        printed("--lock-wait=33s", *base, env=environment), "lock_wait")


def test_origin_is_told(workdir):
    path = workdir / "c.conf"
    path.write_text("\n\nlayout = 'drizzle'\n")
    text = printed("--config", path, "--log-level", "debug",
                   env={"MIGRATIOND_TRACKING": "drizzle"})
    assert ":3" in text
    assert "flag" in text
    assert "MIGRATIOND_TRACKING" in text
    assert "default" in text


def test_own_variable_before_database_url():
    text = printed(env={"DATABASE_URL": "postgresql://one/db",
                        "MIGRATIOND_DATABASE_URL": "postgresql://two/db"})
    assert "two" in line_of(text, "database_url")
    assert "one" not in line_of(text, "database_url")


def test_printed_configuration_is_one(workdir):
    path = workdir / "c.conf"
    path.write_text("migrations = '/some where/\\'x\\''\nlock_wait = '11s'\n"
                    "allowed_hosts = {'a.example', 'b.example'}\n"
                    "apply_on_start = true\n")
    first = printed("--config", path)
    (workdir / "again.conf").write_text(first)
    second = printed("--config", workdir / "again.conf")

    def bare(text):
        return [line.split("#")[0].strip() for line in text.splitlines()
                if line.split("#")[0].strip()]
    assert bare(first) == bare(second)


@pytest.mark.parametrize("url", [
    f"postgresql://user:{SECRET}@db.example:5432/app?sslmode=require",
    f"host=db.example user=user password={SECRET} dbname=app",
    f"host=db.example password = '{SECRET}'",
    f"postgresql://db.example/app?password={SECRET}",
    f"postgresql://db.example/app?sslpassword={SECRET}&sslmode=prefer",
])
def test_secrets_are_masked(url):
    text = printed("--database-url", url)
    assert SECRET not in text
    assert "db.example" in text, "the rest is shown"
    assert SECRET not in printed(env={"DATABASE_URL": url})


def test_wrong_password_is_not_told(serve, start_daemon, drizzle):
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)), "--database-url",
        f"postgresql://user:{SECRET}@127.0.0.1:1/app",
        options={"connect_wait": "200ms"})
    daemon.apply()
    for path in ("/status", "/config", "/runs", "/metrics",
                 "/status?format=text"):
        assert SECRET not in daemon.get(path).text
    daemon.stop()
    assert SECRET not in daemon.stderr()


# -- the database, in the many ways that people name it ------------------------------

def test_pg_variables(start_daemon, drizzle, database):
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)),
        env={"PGHOST": "127.0.0.1", "PGPORT": database.postgres.port,
             "PGUSER": "postgres", "PGDATABASE": database.name})
    assert daemon.apply().status == 200
    assert daemon.status()["database"]["name"] == database.name


def test_database_url_variable(start_daemon, drizzle, database):
    daemon = start_daemon(env={
        "MIGRATIOND_MIGRATIONS": drizzle(tables(1)),
        "DATABASE_URL": database.url})
    assert daemon.apply().status == 200


def test_database_url_file(start_daemon, drizzle, database, workdir):
    path = workdir / "url"
    path.write_text(database.url + "\n")
    path.chmod(0o600)
    daemon = start_daemon("--migrations", drizzle(tables(1)),
                          env={"MIGRATIOND_DATABASE_URL_FILE": path})
    assert daemon.apply().status == 200


def test_keyword_string_and_unix_socket(start_daemon, drizzle, database):
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)), "--database-url",
        f"host={database.postgres.directory} port={database.postgres.port}"
        f" user=postgres dbname={database.name}")
    assert daemon.apply().status == 200


def test_password_file_is_read_at_each_connect(start_daemon, drizzle,
                                               own_postgres, workdir):
    database = own_postgres.createdb()
    database.execute("CREATE ROLE app LOGIN SUPERUSER PASSWORD 'first'")
    hba = own_postgres.data / "pg_hba.conf"
    hba.write_text("host all app 127.0.0.1/32 scram-sha-256\n"
                   + hba.read_text())
    database.execute("SELECT pg_reload_conf()")
    path = workdir / "password"
    path.write_text("first\n")
    path.chmod(0o600)
    daemon = start_daemon("--migrations", drizzle(tables(1)),
                          "--database-url", database.url_as("app"),
                          "--password-file", path)
    assert daemon.apply().status == 200
    database.execute("ALTER ROLE app PASSWORD 'second'")
    write(path, "second\n")
    assert daemon.apply().status == 200
    assert "second" not in daemon.get("/config").text
    daemon.stop()


def test_wrong_password_is_a_refusal(start_daemon, drizzle, own_postgres):
    database = own_postgres.createdb()
    database.execute("CREATE ROLE app LOGIN PASSWORD 'right'")
    hba = own_postgres.data / "pg_hba.conf"
    hba.write_text("host all app 127.0.0.1/32 scram-sha-256\n"
                   + hba.read_text())
    database.execute("SELECT pg_reload_conf()")
    daemon = start_daemon("--migrations", drizzle(tables(1)),
                          "--database-url", database.url_as("app", SECRET))
    got = daemon.apply()
    problem = got.problem()
    assert problem["category"] in ("PERMISSION_DENIED", "NETWORK_ERROR")
    assert got.seconds < 15, "a wrong password is not waited for"
    assert SECRET not in got.text
    daemon.stop()


# -- /config and reload ------------------------------------------------------------

def test_config_over_http(serve, drizzle):
    daemon = serve(drizzle(tables(1)), options={"lock_wait": "11s"})
    listed = settings(daemon)
    assert "11s" in str(listed["lock_wait"]["value"])
    assert ":1" in listed["lock_wait"]["origin"]
    assert listed["migrations"]["origin"] == "flag"
    assert listed["on_modified"]["origin"] == "default"


def rewrite(daemon, text):
    write(daemon.config_path, text)


@pytest.fixture
def reloadable(serve, drizzle):
    return serve(drizzle(tables(1)), options={"lock_wait": "11s"})


def hup(daemon):
    daemon.signal(signal.SIGHUP)


def post_reload(daemon):
    daemon.post("/reload")


@pytest.mark.parametrize("reload", [hup, post_reload])
def test_reload_takes_new_values(reloadable, reload):
    rewrite(reloadable, "lock_wait = '22s'\n")
    reload(reloadable)
    wait_until(lambda: "22s" in str(
        settings(reloadable)["lock_wait"]["value"]), 5)


@pytest.mark.parametrize("reload", [hup, post_reload])
def test_reload_is_all_or_nothing(reloadable, reload):
    rewrite(reloadable, "lock_wait = '33s'\non_modified = 'sometimes'\n")
    reload(reloadable)

    def failed():
        return ("migrationd_config_last_reload_successful 0"
                in reloadable.get("/metrics").text)
    wait_until(failed, 5)
    assert "11s" in str(settings(reloadable)["lock_wait"]["value"])
    assert reloadable.get("/livez").status == 200
    assert ":2" in reloadable.stderr(), "the log names the line"

    rewrite(reloadable, "lock_wait = '44s'\n")
    reload(reloadable)
    wait_until(lambda: not failed(), 5)
    assert "44s" in str(settings(reloadable)["lock_wait"]["value"])


def test_reload_over_http_says_what_is_wrong(reloadable):
    rewrite(reloadable, "\nlayout = 'rails'\n")
    got = reloadable.post("/reload")
    problem = got.problem(422, "CONFIGURATION")
    assert "migrationd.conf:2" in json.dumps(problem)
    assert "rails" in json.dumps(problem)


def test_reload_without_a_file_any_more(reloadable):
    reloadable.config_path.unlink()
    reloadable.post("/reload").problem(422, "CONFIGURATION")
    assert "11s" in str(settings(reloadable)["lock_wait"]["value"])


def test_reload_of_another_policy(serve, drizzle, database):
    folder = drizzle(tables(2))
    daemon = serve(folder, options={"on_modified": "warn"})
    daemon.apply()
    write(folder / "0000_t0.sql", "SELECT 'another';")
    daemon.wait_verdict("drift")
    rewrite(daemon, "on_modified = 'refuse'\n")
    assert daemon.post("/reload").status in (200, 202)
    wait_until(lambda: daemon.apply().status == 409, 5)


def test_reload_of_what_needs_a_restart_is_refused(serve, drizzle):
    daemon = serve(drizzle(tables(1)), options={"lock_wait": "11s"})
    rewrite(daemon, "lock_wait = '22s'\nprobe_listen = {'127.0.0.1:1'}\n")
    got = daemon.post("/reload")
    problem = got.problem(422, "CONFIGURATION")
    assert "probe" in json.dumps(problem)
    assert "11s" in str(settings(daemon)["lock_wait"]["value"])


def test_reload_of_another_database_asks_nothing_of_the_old(
        start_daemon, drizzle, database, postgres):
    """What failed there has not failed here."""
    other = postgres.createdb()
    other.execute("CREATE TABLE only_here (id int)")
    daemon = start_daemon(options={
        "migrations": drizzle([("0000_a", "SELECT * FROM only_here;")]),
        "database_url": database.url, "apply_on_start": True})
    daemon.wait_verdict("failed")
    rewrite(daemon, daemon.config_path.read_text(encoding="utf-8").replace(
        database.url, other.url))
    assert daemon.post("/reload").status in (200, 202)
    status = daemon.wait_verdict("pending")
    assert status["database"]["name"] == other.name
    assert status["last_run"] is None
    assert daemon.apply().status == 200
    daemon.stop()
    postgres.dropdb(other.name)


def test_reload_in_the_middle_of_a_run(serve, drizzle, database, gate):
    daemon = serve(drizzle([("0000_slow", "CREATE TABLE slow (id int);"
                                          + gate.sql),
                            ("0001_b", "CREATE TABLE b (id int);")]),
                   options={"lock_wait": "11s"})
    location = daemon.apply(Prefer="respond-async").headers["Location"]
    gate.wait()
    rewrite(daemon, "lock_wait = '22s'\n")
    assert daemon.post("/reload").status in (200, 202)
    hup(daemon)
    gate.open()
    run_ = wait_until(lambda: (r := daemon.get(location).json())[
        "finished_at"] and r, 10)
    assert run_["outcome"] == "succeeded"
    assert len(database.drizzle_rows()) == 2


def test_token_is_rotated_by_reload(serve, drizzle, workdir):
    path = workdir / "token"
    write(path, "first-token-0123456789-0123456789\n")
    path.chmod(0o600)
    daemon = serve(drizzle(tables(1)), "--token-file", path)
    daemon.token = "first-token-0123456789-0123456789"
    assert daemon.apply().status == 200
    write(path, "second-token-0123456789-0123456789\n")
    path.chmod(0o600)
    hup(daemon)
    daemon.token = "second-token-0123456789-0123456789"
    wait_until(lambda: daemon.apply().status == 200, 5, 0.2)


def test_signals_that_mean_nothing(serve, drizzle):
    daemon = serve(drizzle(tables(1)))
    for signum in (signal.SIGPIPE, signal.SIGWINCH, signal.SIGCHLD,
                   signal.SIGCONT):
        daemon.signal(signum)
    for _ in range(50):
        hup(daemon)
    assert daemon.apply().status == 200
