# SPDX-License-Identifier: PostgreSQL
"""POST /apply and the resources that tell of it, on real folders."""

import concurrent.futures
import subprocess

import pytest

from harness.daemon import applied_ids, migrations_of, runs_of
from harness.folder import BREAKPOINT, tables, write
from harness.wait import wait_until

SAMPLE = ["0000_users", "0001_documents", "0002_document_status",
          "0003_document_indexes", "0004_preferences",
          "0005_preferences_for_everyone", "0006_document_rules"]
COUNTED = {"applied", "baseline", "pending", "running", "failed", "in_doubt",
           "modified", "missing", "out_of_order", "unregistered", "invalid"}


def test_sample_is_applied_and_reported(serve, sample, database):
    daemon = serve(sample)
    before = daemon.wait_verdict("pending")
    assert before["pending"] == SAMPLE
    assert before["counts"]["pending"] == 7

    got = daemon.apply()
    run = got.json()
    assert got.status == 200, repr(got)
    assert run["operation"] == "apply"
    assert run["target"] == "default"
    assert run["outcome"] == "succeeded"
    assert run["joined"] is False
    assert run["error"] is None
    assert applied_ids(run) == SAMPLE
    assert run["id"] and run["state"]
    assert run["started_at"].endswith("Z") and run["finished_at"] >= run[
        "started_at"]
    assert 0 < run["duration_seconds"] < 60
    assert run["lock_wait_seconds"] >= 0
    assert all(m["duration_seconds"] >= 0 for m in run["applied"])

    assert len(database.drizzle_rows()) == 7
    assert database.query("SELECT title, status::text FROM documents") == [
        ("Welcome", "published")]

    status = daemon.status()
    assert status["verdict"] == "current"
    assert status["pending"] == []
    assert set(status["counts"]) == COUNTED
    assert status["counts"]["applied"] == 7
    assert sum(status["counts"].values()) == 7


def test_second_apply_has_nothing_to_do(serve, sample, database):
    daemon = serve(sample)
    assert daemon.apply().status == 200
    rows = database.drizzle_rows()
    again = daemon.apply()
    assert again.status == 200
    assert again.json()["outcome"] == "succeeded"
    assert again.json()["applied"] == []
    assert database.drizzle_rows() == rows


def test_status_document(serve, sample, database):
    daemon = serve(sample)
    daemon.apply()
    status = daemon.status()
    assert status["api_version"] == 1
    assert status["target"] == "default"
    assert status["database"]["reachable"] is True
    assert status["database"]["name"] == database.name
    assert str(status["database"]["server_version"]).startswith(
        database.value("SHOW server_version").split()[0][:2])
    assert status["database"]["engine"]
    assert status["folder"]["path"] == str(sample)
    assert status["folder"]["layout"] == "drizzle"
    assert status["folder"]["scanned_at"].endswith("Z")
    assert status["folder"]["problems"] == []
    assert status["tracking"]["kind"] == "drizzle"
    assert "__drizzle_migrations" in status["tracking"]["table"]
    assert status["lock"]["held"] is False
    assert status["run"] is None
    assert status["last_run"]["outcome"] == "succeeded"


def test_migrations_one_by_one(serve, sample):
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    listed = migrations_of(daemon.get("/migrations"))
    assert [m["id"] for m in listed] == SAMPLE
    assert {m["state"] for m in listed} == {"pending"}
    assert daemon.apply().status == 200
    assert set(daemon.states().values()) == {"applied"}

    one = daemon.get("/migrations/0002_document_status").json()
    assert one["id"] == "0002_document_status"
    assert one["state"] == "applied"
    daemon.get("/migrations/9999_nobody").problem(404, "RESOURCE_NOT_FOUND")


def test_runs_are_kept(serve, sample):
    daemon = serve(sample)
    first = daemon.apply().json()
    second = daemon.apply().json()
    assert first["id"] != second["id"]
    listed = [r["id"] for r in runs_of(daemon.get("/runs"))]
    assert listed[:2] == [second["id"], first["id"]], "newest first"
    assert daemon.get(f"/runs/{first['id']}").json()["applied"] == first[
        "applied"]
    daemon.get("/runs/01890000-0000-7000-8000-000000000000").problem(
        404, "RESOURCE_NOT_FOUND")
    daemon.get("/runs/nonsense").problem(404, "RESOURCE_NOT_FOUND")


def test_plan_says_what_apply_would_do(serve, sample, database):
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    got = daemon.get("/plan")
    assert got.status == 200
    assert "0000_users" in got.text and "0006_document_rules" in got.text
    assert database.tables() == [], "a plan writes nothing"
    daemon.apply()
    assert "0000_users" not in daemon.get("/plan").text


def test_reading_writes_nothing(serve, sample, database):
    empty = database.schema_dump(exclude_schema=())
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    for path in ("/status", "/migrations", "/runs", "/plan", "/metrics",
                 "/livez", "/readyz", "/current", "/version", "/config"):
        daemon.get(path)
    assert database.schema_dump(exclude_schema=()) == empty


def test_text_for_people(serve, sample):
    daemon = serve(sample)
    daemon.apply()
    for got in (daemon.get("/status?format=text"),
                daemon.get("/status", Accept="text/plain"),
                daemon.get("/migrations?format=text")):
        assert got.status == 200
        assert got.type == "text/plain"
        assert "0006_document_rules" in got.text
        assert "applied" in got.text
        assert got.text.endswith("\n")
    assert "current" in daemon.get("/status?format=text").text.lower()


def test_head_is_get_without_a_body(serve, sample):
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    for path in ("/status", "/migrations", "/runs", "/plan", "/livez",
                 "/readyz", "/current", "/metrics", "/version", "/config"):
        got = daemon.head(path)
        assert got.status == daemon.get(path).status, path
        assert got.body == b""


def test_v1_prefix_is_optional(serve, sample):
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    assert daemon.get("/v1/status").json()["verdict"] == "pending"
    assert daemon.post("/v1/apply").status == 200
    daemon.get("/v2/status").problem(404)


def test_current_is_the_gate(serve, sample):
    daemon = serve(sample)
    daemon.wait_verdict("pending")
    assert daemon.get("/current").status == 503
    assert daemon.get("/readyz").status == 200
    daemon.apply()
    assert daemon.get("/current").status == 200
    assert "database" in daemon.get("/readyz?verbose").text


def test_callers_at_the_same_time_share_one_run(serve, drizzle, database,
                                                gate):
    folder = drizzle([("0000_slow", gate.sql),
                      ("0001_a", "CREATE TABLE a (id int);")])
    daemon = serve(folder)
    with concurrent.futures.ThreadPoolExecutor(20) as pool, gate:
        asked = [pool.submit(daemon.apply) for _ in range(20)]
        wait_until(lambda: daemon.status()["run"]["callers"] == 20)
        gate.open()
        answers = [one.result() for one in asked]
    assert {a.status for a in answers} == {200}, answers
    runs = {a.json()["id"] for a in answers}
    assert len(runs) == 1
    assert sum(a.json()["joined"] is False for a in answers) == 1
    assert len(database.drizzle_rows()) == 2


def test_respond_async(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql)]))
    got = daemon.apply(Prefer="respond-async")
    assert got.status == 202, repr(got)
    assert int(got.headers["Retry-After"]) >= 1
    assert "respond-async" in got.headers["Preference-Applied"]
    location = got.headers["Location"]
    assert "/runs/" in location
    run = daemon.get(location).json()
    assert run["id"] in location
    assert run["outcome"] is None, "does not wait for the end"
    gate.open()
    wait_until(
        lambda: daemon.get(location).json()["outcome"] == "succeeded")


def test_a_run_in_progress_is_seen(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql),
                            ("0001_b", "CREATE TABLE b (id int);")]))
    assert daemon.apply(Prefer="respond-async").status == 202

    def running():
        status = daemon.status()
        return (status["run"] is not None and status["lock"]["held"]
                and status["counts"]["running"] == 1)
    wait_until(running)
    assert daemon.states()["0000_slow"] == "running"
    gate.open()
    daemon.wait_verdict("current")
    wait_until(lambda: daemon.status()["run"] is None, what="the run is over")


BROKEN = ("CREATE TABLE ok (id int);\n"
          "-- next line is wrong\n"
          "ALTER TABLE ok ADD COLUMN x nosuchtype;\n")


def test_failure_is_a_problem_document(serve, drizzle, database):
    daemon = serve(drizzle([("0000_first", "CREATE TABLE first (id int);"),
                            ("0001_bad", BROKEN),
                            ("0002_later", "CREATE TABLE later (id int);")]))
    got = daemon.apply()
    problem = got.problem(422, "SQL_ERROR")
    assert problem["sqlstate"] == "42704"
    assert problem["migration"] == "0001_bad"
    assert problem["statement"]["line"] == 3
    assert problem["statement"]["column"] == 29
    assert "nosuchtype" in problem["detail"]
    assert "0001_bad.sql:3" in problem["detail"]
    assert problem["retryable"] is False
    assert problem["run_id"]
    assert "Retry-After" not in got.headers

    # one transaction for each migration: what came before stays
    assert database.has_table("first")
    assert not database.has_table("ok")
    assert not database.has_table("later")
    assert len(database.drizzle_rows()) == 1
    status = daemon.status()
    assert status["verdict"] == "failed"
    assert daemon.states() == {"0000_first": "applied", "0001_bad": "failed",
                               "0002_later": "pending"}
    run = daemon.get(f"/runs/{problem['run_id']}").json()
    assert run["outcome"] == "failed"
    assert run["error"]["sqlstate"] == "42704"
    assert applied_ids(run) == ["0000_first"]
    assert daemon.get("/current").status == 503


@pytest.mark.parametrize("sql, sqlstate, category, line, column", [
    ("CRATE TABLE x (id int);", "42601", "SQL_SYNTAX_ERROR", 1, 1),
    ("CREATE TABLE x (id int);\nCREATE TABLE y (id int", "42601",
     "SQL_SYNTAX_ERROR", 2, None),
    ("SELECT 1;\n\n  SELECT 1/0;", "22012", "SQL_ERROR", None, None),
    ("SELECT 'ä', 'ö', nix;", "42703", "SQL_ERROR", 1, 18),
    (f"SELECT 1;\n{BREAKPOINT}\nSELECT nix;", "42703", "SQL_ERROR", 3, 8),
    ("DO $$ BEGIN EXECUTE 'VACUUM'; END $$;", "25001", None, None, None),
    ("SET ROLE nobody_at_all;", "22023", None, None, None),
    ("SET LOCAL statement_timeout = 50; SELECT pg_sleep(5);", "57014",
     "STATEMENT_TIMEOUT", None, None),
    ("COPY pg_catalog.nowhere FROM stdin;", "42P01", None, None, None),
])
def test_what_failed_and_where(serve, drizzle, database, sql, sqlstate,
                               category, line, column):
    daemon = serve(drizzle([("0000_bad", sql)]))
    problem = daemon.apply(timeout=20).problem(422, category)
    assert problem["sqlstate"] == sqlstate, problem
    assert problem["migration"] == "0000_bad"
    if line is not None:
        assert problem["statement"]["line"] == line, problem
    if column is not None:
        assert problem["statement"]["column"] == column, problem
    assert database.drizzle_rows() == []


def test_copy_from_stdin_reads_the_lines_behind_it(serve, drizzle, database):
    daemon = serve(drizzle([
        ("0000_a", "CREATE TABLE a (id int);"),
        ("0001_copy", "COPY a FROM stdin;\n1\n2\n\\.\n")]))
    assert daemon.apply(timeout=20).status == 200
    assert database.query("SELECT id FROM a ORDER BY id") == [(1,), (2,)]
    assert len(database.drizzle_rows()) == 2


def test_copy_to_stdout_is_read_and_dropped(serve, drizzle):
    daemon = serve(drizzle([("0000_copy",
                             "COPY (SELECT generate_series(1, 20000))"
                             " TO stdout;")]))
    assert daemon.apply(timeout=20).status == 200


def curl(*args):
    return subprocess.run(["curl", "-sS", *args], capture_output=True,
                          text=True, timeout=60, check=False)


def test_curl_as_an_init_container_uses_it(serve, drizzle, postgres):
    folder = drizzle([("0000_bad", "SELECT nosuch_column_42;")])
    daemon = serve(folder)
    mark = len(postgres.log())
    done = curl("--fail-with-body", "--retry", "3", "--retry-delay", "1",
                "-X", "POST", daemon.base_url + "/apply")
    assert done.returncode == 22
    assert "nosuch_column_42" in done.stdout
    ran = [line for line in postgres.log()[mark:].splitlines()
           if "SELECT nosuch_column_42" in line and "LOG:" in line]
    assert len(ran) == 1, "curl --retry must not run the file again"

    write(folder / "0000_bad.sql", "SELECT 42;")
    wait_until(lambda: daemon.states()["0000_bad"] == "pending", 10)
    done = curl("--fail-with-body", "--json", "{}", daemon.base_url + "/apply")
    assert done.returncode == 0, done
    assert '"succeeded"' in done.stdout


def test_a_mended_file_is_applied(serve, drizzle, database):
    folder = drizzle([("0000_bad", BROKEN)])
    daemon = serve(folder)
    daemon.apply().problem(422)
    write(folder / "0000_bad.sql", "CREATE TABLE ok (id int, x text);")

    def mended():
        return daemon.apply().status == 200
    wait_until(mended, 10)
    assert database.has_table("ok")
    assert daemon.verdict() == "current"


def test_apply_up_to_a_target(serve, drizzle, database):
    daemon = serve(drizzle(tables(4)))
    run = daemon.apply(json={"target": "0001_t1"}).json()
    assert applied_ids(run) == ["0000_t0", "0001_t1"]
    assert daemon.status()["pending"] == ["0002_t2", "0003_t3"]
    daemon.apply(json={"target": "0009_nix"}).problem(404,
                                                      "RESOURCE_NOT_FOUND")
    assert applied_ids(daemon.apply(json={}).json()) == ["0002_t2", "0003_t3"]
