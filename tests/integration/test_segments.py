# SPDX-License-Identifier: PostgreSQL
"""Files that cannot be one transaction: they run in segments, and what ran is
known whatever happens in between."""

import concurrent.futures
import json
import re

import pytest

from harness import ctl
from harness.folder import write
from harness.wait import wait_until

BREAK = "--> statement-breakpoint\n"
MIXED = ("CREATE TABLE t (id int, x int);\n"
         "INSERT INTO t SELECT g, g % 7 FROM generate_series(1, 100) g;\n"
         "CREATE INDEX CONCURRENTLY t_x ON t (x);\n"
         "CREATE TABLE after_index (id int);\n")


def is_valid(database, index):
    return database.query(
        "SELECT i.indisvalid FROM pg_index i JOIN pg_class c"
        f" ON c.oid = i.indexrelid WHERE c.relname = '{index}'")


def statements(database):
    return database.query("SELECT number, finished_at IS NOT NULL"
                          " FROM migrationd.statements ORDER BY number")


FILES = {
    "concurrently in the middle": MIXED,
    "the drizzle way out": ("CREATE TABLE t (id int, x int);\n" + BREAK +
                            "COMMIT;\n" + BREAK +
                            "CREATE INDEX CONCURRENTLY t_x ON t (x);\n" +
                            BREAK + "BEGIN;\n"),
    "begin and commit": "BEGIN;\nCREATE TABLE t (id int, x int);\n"
                        "CREATE INDEX t_x ON t (x);\nCOMMIT;\n",
    "begin transaction, then more": "BEGIN TRANSACTION;\n"
                                    "CREATE TABLE t (id int, x int);\n"
                                    "COMMIT;\nCREATE INDEX t_x ON t (x);\n",
    "no-transaction": "-- migrationd: no-transaction\n"
                      "CREATE TABLE t (id int, x int);\n"
                      "CREATE INDEX t_x ON t (x);\n",
    "vacuum": "CREATE TABLE t (id int, x int); CREATE INDEX t_x ON t (x);\n"
              "VACUUM t;\n",
}


def test_goes_on_although_each_connection_is_too_old(serve, drizzle, database):
    """It takes longer to be made than it may last."""
    daemon = serve(drizzle([("0000_a", MIXED)]),
                   options={"connection_max_age": "1ms"})
    got = daemon.apply(timeout=30)
    assert got.status == 200, got
    assert is_valid(database, "t_x") == [(True,)]


@pytest.mark.parametrize("case", FILES, ids=lambda c: c.replace(" ", "-"))
def test_runs_and_is_recorded_once(serve, drizzle, database, case):
    daemon = serve(drizzle([("0000_a", FILES[case]),
                            ("0001_b", "CREATE TABLE b (id int);")]))
    got = daemon.apply(timeout=30)
    assert got.status == 200, got
    assert [m["id"] for m in got.json()["applied"]] == ["0000_a", "0001_b"]
    assert is_valid(database, "t_x") == [(True,)]
    assert len(database.drizzle_rows()) == 2
    assert daemon.apply().json()["applied"] == []
    if database.has_table("migrationd.statements"):
        assert statements(database) == [], "its notes are done with"


def test_enum_value_used_where_nothing_shows_it(serve, database, drizzle):
    """The scanner does not look into the body of a DO: then the answer says
    what to do, and doing it works."""
    adds = "ALTER TYPE mood ADD VALUE 'fine'"
    uses = "DO $$ BEGIN EXECUTE 'INSERT INTO m VALUES (''fi' || 'ne'')'; END $$"
    database.execute("CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE m (a mood)")
    folder = drizzle([
        ("0000_a", f"DO $$ BEGIN EXECUTE $x${adds}$x$; END $$; {uses};")])
    daemon = serve(folder)
    hint = daemon.apply().problem(422, "SQL_ERROR")["hint"]
    assert "-- migrationd: no-transaction" in hint, hint
    assert "a migration of its own" in hint, hint

    write(folder / "0000_a.sql",
          f"-- migrationd: no-transaction\n{adds}; {uses};\n")
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert database.value("SELECT a::text FROM m") == "fine"


def test_enum_value_used_later(once, database, drizzle):
    """drizzle-orm fails with 55P04: it has all files in one transaction."""
    folder = drizzle([
        ("0000_a", "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (v e);"),
        ("0001_b", "ALTER TYPE e ADD VALUE 'b';"),
        ("0002_c", "INSERT INTO t VALUES ('b');"),
        ("0003_d", "ALTER TYPE e ADD VALUE 'c';\n" + BREAK +
         "INSERT INTO t VALUES ('c');")])
    done = once(folder)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert database.query("SELECT count(*) FROM t") == [(2,)]


def test_pg_dump_as_a_migration(once, postgres, database, sequence):
    """A dump has COPY with data, and meta lines of psql."""
    dump = ("\\restrict abc\n"
            "SET statement_timeout = 0;\n"
            "SELECT pg_catalog.set_config('search_path', '', false);\n"
            "CREATE TABLE public.t (id int, v text);\n"
            "COPY public.t (id, v) FROM stdin;\n"
            "1\tone; 'two\n2\t$$\n\\.\n\n"
            "CREATE INDEX t_id ON public.t (id);\n"
            "\\unrestrict abc\n")
    folder = sequence({"0001_dump.sql": dump,
                       "0002_more.sql": "CREATE TABLE unqualified (id int);"})
    done = once(folder)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert database.query("SELECT id, v FROM t ORDER BY id") == [
        (1, "one; 'two"), (2, "$$")]
    assert database.has_table("public.unqualified")


def test_connect_is_refused_by_name(once, database, sequence):
    done = once(sequence({"0001_a.sql": "CREATE TABLE a ();\n\\connect x\n"}))
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "\\connect" in done.stdout and "0001_a.sql:2" in done.stdout
    assert not database.has_table("public.a")


def test_goes_on_behind_what_ran(serve, drizzle, database):
    """The statement behind the index fails, is mended, and only it runs."""
    folder = drizzle([("0000_a", MIXED + "SELECT 1/0;\n")])
    daemon = serve(folder)
    problem = daemon.apply(timeout=30).problem(422)
    assert problem["sqlstate"] == "22012"
    assert problem["statement"]["line"] == 5
    assert "done and noted" in problem["hint"]
    assert statements(database) == [(1, True), (2, True), (3, True)]
    write(folder / "0000_a.sql", MIXED + "SELECT 1;\n")
    wait_until(lambda: daemon.apply(timeout=30).status == 200, 10)
    assert database.query("SELECT count(*) FROM t") == [(100,)]
    assert database.has_table("public.after_index")


def test_what_ran_may_not_change(serve, drizzle, database):
    folder = drizzle([("0000_a", MIXED + "SELECT 1/0;\n")])
    daemon = serve(folder)
    daemon.apply(timeout=30).problem(422)
    write(folder / "0000_a.sql", MIXED.replace("100", "200") + "SELECT 1;\n")
    problem = daemon.apply(timeout=30).problem(409, "CHECKSUM_MISMATCH")
    assert "/repair" in problem["hint"]
    assert database.query("SELECT count(*) FROM t") == [(100,)]


def plant_unknown(database, sql, number):
    """As a run leaves it that was killed while statement `number` ran."""
    import hashlib
    digest = hashlib.sha256(sql.encode()).hexdigest()
    database.execute(
        "UPDATE migrationd.statements SET finished_at = NULL, digest ="
        f" '{digest}' WHERE number = {number}")
    database.execute("DELETE FROM migrationd.statements"
                     f" WHERE number > {number}")


@pytest.fixture
def stopped_at_index(serve, drizzle, database):
    """A daemon whose migration stopped behind its index."""
    folder = drizzle([("0000_a", MIXED + "SELECT 1/0;\n")])
    daemon = serve(folder)
    daemon.apply(timeout=30).problem(422)
    database.execute("UPDATE migrationd.statements SET finished_at = NULL"
                     " WHERE number = 3")
    write(folder / "0000_a.sql", MIXED + "SELECT 1;\n")
    return daemon


def settled(daemon):
    return wait_until(
        lambda: daemon.apply(timeout=30).status == 200, 10)


def test_unknown_index_that_is_valid_counts(stopped_at_index, database):
    oid = database.query("SELECT 't_x'::regclass::oid")
    settled(stopped_at_index)
    assert database.query("SELECT 't_x'::regclass::oid") == oid


def test_unknown_index_that_is_invalid_is_made_anew(stopped_at_index, database):
    oid = database.query("SELECT 't_x'::regclass::oid")
    database.execute("UPDATE pg_index SET indisvalid = false"
                     " WHERE indexrelid = 't_x'::regclass")
    settled(stopped_at_index)
    assert database.query("SELECT 't_x'::regclass::oid") != oid
    assert is_valid(database, "t_x") == [(True,)]


def test_unknown_index_that_is_absent_is_made(stopped_at_index, database):
    database.execute("DROP INDEX t_x")
    settled(stopped_at_index)
    assert is_valid(database, "t_x") == [(True,)]


@pytest.mark.parametrize("valid", [True, False])
def test_index_of_that_name_elsewhere_is_another(stopped_at_index, database,
                                                 valid):
    """Each tenant has a schema, and an index of that name."""
    database.execute("DROP INDEX t_x; CREATE SCHEMA other;"
                     " CREATE TABLE other.t (x int);"
                     " CREATE INDEX t_x ON other.t (x)")
    database.execute(f"UPDATE pg_index SET indisvalid = {valid}"
                     " WHERE indexrelid = 'other.t_x'::regclass")
    oid = database.query("SELECT 'other.t_x'::regclass::oid")
    settled(stopped_at_index)
    assert database.query("SELECT indisvalid FROM pg_index WHERE"
                          " indexrelid = 'public.t_x'::regclass") == [(True,)]
    assert database.query("SELECT 'other.t_x'::regclass::oid") == oid


def test_unknown_index_is_where_the_file_says(serve, drizzle, database):
    database.execute("CREATE SCHEMA app; CREATE TABLE app.t (x int)")
    text = ("SET search_path = app;\n"
            "CREATE INDEX CONCURRENTLY t_x ON t (x);\n")
    folder = drizzle([("0000_a", text + "SELECT 1/0;\n")])
    daemon = serve(folder)
    daemon.apply(timeout=30).problem(422)
    database.execute("UPDATE migrationd.statements SET finished_at = NULL"
                     " WHERE number = 2")
    write(folder / "0000_a.sql", text + "SELECT 1;\n")
    oid = database.query("SELECT 'app.t_x'::regclass::oid")
    settled(daemon)
    assert database.query("SELECT 'app.t_x'::regclass::oid") == oid


ONCE_ONLY = ("CREATE TABLE n (id int);\n"
             "DO $$ BEGIN INSERT INTO n VALUES (1); COMMIT;"
             " PERFORM 1/{}; END $$;\n"
             "CREATE TABLE behind (id int);\n")


@pytest.fixture
def in_doubt(serve, drizzle, database):
    folder = drizzle([("0000_a", ONCE_ONLY.format("0"))])
    daemon = serve(folder)
    daemon.apply(timeout=30).problem(422)
    return daemon


def ask(daemon):
    problem = daemon.apply(timeout=30).problem(409)
    assert "POST /repair" in problem["hint"], problem
    assert "did it run" in problem["detail"]
    return problem


@pytest.mark.parametrize("action, rows", [("applied", 1), ("retry", 2)])
def test_a_person_answers(in_doubt, database, action, rows):
    ask(in_doubt)
    assert database.query("SELECT count(*) FROM n") == [(1,)], "not repeated"
    got = in_doubt.post("/repair", json={"migration": "0000_a",
                                         "action": action})
    assert got.status == 200, got
    got = in_doubt.apply(timeout=30)
    if action == "retry":  # it fails as it did before, after another row
        got.problem(422)
    else:
        assert got.status == 200, got
        assert database.has_table("public.behind")
    assert database.query("SELECT count(*) FROM n") == [(rows,)]


def test_status_asks_and_what_it_says_works(serve, drizzle, database):
    folder = drizzle([("0000_a", ONCE_ONLY.format("0"))])
    daemon = serve(folder)
    daemon.apply(timeout=30).problem(422)
    ask(daemon)
    assert daemon.states() == {"0000_a": "in_doubt"}
    status = daemon.wait_verdict("in_doubt")
    run = daemon.get(f"/runs/{status['last_run']['id']}").json()
    assert run["in_doubt"] and run["outcome"] == "refused"
    assert "answer by POST /repair" in status["advice"]
    requests = status["requests"]
    assert [r["body"]["action"] for r in requests] == [
        "applied", "retry", "pending"]
    assert requests[0]["method"] == "POST"
    assert requests[0]["body"]["migration"] == "0000_a"
    assert run["error"]["requests"] == requests
    body = json.dumps(requests[0]["body"])
    assert (f"--json '{body}' http://" in
            daemon.get("/status?format=text").text)
    assert (f"answer    POST /repair {body}  # the statement ran" in
            daemon.get(f"/runs/{run['id']}?format=text").text)
    told = ctl.run("status", "--server", daemon.base_url).out
    command = f"          migrationctl --server {daemon.base_url} repair 0000_a"
    assert f"{command} applied  # the" in told, told
    assert f"{command} pending  # the" in told, told

    # another daemon reads the question from the journal, and leaves it
    other = serve(folder, "--apply-on-start",
                  options={"refresh_interval": "1s"})
    again = other.wait_verdict("in_doubt")
    assert again["advice"] == status["advice"]
    assert again["requests"] == requests
    assert database.query("SELECT count(*) FROM n") == [(1,)]

    assert other.post(requests[0]["path"],
                      json=requests[0]["body"]).status == 200
    assert other.wait_verdict("pending")
    assert other.apply(timeout=30).status == 200
    assert other.states() == {"0000_a": "applied"}


def test_what_ran_and_is_another_now_is_not_called_applied(
        serve, drizzle, database):
    """To record the whole migration would leave the rest of it undone."""
    folder = drizzle([("0000_a", MIXED.replace("t (x)", "t (y)"))])
    daemon = serve(folder)
    daemon.apply(timeout=30).problem(422)
    write(folder / "0000_a.sql", MIXED.replace("id int, x int", "x int"))
    wait_until(lambda: daemon.apply(timeout=30).status == 409)
    status = daemon.wait_verdict("in_doubt")
    assert [r["body"] for r in status["requests"]] == [
        {"migration": "0000_a", "action": "pending"}]
    assert "applied" not in daemon.get("/status?format=text").text.split(
        "next: ")[1]
    told = ctl.run("apply", "--server", daemon.base_url)
    assert told.returncode == 8
    assert (f"  migrationctl --server {daemon.base_url} repair 0000_a pending"
            "  # the file" in told.err)


def test_what_left_nothing_may_be_mended(serve, drizzle, database):
    folder = drizzle([("0000_a", MIXED.replace("t (x)", "t (y)"))])
    daemon = serve(folder)
    problem = daemon.apply(timeout=30).problem(422)
    assert problem["sqlstate"] == "42703"
    assert "nothing of it is left" in problem["hint"]
    assert statements(database) == [(1, True), (2, True)]
    write(folder / "0000_a.sql", MIXED)
    settled(daemon)
    assert is_valid(database, "t_x") == [(True,)]


def test_index_that_could_not_be_unique_is_dropped_first(serve, drizzle,
                                                         database):
    daemon = serve(drizzle([
        ("0000_a", MIXED.replace("CREATE INDEX", "CREATE UNIQUE INDEX"))]))
    problem = daemon.apply(timeout=30).problem(422)
    assert problem["sqlstate"] == "23505"
    assert "which the next POST /apply drops first" in problem["hint"]
    assert is_valid(database, "t_x") == [(False,)]
    database.execute("UPDATE t SET x = id")
    settled(daemon)
    assert is_valid(database, "t_x") == [(True,)]


@pytest.mark.parametrize("name", ["0000_a", "0000_a.sql"])
def test_a_daemon_that_knows_nothing_yet_takes_an_answer(
        serve, drizzle, database, name):
    """Its first look at the database hangs."""
    folder = drizzle([("0000_a", ONCE_ONLY.format("0"))])
    first = serve(folder)
    first.apply(timeout=30).problem(422)
    ask(first)
    first.stop()
    held = database.connect()
    held.autocommit = False
    held.cursor().execute("LOCK TABLE drizzle.__drizzle_migrations")
    other = serve(folder)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(other.post, "/repair", json={
            "migration": name, "action": "applied"}, timeout=30)
        wait_until(lambda: answer.done() or other.status()["run"], 15)
        held.rollback()
        got = answer.result()
    held.close()
    assert got.status == 200, repr(got)
    assert got.json()["migration"] == "0000_a"
    assert other.apply(timeout=30).status == 200


def test_a_migration_that_only_failed_needs_no_repair(serve, drizzle,
                                                      database):
    """The refusal says what to type instead, and typing it works."""
    daemon = serve(drizzle([("0000_a", "CREATE TABLE a (id int);"),
                            ("0001_b", "INSERT INTO nowhere VALUES (1);")]))
    daemon.apply().problem(422)
    for action in ("retry", "pending"):
        hint = daemon.post("/repair", json={
            "migration": "0001_b", "action": action}).problem(409)["hint"]
        assert hint.endswith("POST /apply"), hint
    got = daemon.post("/repair", json={
        "migration": "0001_b", "action": "applied"})
    assert got.status == 200, repr(got)
    assert daemon.wait_verdict("current")
    assert daemon.states() == {"0000_a": "applied", "0001_b": "baseline"}
    hint = daemon.post("/repair", json={
        "migration": "0001_b", "action": "retry"}).problem(409)["hint"]
    assert "it is recorded" in hint, hint


def test_valid_index_of_others_is_not_taken_for_ours(serve, drizzle, database):
    """Neither by the run that finds it there, nor by the one after it."""
    database.execute("CREATE TABLE t (x int, y int)")
    database.execute("CREATE INDEX t_x ON t (y)")
    daemon = serve(drizzle([
        ("0000_a", "CREATE INDEX CONCURRENTLY t_x ON t (x);")]))
    for _ in range(2):
        problem = daemon.apply(timeout=30).problem(422)
        assert problem["sqlstate"] == "42P07"
    assert database.drizzle_rows() == []


def test_nothing_to_repair(serve, drizzle):
    daemon = serve(drizzle([("0000_a", "SELECT 1;")]))
    assert daemon.apply().status == 200
    daemon.post("/repair", json={"migration": "0000_a",
                                 "action": "retry"}).problem(409)
    daemon.post("/repair", json={"migration": "nope",
                                 "action": "retry"}).problem(404)


def test_invalid_index_of_others_is_not_taken_for_ours(serve, drizzle,
                                                       database):
    database.execute("CREATE TABLE t (x int)")
    database.execute("CREATE INDEX t_x ON t (x)")
    database.execute("UPDATE pg_index SET indisvalid = false"
                     " WHERE indexrelid = 't_x'::regclass")
    daemon = serve(drizzle([
        ("0000_a", "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_x ON t (x);")]))
    problem = daemon.apply(timeout=30).problem(422)
    assert "not valid" in problem["detail"]
    assert "DROP INDEX" in problem["hint"]
    assert database.drizzle_rows() == []


def test_journal_off_cannot_remember(once, database, drizzle):
    done = once(drizzle([("0000_a", MIXED)]), "--journal=off")
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "journal = on" in done.stdout
    assert not database.has_table("public.t")
