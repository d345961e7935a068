# SPDX-License-Identifier: PostgreSQL
"""Servers that speak PostgreSQL's protocol and are not PostgreSQL, each by a
stand-in (harness/standin.py) that answers as it was recorded to answer."""

import concurrent.futures
import re

import pytest

from harness.daemon import applied_ids, run
from harness.dsql import Dsql
from harness.engines import Citus, Cockroach, Yugabyte
from harness.folder import write
from harness.wait import wait_until

FILES = {
    "0001_users.sql": "CREATE TABLE users (id uuid PRIMARY KEY, mail text,"
                      " team int);\nCREATE TABLE teams (id int PRIMARY KEY,"
                      " name text);\n",
    "0002_rows.sql": "INSERT INTO teams VALUES (1, 'a'), (2, 'b');\n"
                     "UPDATE teams SET name = upper(name);\n",
    "0003_mixed.sql": "ALTER TABLE users ADD COLUMN note text;\n"
                      "UPDATE teams SET name = name || '!';\n"
                      "CREATE VIEW team_names AS SELECT name FROM teams;\n",
}
ASYNC = {"0004_index.sql":
         "CREATE INDEX ASYNC users_mail ON users (mail);\n"
         "INSERT INTO teams VALUES (3, 'c');\n"}
ALL = {**FILES, **ASYNC}


@pytest.fixture
def stand(postgres, database):
    """stand(Dsql, ...) -> the stand-in before the test's database."""
    made = []

    def start(kind, **kwargs):
        made.append(kind(postgres, database, **kwargs))
        return made[-1]
    yield start
    for standin in made:
        standin.stop()


@pytest.fixture
def on(start_daemon):
    """on(standin, folder, ...) -> a daemon that knows the stand-in alone."""
    def start(standin, folder, *args, **kwargs):
        return start_daemon("--migrations", folder, "--database-url",
                            standin.url, *args, **kwargs)
    return start


def teams(database):
    return [name for name, in database.query(
        "SELECT name FROM teams ORDER BY id")]


def versions(database):
    return [v for v, in database.query(
        "SELECT version FROM schema_migrations ORDER BY version")]


def is_valid(database, index):
    return database.value("SELECT indisvalid FROM pg_index WHERE indexrelid"
                          f" = to_regclass('{index}')")


def assert_all_there(database, index=True):
    assert teams(database) == ["A!", "B!"] + (["c"] if index else [])
    assert database.value("SELECT count(*) FROM pg_attribute WHERE attname ="
                          " 'note' AND attrelid = 'users'::regclass") == 1
    assert versions(database) == ["0001", "0002", "0003", "0004"][:3 + index]
    if index:
        assert is_valid(database, "users_mail") is True
    assert database.query("SELECT * FROM migrationd.statements") == []


# ---- Aurora DSQL ----

def test_dsql(stand, on, sequence, database):
    """Each session is told once of each change of the catalogs, and takes it
    for what it is."""
    standin = stand(Dsql, commit_conflicts=2)
    daemon = on(standin, sequence(ALL))
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert applied_ids(got.json()) == [f[:-4] for f in ALL]
    assert_all_there(database)
    assert standin.conflicts > 2
    # nothing that the service refuses was even tried
    assert [r for r in standin.refusals if "please retry" not in r[1]] == []
    assert daemon.apply().json()["applied"] == []


def test_dsql_in_the_status(stand, on, sequence):
    daemon = on(stand(Dsql), sequence(ALL))
    seen = daemon.wait_verdict("pending")["database"]
    assert seen["engine"] == "aurora-dsql"
    assert seen["server_version"] == "16.15"
    assert not seen["pooled"]
    assert "transaction by itself" in seen["engine_note"]
    assert "the lock is a lease" in daemon.get("/status?format=text").text


def test_dsql_drizzle_folder(stand, on, drizzle, database):
    """Its tracking table has a serial, which is no type there."""
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);\n"
                       "--> statement-breakpoint\nCREATE TABLE b (id int);"),
                      ("0001_b", "INSERT INTO a VALUES (1);")])
    daemon = on(stand(Dsql), folder)
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert len(database.drizzle_rows()) == 2
    assert database.value("SELECT count(*) FROM a") == 1


@pytest.mark.parametrize("at", [
    ("after", r"^CREATE TABLE users"), ("before", r"^CREATE TABLE teams"),
    ("after", r"^CREATE TABLE teams"), ("after", r"^INSERT INTO teams VALUES \(1"),
    ("after", r"^ALTER TABLE users"), ("after", r"^CREATE VIEW"),
    ("after", r"^CREATE INDEX ASYNC"), ("after", r"s\.status|j\.status"),
    ("before", r"INSERT INTO \"public\""), ("after", r"finished_at = pg_catalog")],
    ids=lambda at: at[0] + "-" + re.sub(r"\W+", "-", at[1]).strip("-"))
def test_dsql_killed(stand, on, sequence, database, at):
    """kill -9 at any point: the next one goes on where it stopped."""
    standin = stand(Dsql, build_s=1)
    folder = sequence(ALL)
    daemon = on(standin, folder)
    getattr(standin, at[0])(at[1], daemon.kill)
    with pytest.raises(Exception):
        daemon.apply(timeout=60)
    wait_until(lambda: not daemon.running(), 10)
    expire(database)
    second = on(standin, folder)
    got = second.apply(timeout=90)
    assert got.status == 200, repr(got)
    assert_all_there(database)
    made = [s for s in standin.sent if s.startswith("CREATE INDEX ASYNC")]
    assert len(made) == 1, "a job that was begun is waited for"


def expire(database):
    """As if its holder had not been heard of for as long as a lease lasts."""
    database.execute("UPDATE migrationd.locks SET expires_at = now()"
                     " - interval '1 s' WHERE name LIKE 'lease/%%'")


def test_dsql_index_is_waited_for(stand, on, sequence, database):
    standin = stand(Dsql)
    standin.job_delay.clear()
    daemon = on(standin, sequence(ALL))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(daemon.apply, timeout=60)

        def at_job():
            run = daemon.status()["run"]
            return run and run.get("progress", {}) and run["progress"]
        progress = wait_until(at_job, 30)
        assert progress["phase"] in ("submitted", "processing"), progress
        assert is_valid(database, "users_mail") is False
        assert versions(database) == ["0001", "0002", "0003"]
        standin.job_delay.set()
        got = answer.result(60)
    assert got.status == 200, repr(got)
    assert_all_there(database)


def test_dsql_index_fails(stand, on, sequence, database):
    """What is left is not valid, blocks nobody, and goes before the next try."""
    standin = stand(Dsql)
    folder = sequence({
        "0001_t.sql": "CREATE TABLE t (x int);",
        "0002_rows.sql": "INSERT INTO t VALUES (1), (1);",
        "0003_index.sql": "CREATE UNIQUE INDEX ASYNC t_x ON t (x);"})
    daemon = on(standin, folder)
    problem = daemon.apply(timeout=60).problem(422, "SQL_ERROR")
    assert "failed: could not create unique index" in problem["detail"]
    assert "the next POST /apply drops first" in problem["hint"]
    assert is_valid(database, "t_x") is False
    database.execute("DELETE FROM t; INSERT INTO t VALUES (1)")
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert is_valid(database, "t_x") is True
    assert any(s.startswith('DROP INDEX "public"."t_x"') for s in standin.sent)


REFUSED = {
    "index": "CREATE INDEX i ON t (x);",
    "concurrently": "CREATE INDEX CONCURRENTLY i ON t (x);",
    "serial": "CREATE TABLE u (id serial PRIMARY KEY);",
    "do": "DO $$ BEGIN NULL; END $$;",
    "temp": "CREATE TEMP TABLE u (id int);",
    "truncate": "TRUNCATE t;",
    "type": "CREATE TYPE mood AS ENUM ('ok');",
    "column": "ALTER TABLE t ADD COLUMN c int NOT NULL;",
    "constraint": "ALTER TABLE t ADD CONSTRAINT k CHECK (x > 0);",
    "setting": "SET statement_timeout = 0;",
    "lock": "SELECT pg_advisory_lock(1);",
    "savepoint": "SAVEPOINT a;",
    "two in one": "BEGIN; CREATE TABLE u (id int); CREATE TABLE v (id int);"
                  " COMMIT;",
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.replace(" ", "-"))
def test_dsql_refuses_before_anything_ran(stand, on, sequence, database, case):
    standin = stand(Dsql)
    folder = sequence({"0001_t.sql": "CREATE TABLE t (x int);",
                       "0002_x.sql": "SELECT 1;\n" + REFUSED[case] + "\n"})
    daemon = on(standin, folder)
    problem = daemon.apply(timeout=60).problem()
    assert problem["exit_code"] == 8, problem
    assert "Aurora DSQL" in problem["detail"], problem
    assert problem["file"] == "0002_x.sql", problem
    assert problem["statement"]["line"] == 2, problem
    assert problem["hint"], problem
    assert not database.has_table("t"), "and the first did not run either"


def test_dsql_unchecked(stand, on, sequence, database):
    """The service learns; who knows better says so in the file, and then the
    server has the word."""
    standin = stand(Dsql)
    folder = sequence({"0001_t.sql": "-- migrationd: unchecked\n"
                                     "CREATE TABLE t (x int); TRUNCATE t;"})
    daemon = on(standin, folder)
    problem = daemon.apply(timeout=60).problem(422, "SQL_ERROR")
    assert problem["sqlstate"] == "0A000", problem
    assert "nothing of it is left" in problem["hint"], problem
    write(folder / "0001_t.sql", "-- migrationd: unchecked\n"
          "CREATE TABLE t (x int); DELETE FROM t;")
    daemon.wait_verdict("pending", "failed")
    assert daemon.apply(timeout=60).status == 200


def test_dsql_three_race(stand, on, sequence, database):
    """On the lease, there being nothing else: each statement once."""
    standin = stand(Dsql)
    folder = sequence(ALL)
    daemons = [on(standin, folder) for _ in range(3)]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda d: d.apply(timeout=120), daemons))
    assert [a.status for a in answers] == [200] * 3, answers
    applied = [m for a in answers for m in applied_ids(a.json())]
    assert sorted(applied) == [f[:-4] for f in ALL]
    assert_all_there(database)
    for sql in ("CREATE TABLE users", "CREATE VIEW", "CREATE INDEX ASYNC"):
        assert len([s for s in standin.sent if s.startswith(sql)
                    and s not in dict(standin.refusals)]) == 1


def test_dsql_connection_is_changed_in_time(stand, on, sequence, database):
    """The service ends a connection after an hour; ours is never that old."""
    standin = stand(Dsql, max_age_s=3, build_s=1)
    files = {f"{n:04}_t.sql": f"CREATE TABLE t{n} (x int);\n"
             f"CREATE INDEX ASYNC i{n} ON t{n} (x);\n" for n in range(1, 5)}
    daemon = on(standin, sequence(files), "--connection-max-age", "1s",
                "--refresh-interval", "1s")
    got = daemon.apply(timeout=120)
    assert got.status == 200, repr(got)
    assert len(applied_ids(got.json())) == 4
    assert standin.connections > 5
    assert versions(database) == ["0001", "0002", "0003", "0004"]


def test_dsql_what_a_file_sets_ends_with_it(stand, on, sequence, database):
    """The session cannot be reset, so the next file gets a new one."""
    database.execute("CREATE SCHEMA app")
    daemon = on(stand(Dsql), sequence({
        "0001_a.sql": "SET search_path = app;\nCREATE TABLE a (x int);\n",
        "0002_b.sql": "CREATE TABLE b (x int);\n"}))
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    assert database.has_table("app.a") and database.has_table("public.b")


def test_dsql_what_a_file_sets_ends_with_its_failure(stand, on, sequence,
                                                     database, workdir):
    """A file that is left out leaves nothing for the next one."""
    database.execute("CREATE SCHEMA app")
    data = workdir / "data"
    data.mkdir()
    (data / "2024-03-15_a.sql").write_text(
        "-- migrationd: no-transaction\nSET search_path = app;\n"
        "SELECT nosuchcolumn;\n")
    (data / "2024-03-16_b.sql").write_text("CREATE TABLE b (x int);\n")
    daemon = on(stand(Dsql), sequence({"0001_a.sql": "SELECT 1;\n"}),
                "--data", data)
    got = daemon.apply(timeout=60)
    assert got.status == 200 and got.json()["failed"] == 1, repr(got)
    assert database.has_table("public.b")


def test_dsql_password_command(stand, on, sequence, database, workdir):
    """A token of its own for each connection."""
    program = workdir / "token"
    program.write_text(f"#!/bin/sh\necho x >> {workdir}/asked\necho secret\n")
    program.chmod(0o755)
    standin = stand(Dsql)
    daemon = on(standin, sequence(FILES), "--password-command", program)
    assert daemon.apply(timeout=60).status == 200
    asked = (workdir / "asked").read_text().count("x")
    assert asked >= 2 and asked >= standin.connections - 1
    assert "secret" not in daemon.stderr()


def test_dsql_token_is_over(stand, sequence):
    """One more try with a token that is made anew; a second refusal is the
    clock's fault, and no reason to go on."""
    folder = sequence(FILES)
    for expired, code in ((1, 0), (9, 6)):
        standin = stand(Dsql, expired=expired)
        done = run("--once", "--migrations", folder, "--database-url",
                   standin.url)
        assert done.returncode == code, (done.stdout, done.stderr)
        standin.database.execute("DROP SCHEMA sys CASCADE")
        assert "access denied" in done.stderr


# ---- the others ----

PLAIN = {**FILES, "0004_index.sql": "CREATE INDEX users_mail ON users (mail);\n"
         "INSERT INTO teams VALUES (3, 'c');\n"}


@pytest.mark.parametrize("kind, options, name, note, lock", [
    (Yugabyte, {}, "yugabytedb", "transaction by itself", "advisory"),
    (Yugabyte, {"ddl": "on"}, "yugabytedb", "is on", "advisory"),
    (Yugabyte, {"version": "2024.2.1.0-b0", "ddl": None}, "yugabytedb",
     "transaction by itself", "lease"),
    (Cockroach, {"conflicts": 2}, "cockroachdb", "transaction by itself",
     "lease"),
    (Citus, {}, "citus", "coordinator", "advisory"),
], ids=["yugabytedb", "yugabytedb-ddl-on", "yugabytedb-old", "cockroachdb",
        "citus"])
def test_others(stand, on, sequence, database, kind, options, name, note, lock):
    standin = stand(kind, **options)
    daemon = on(standin, sequence(PLAIN))
    seen = daemon.wait_verdict("pending")["database"]
    assert seen["engine"] == name
    assert note in seen["engine_note"]
    got = daemon.apply(timeout=60)
    assert got.status == 200, repr(got)
    if database.has_table("migrationd.statements"):
        assert_all_there(database)
    assert standin.violations == []
    assert standin.refusals == [] or kind is Cockroach, standin.refusals
    assert database.has_table("migrationd.locks") == (lock == "lease")


@pytest.mark.parametrize("kind", [Yugabyte, Cockroach])
def test_others_killed(stand, on, sequence, database, kind):
    standin = stand(kind)
    folder = sequence(PLAIN)
    daemon = on(standin, folder)
    standin.after(r"^CREATE TABLE teams", daemon.kill)
    with pytest.raises(Exception):
        daemon.apply(timeout=60)
    if database.has_table("migrationd.locks"):
        expire(database)
    got = on(standin, folder).apply(timeout=60)
    assert got.status == 200, repr(got)
    assert_all_there(database)


def test_engine_is_overruled(serve, sequence, database):
    """On a plain PostgreSQL, as an Aurora DSQL would be treated."""
    daemon = serve(sequence({"0001_a.sql": "CREATE TABLE a (x int);\n"
                             "CREATE TABLE b (x int);\n"}),
                   "--engine", "yugabytedb")
    assert daemon.apply(timeout=60).status == 200
    assert daemon.status()["database"]["engine"] == "yugabytedb"
    assert database.has_table("migrationd.locks")
