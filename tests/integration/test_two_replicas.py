# SPDX-License-Identifier: PostgreSQL
"""Two daemons on one folder and one table: what a person does at one of them, and what
became of it, the other says too. Whoever is woken asks either."""

import pytest

from harness.daemon import runs_of
from harness.folder import drizzle_add
from harness.wait import wait_until

A, B = "0000_a", "0001_b"
TABLE = "CREATE TABLE {0} (id int);"
BROKEN = "INSERT INTO nowhere VALUES (1);"
ONCE_ONLY = ("CREATE TABLE n (id int);\n"
             "DO $$ BEGIN INSERT INTO n VALUES (1); COMMIT;"
             " PERFORM 1/0; END $$;\n")
QUICK = {"settle": "50ms", "rescan_interval": "1s", "refresh_interval": "1s",
         "rollback": True}


@pytest.fixture
def pair(serve, drizzle, sequence):
    """pair(sql of B) -> two daemons on one folder; A was applied by the first, so there
    is a journal that both have read. With a way back it is a folder of another layout."""
    def start(sql, *args, down=None):
        folder = drizzle([(A, TABLE.format("a")), (B, sql)]) if down is None \
            else sequence({f"{A}.sql": TABLE.format("a"), f"{B}.sql": sql,
                           f"{B}.down.sql": down})
        daemons = [serve(folder, *args, options=QUICK) for _ in range(2)]
        assert daemons[0].apply(json={"target": A}).status == 200
        for daemon in daemons:
            daemon.folder = folder
        agree(daemons, "pending", ["succeeded"])
        return daemons
    return start


def told(daemon):
    status = daemon.status()
    runs = [(r["id"], r["operation"], r["outcome"])
            for r in runs_of(daemon.get("/runs"))]
    return {"verdict": status["verdict"], "sentence": status["sentence"],
            "advice": status["advice"], "requests": status["requests"],
            "last_run": (status["last_run"] or {}).get("id"), "runs": runs,
            "states": dict(daemon.states())}


def agree(daemons, verdict, outcomes):
    """Both say that: how the runs ended, the newest first. -> what is said"""
    def there():
        views = [told(daemon) for daemon in daemons]
        assert views[0] == views[1]
        assert views[0]["verdict"] == verdict, views[0]
        assert [r[2] for r in views[0]["runs"]] == outcomes, views[0]
        return views[0]
    return wait_until(there, 15)


def test_what_one_failed_at(pair, database):
    first, second = pair(BROKEN)
    first.apply().problem(422, "SQL_ERROR")
    said = agree((first, second), "failed", ["failed", "succeeded"])
    assert said["states"] == {A: "applied", B: "failed"}
    assert "mend 0001_b.sql, then POST /apply" in said["advice"]
    run = second.get(f"/runs/{said['last_run']}").json()
    assert run["error"]["sqlstate"] == "42P01"

    # a person who asks the other tries it again, and that is told to the first
    second.apply().problem(422, "SQL_ERROR")
    agree((first, second), "failed", ["failed", "failed", "succeeded"])

    # what a person decided at one of them
    assert first.post("/repair", json={"migration": B, "action": "applied"}
                      ).status == 200
    said = agree((first, second), "current",
                 ["succeeded", "failed", "failed", "succeeded"])
    assert said["states"][B] == "baseline"
    assert second.post("/repair", json={"migration": B, "action": "pending"}
                       ).status == 200
    said = agree((first, second), "pending", ["succeeded"] * 2
                 + ["failed", "failed", "succeeded"])
    assert said["states"][B] == "pending", "not failed: that was settled"


def test_what_another_has_in_the_file_hides_nothing(serve, drizzle, database):
    """As two images do in a deployment: each fails with its own text."""
    ours = [serve(drizzle([(B, sql)], name), options=QUICK)
            for name, sql in (("old", "SELECT 1/0;"), ("new", BROKEN))]
    for daemon in ours:
        assert daemon.apply().status == 422
    wait_until(lambda: len(runs_of(ours[0].get("/runs"))) == 2, 15)
    for daemon in ours:
        assert daemon.wait_verdict("failed")["counts"]["failed"] == 1
    assert "division by zero" in ours[0].status()["sentence"]


def test_what_one_was_not_let_finish(pair, database):
    first, second = pair("SELECT pg_sleep(600);")
    run = first.apply(Prefer="respond-async").json()["id"]
    wait_until(lambda: second.status()["lock"]["held"], 15)
    wait_until(lambda: (first.status()["run"] or {}).get("current") == B, 15)
    assert first.post(f"/runs/{run}/cancel", json={"mode": "now"}).status == 202
    said = agree((first, second), "pending", ["cancelled", "succeeded"])
    assert "the last run was cancelled" in said["advice"]


def test_what_one_left_in_doubt(pair, database):
    first, second = pair(ONCE_ONLY)
    first.apply().problem(422)
    first.apply().problem(409)
    said = agree((first, second), "in_doubt", ["refused", "failed", "succeeded"])
    assert said["states"][B] == "in_doubt"
    second.apply().problem(409)
    said = agree((first, second), "in_doubt",
                 ["refused", "refused", "failed", "succeeded"])
    request = said["requests"][0]
    assert second.post(request["path"], json=request["body"]).status == 200
    said = agree((first, second), "pending",
                 ["succeeded", "refused", "refused", "failed", "succeeded"])
    assert first.apply().status == 200
    agree((first, second), "current", ["succeeded"] * 2
          + ["refused", "refused", "failed", "succeeded"])
    assert database.value("SELECT count(*) FROM n") == 1


def test_what_one_baselined_and_rolled_back(pair, database):
    first, second = pair(TABLE.format("b"), down="DROP TABLE b;")
    database.execute("CREATE TABLE b (id int)")
    assert first.post("/baseline", json={"target": B, "force": True}).status == 200
    said = agree((first, second), "current", ["succeeded"] * 2)
    assert said["states"] == {A: "applied", B: "baseline"}
    assert second.post("/repair", json={"migration": B, "action": "pending"}
                       ).status == 200
    database.execute("DROP TABLE b")
    assert second.apply().status == 200
    agree((first, second), "current", ["succeeded"] * 4)
    assert first.post("/rollback", json={"steps": 1}).status == 200
    said = agree((first, second), "pending", ["succeeded"] * 5)
    assert "0001_b was rolled back" in said["advice"]


def test_what_failed_for_one_is_not_tried_by_the_other(pair, postgres):
    """Although the folder changes, and both apply what they see."""
    first, second = pair(BROKEN, "--apply-on-change")
    before = len(postgres.log())
    first.apply().problem(422)
    agree((first, second), "failed", ["failed", "succeeded"])
    drizzle_add(second.folder, "0002_c", TABLE.format("c"))
    for daemon in (first, second):
        wait_until(lambda d=daemon: "not applied: a migration failed"
                   in d.stderr(), 15)
    assert postgres.log_count(f"statement: {BROKEN}", after=before) == 1
