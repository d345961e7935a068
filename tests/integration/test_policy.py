# SPDX-License-Identifier: PostgreSQL
"""What the policies change, and baseline."""

from harness.daemon import applied_ids
from harness.folder import drizzle_add, drizzle_folder, journal, tables, write
from harness.wait import wait_until

def test_transaction_run_is_all_or_nothing(serve, drizzle, database):
    daemon = serve(drizzle([("0000_a", "CREATE TABLE a (id int);"),
                            ("0001_bad", "SELECT 1/0;")]),
                   options={"transaction": "run"})
    problem = daemon.apply().problem(422, "SQL_ERROR")
    assert not database.has_table("a")
    assert database.drizzle_rows() == []
    run = daemon.get(f"/runs/{problem['run_id']}").json()
    assert run["applied"] == [], "what was rolled back was not applied"
    assert daemon.states() == {"0000_a": "pending", "0001_bad": "failed"}


def test_transaction_run_succeeds(serve, sample, database):
    daemon = serve(sample, options={"transaction": "run"})
    assert len(applied_ids(daemon.apply().json())) == 7
    assert database.value(
        "SELECT count(DISTINCT xmin::text) FROM"
        " drizzle.__drizzle_migrations") == 1


def out_of_order_folder(drizzle, serve, database, **kwargs):
    """Two applied, then an older one is merged between them."""
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);", 1000),
                      ("0002_c", "CREATE TABLE c (id int);", 3000)])
    daemon = serve(folder, **kwargs)
    assert daemon.apply().status == 200
    write(folder / "0001_b.sql", "CREATE TABLE b (id int);")
    write(folder / "meta/_journal.json", journal(
        [("0000_a", 1000), ("0001_b", 2000), ("0002_c", 3000)]))
    wait_until(lambda: "0001_b" in daemon.states(), 10)
    return folder, daemon


def test_out_of_order_is_refused(serve, drizzle, database):
    _, daemon = out_of_order_folder(drizzle, serve, database)
    assert daemon.states()["0001_b"] == "out_of_order"
    status = daemon.status()
    assert status["verdict"] == "refused"
    assert status["counts"]["out_of_order"] == 1
    got = daemon.apply()
    problem = got.problem(409, "OUT_OF_ORDER")
    assert "0001_b" in got.text
    assert problem["hint"], "what to do about it"
    assert not database.has_table("b")
    assert daemon.get("/current").status == 503


def test_out_of_order_applied_on_request(serve, drizzle, database):
    _, daemon = out_of_order_folder(drizzle, serve, database,
                                    options={"out_of_order": "apply"})
    assert applied_ids(daemon.apply().json()) == ["0001_b"]
    assert database.has_table("b")
    assert [r[1] for r in database.drizzle_rows()] == [1000, 3000, 2000]
    assert daemon.verdict() == "current"


def test_out_of_order_skipped_as_drizzle_does(serve, drizzle, database):
    folder, daemon = out_of_order_folder(drizzle, serve, database,
                                         options={"out_of_order": "skip"})
    assert daemon.apply().json()["applied"] == []
    assert not database.has_table("b")
    drizzle_add(folder, "0003_d", "CREATE TABLE d (id int);")
    wait_until(lambda: "0003_d" in daemon.states(), 10)
    assert applied_ids(daemon.apply().json()) == ["0003_d"]
    assert not database.has_table("b")


def test_modified_is_a_warning(serve, drizzle, database):
    folder = drizzle(tables(2))
    daemon = serve(folder)
    daemon.apply()
    write(folder / "0000_t0.sql", "CREATE TABLE t0 (id bigint);")
    wait_until(lambda: daemon.states()["0000_t0"] == "modified", 10)
    status = daemon.status()
    assert status["verdict"] == "drift"
    assert status["counts"]["modified"] == 1
    drizzle_add(folder, "0002_t2", "CREATE TABLE t2 (id int);")
    wait_until(lambda: "0002_t2" in daemon.states(), 10)
    assert applied_ids(daemon.apply().json()) == ["0002_t2"]
    assert database.value("SELECT data_type FROM information_schema.columns"
                          " WHERE table_name = 't0'") == "integer"


def test_modified_can_be_refused(serve, drizzle, database):
    folder = drizzle(tables(2))
    daemon = serve(folder, options={"on_modified": "refuse"})
    daemon.apply()
    write(folder / "0000_t0.sql", "CREATE TABLE t0 (id bigint);")
    drizzle_add(folder, "0002_t2", "CREATE TABLE t2 (id int);")
    wait_until(lambda: daemon.states().get("0002_t2"), 10)
    got = daemon.apply()
    got.problem(409, "CHECKSUM_MISMATCH")
    assert "0000_t0" in got.text
    assert not database.has_table("t2")


def test_a_row_without_a_file_is_missing(serve, drizzle, database):
    folder = drizzle(tables(3))
    daemon = serve(folder)
    daemon.apply()
    drizzle_folder(folder, tables(2))
    (folder / "0002_t2.sql").unlink()
    wait_until(lambda: daemon.status()["counts"]["missing"] == 1, 10)


def test_a_file_beside_the_journal_is_unregistered(serve, drizzle, database):
    folder = drizzle(tables(1))
    write(folder / "0001_forgotten.sql", "CREATE TABLE forgotten (id int);")
    daemon = serve(folder)
    assert daemon.apply().status == 200
    assert not database.has_table("forgotten")
    assert daemon.status()["counts"]["unregistered"] == 1
    assert "0001_forgotten" in daemon.get("/migrations").text


# -- baseline -----------------------------------------------------------------

def test_baseline_of_everything(serve, sample, database):
    daemon = serve(sample)
    got = daemon.post("/baseline", json={"all": True})
    assert got.status == 200, repr(got)
    assert got.json()["operation"] == "baseline"
    assert got.json()["outcome"] == "succeeded"
    assert database.tables() == ["drizzle.__drizzle_migrations"]
    assert len(database.drizzle_rows()) == 7
    assert set(daemon.states().values()) <= {"baseline", "applied"}
    assert daemon.verdict() == "current"
    assert daemon.apply().json()["applied"] == []


def test_baseline_up_to_one(serve, drizzle, database):
    daemon = serve(drizzle(tables(4)))
    assert daemon.post("/baseline",
                       json={"version": "0001_t1"}).status == 200
    assert daemon.status()["pending"] == ["0002_t2", "0003_t3"]
    assert len(database.drizzle_rows()) == 2
    assert applied_ids(daemon.apply().json()) == ["0002_t2", "0003_t3"]
    assert not database.has_table("t0")
    assert database.has_table("t3")


def test_baseline_is_refused_over_a_history(serve, drizzle, database):
    daemon = serve(drizzle(tables(4)))
    daemon.apply(json={"target": "0001_t1"})
    rows = database.drizzle_rows()
    got = daemon.post("/baseline", json={"all": True})
    got.problem(409)
    assert "force" in got.text, "the way on is named"
    assert database.drizzle_rows() == rows
    got = daemon.post("/baseline", json={"all": True, "force": True})
    assert got.status == 200, repr(got)
    assert len(database.drizzle_rows()) == 4
    assert database.drizzle_rows()[:2] == rows
    assert not database.has_table("t3")


def test_baseline_of_an_unknown_version(serve, drizzle, database):
    daemon = serve(drizzle(tables(2)))
    daemon.post("/baseline", json={"version": "7777_x"}).problem(
        404, "RESOURCE_NOT_FOUND")
    assert daemon.status()["pending"] == ["0000_t0", "0001_t1"]


def test_baseline_of_everything_has_to_be_said(serve, drizzle, database):
    daemon = serve(drizzle(tables(2)))
    for body in (None, {}):
        got = daemon.post("/baseline", json=body)
        got.problem(400, "CONFIGURATION")
        assert "all" in got.text
    status = daemon.wait_verdict("pending")
    assert status["pending"] == ["0000_t0", "0001_t1"]
