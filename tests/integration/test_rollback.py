# SPDX-License-Identifier: PostgreSQL
"""POST /rollback: what is newer than some point is undone by what the files say of
the way back, newest first, and the row goes in the same transaction."""

import pytest

from harness.folder import write
from harness.wait import wait_until


def table(name, back=True, extra=""):
    """A file that makes a table, with the way back in its comments."""
    text = f"CREATE TABLE {name} (id int);\n{extra}"
    if back:
        text += f"\n-- ROLLBACK SQL\n-- DROP TABLE {name};\n"
    return text


FILES = {"0001_a.sql": table("a", back=False), "0002_b.sql": table("b"),
         "0003_c.sql": "CREATE TABLE c (id int);\n",
         "0003_c.down.sql": "DROP TABLE c;\n",
         "0004_d.sql": table("d")}


@pytest.fixture
def ready(serve, sequence):
    """A daemon that has applied the files, and lets them be undone."""
    def start(files=FILES, *args, **kwargs):
        folder = sequence(dict(files))
        daemon = serve(folder, "--rollback", *args, **kwargs)
        assert daemon.apply().status == 200
        daemon.folder = folder
        return daemon
    return start


def rollback(daemon, **body):
    return daemon.post("/rollback", json=body)


def rows(database):
    return [r[0] for r in database.query(
        "SELECT version FROM public.schema_migrations ORDER BY version")]


def undone(answer):
    assert answer.status == 200, repr(answer)
    document = answer.json()
    assert document["operation"] == "rollback"
    assert document["applied"] == []
    return [m["id"] for m in document["rolled_back"]]


# -- what is undone --------------------------------------------------------------

@pytest.mark.parametrize("body, ids", [
    ({"to": "0001_a"}, ["0004_d", "0003_c", "0002_b"]),
    ({"to": "0003"}, ["0004_d"]),
    ({"to": "0004_d"}, []),
    ({"steps": 2}, ["0004_d", "0003_c"]),
    ({"migration": "0004_d.sql"}, ["0004_d"]),
], ids=str)
def test_newest_first(ready, database, body, ids):
    daemon = ready()
    assert undone(rollback(daemon, **body)) == ids
    left = [f"000{n}" for n in range(1, 5 - len(ids))]
    assert rows(database) == left
    assert [database.has_table(t) for t in "abcd"] == \
        [f"000{n}" in left for n in range(1, 5)]
    states = daemon.states()
    assert {i for i, s in states.items() if s == "pending"} == set(ids)

    got = daemon.apply()
    assert [m["id"] for m in got.json()["applied"]] == ids[::-1]
    assert rows(database) == ["0001", "0002", "0003", "0004"]


def test_all_takes_the_word(ready, database):
    daemon = ready({k: v for k, v in FILES.items() if "_a" not in k})
    assert undone(rollback(daemon, all=True)) == ["0004_d", "0003_c", "0002_b"]
    assert rows(database) == []


def test_the_run_says_what_was_asked(ready, database):
    daemon = ready()
    run = rollback(daemon, steps=1, reason="release 7 is withdrawn").json()
    assert (run["steps"], run["to"], run["up_to"]) == (1, None, None)
    got = daemon.get(f"/runs/{run['id']}").json()
    assert got["reason"] == "release 7 is withdrawn"
    assert got["requested_by"].startswith("http ")
    text = daemon.get(f"/runs/{run['id']}?format=text").text
    assert "undone    0004_d" in text and "release 7 is withdrawn" in text
    assert database.query("SELECT operation, outcome FROM migrationd.runs "
                          "ORDER BY id DESC LIMIT 1") == [
                              ("rollback", "succeeded")]
    assert 'operation="rollback"' in daemon.get("/metrics").text


def test_a_dry_run_only_shows(ready, database):
    daemon = ready()
    got = rollback(daemon, to="0002_b", dry_run=True).json()
    assert got["operation"] == "rollback" and got["refused"] is None
    assert [(s["id"], s["file"]) for s in got["steps"]] == [
        ("0004_d", "0004_d.sql"), ("0003_c", "0003_c.down.sql")]
    assert len(rows(database)) == 4
    text = daemon.post("/rollback?format=text",
                       json={"to": "0001", "dry_run": True}).text
    assert text.endswith("3 to undo\n")


def test_one_transaction_for_all(ready, database):
    files = {**FILES, "0003_c.down.sql": "DROP TABLE c; SELECT nothing();\n"}
    daemon = ready(files, "--transaction", "run")
    got = rollback(daemon, to="0002_b").problem(422, "SQL_ERROR")
    assert got["migration"] == "0003_c" and got["file"] == "0003_c.down.sql"
    assert rows(database) == ["0001", "0002", "0003", "0004"]
    assert database.has_table("d")


# -- what is not -----------------------------------------------------------------

def test_off_unless_switched_on(serve, sequence, database):
    daemon = serve(sequence(dict(FILES)))
    daemon.apply()
    got = rollback(daemon, steps=1).problem(403, "CONFIGURATION")
    assert "rollback is off" in got["detail"]
    assert "set rollback = on" in got["hint"]
    assert rollback(daemon, steps=1, dry_run=True).status == 200
    assert len(rows(database)) == 4


@pytest.mark.parametrize("body", [
    {}, {"to": "0001", "steps": 1}, {"all": False}, {"steps": 0},
    {"steps": "1"}, {"to": None}, {"steps": 1, "reason": ""},
    {"step": 1}], ids=str)
def test_what_is_not_clear_is_not_done(ready, database, body):
    daemon = ready()
    rollback(daemon, **body).problem(400, "CONFIGURATION")
    assert len(rows(database)) == 4


def refused(daemon, database, category, *words, status=409, **body):
    before = rows(database)
    got = rollback(daemon, **body).problem(status, category)
    for word in words:
        assert word in got["detail"] + got.get("hint", ""), got
    assert rows(database) == before
    return got


def test_without_a_way_back(ready, database):
    daemon = ready()
    refused(daemon, database, "RESOURCE_NOT_FOUND",
            "1 migration to undo is without a way back: 0001_a",
            "ROLLBACK SQL", all=True)


def test_unknown(ready, database):
    refused(ready(), database, "RESOURCE_NOT_FOUND", "0009_x", status=404,
            to="0009_x")


def test_not_the_newest(ready, database):
    refused(ready(), database, "CONFIGURATION",
            "0002_b is not the newest", "0003_c, 0004_d", migration="0002_b")


def test_not_applied(ready, database):
    daemon = ready()
    undone(rollback(daemon, steps=1))
    refused(daemon, database, "CONFIGURATION", "0004_d is not applied",
            migration="0004_d")


def test_more_steps_than_there_are(ready, database):
    refused(ready(), database, "CONFIGURATION", "migrations to undo: 4, not 5", '{"all": true}',
            steps=5)


def test_baseline(serve, sequence, database):
    daemon = serve(sequence(dict(FILES)), "--rollback")
    assert daemon.post("/baseline", json={"all": True}).status == 200
    refused(daemon, database, "CONFIGURATION",
            "recorded by a baseline, and never run here: 0003_c, 0004_d",
            "pending", to="0002_b")


def test_missing(ready, database):
    daemon = ready()
    database.execute("INSERT INTO public.schema_migrations (version, name)"
                     " VALUES ('0007', 'gone')")
    refused(daemon, database, "RESOURCE_NOT_FOUND", "gone", "forget",
            steps=1)


def test_a_template_that_nobody_filled_in(serve, sequence, database):
    files = {"0001_a.sql": "CREATE TABLE a (id int);\n-- ROLLBACK SQL\n"
                           "-- write the way back here\n"}
    daemon = serve(sequence(files), "--rollback")
    assert daemon.apply().status == 200
    got = rollback(daemon, all=True).problem()
    assert got["status"] in (409, 422) and got["file"] == "0001_a.sql", got
    assert rows(database) == ["0001"]


# -- failure ---------------------------------------------------------------------

def test_a_way_back_that_fails(ready, database):
    files = {**FILES, "0003_c.down.sql": "DROP TABLE c;\nDROP TABLE ghost;\n"}
    daemon = ready(files)
    got = rollback(daemon, to="0001_a").problem(422, "SQL_ERROR")
    assert (got["file"], got["statement"]["line"]) == ("0003_c.down.sql", 2)
    assert [m["id"] for m in got["rolled_back"]] == ["0004_d"]
    # what is undone stays so, what failed is applied as before
    assert rows(database) == ["0001", "0002", "0003"]
    assert database.has_table("c")
    assert daemon.states()["0003_c"] == "applied"

    write(daemon.folder / "0003_c.down.sql", "DROP TABLE c;\n")
    assert undone(rollback(daemon, to="0001_a")) == ["0003_c", "0002_b"]


def test_in_segments(ready, database):
    back = "\n-- ROLLBACK SQL\n-- DROP INDEX CONCURRENTLY i;\n-- DROP TABLE t;\n"
    daemon = ready({"0001_t.sql": "CREATE TABLE t (id int);\n"
                                  "CREATE INDEX CONCURRENTLY i ON t (id);\n"
                                  + back})
    assert undone(rollback(daemon, all=True)) == ["0001_t"]
    assert rows(database) == [] and not database.has_table("t")
    assert database.query("SELECT * FROM migrationd.statements") == []
    assert daemon.apply().status == 200
    assert rows(database) == ["0001"]


def test_segments_go_on_where_they_stopped(ready, database):
    """And what is noted of the way back is not taken for the way there."""
    daemon = ready({"0001_t.sql": "CREATE TABLE t (id int);\n"
                                  "CREATE INDEX CONCURRENTLY i ON t (id);\n",
                    "0001_t.down.sql": "DROP INDEX CONCURRENTLY i;\n"
                                       "SELECT 1 / count(*) FROM t;\n"
                                       "DROP TABLE t;\n"})
    got = rollback(daemon, all=True).problem(422)
    assert "POST /rollback goes on there" in got["hint"]
    assert database.query("SELECT version, number FROM migrationd.statements"
                          ) == [("0001/down", 1)]
    assert daemon.apply().json()["applied"] == []
    assert rows(database) == ["0001"]

    database.execute("INSERT INTO t VALUES (1)")
    assert undone(rollback(daemon, all=True)) == ["0001_t"]
    assert not database.has_table("t") and rows(database) == []
    assert database.query("SELECT * FROM migrationd.statements") == []


def test_the_row_is_somebody_elses(ready, database):
    daemon = ready({"0001_a.sql": "CREATE TABLE a (id int);\n-- ROLLBACK SQL\n"
                    "-- DELETE FROM public.schema_migrations;\n"
                    "-- DROP TABLE a;\n"})
    got = rollback(daemon, all=True).problem(422)
    assert "nothing of this is kept" in got["detail"]
    assert rows(database) == ["0001"] and database.has_table("a")


# -- afterwards ------------------------------------------------------------------

QUICK = {"settle": "50ms", "rescan_interval": "1s", "refresh_interval": "1s"}


def test_it_is_not_applied_again_by_itself(ready, database, serve):
    daemon = ready(FILES, "--apply-on-start", "--apply-on-change",
                   options=QUICK)
    assert undone(rollback(daemon, steps=1)) == ["0004_d"]
    write(daemon.folder / "0005_e.sql", table("e"))
    wait_until(lambda: "not applied: a migration was rolled back"
               in daemon.stderr(), 10)
    assert "0004_d was rolled back" in daemon.status()["advice"]
    daemon.stop()

    # nor by one that is started since
    again = serve(daemon.folder, "--apply-on-start", "--apply-on-change",
                  options=QUICK)
    wait_until(lambda: "not applied: a migration was rolled back"
               in again.stderr(), 10)
    assert not database.has_table("d") and not database.has_table("e")

    write(daemon.folder / "0004_d.sql", table("d2"))
    again.wait_verdict("current")
    assert database.has_table("d2") and database.has_table("e")


def test_a_person_may_apply_it_again(ready, database):
    daemon = ready(FILES, "--apply-on-change", options=QUICK)
    undone(rollback(daemon, steps=1))
    assert daemon.apply().status == 200
    assert rows(database) == ["0001", "0002", "0003", "0004"]
    write(daemon.folder / "0005_e.sql", table("e"))
    daemon.wait_verdict("current")
    wait_until(lambda: database.has_table("e"), 10)


@pytest.mark.parametrize("kind, query", [
    ("migration_log", "SELECT description FROM public.migration_log"),
], ids=lambda k: k.split()[0])
def test_other_tracking_tables(ready, database, kind, query):
    daemon = ready(FILES, "--tracking", kind)
    assert undone(rollback(daemon, to="0002_b")) == ["0004_d", "0003_c"]
    assert sorted(r[0] for r in database.query(query)) == [
        "0001_a.sql", "0002_b.sql"]
    assert daemon.apply().status == 200
    assert len(database.query(query)) == 4


# -- the folders of other tools ----------------------------------------------------

UP = "CREATE TABLE {0} (id int);\n"
DOWN = "DROP TABLE {0};\n"
OTHERS = {
    "golang-migrate": lambda n, t: {
        f"{n}_{t}.up.sql": UP.format(t), f"{n}_{t}.down.sql": DOWN.format(t)},
    "goose": lambda n, t: {
        f"0000{n}_{t}.sql": "-- +goose Up\n" + UP.format(t) +
                            "-- +goose Down\n" + DOWN.format(t)},
    "dbmate": lambda n, t: {
        f"2024010100000{n}_{t}.sql": "-- migrate:up\n" + UP.format(t) +
                                     "-- migrate:down\n" + DOWN.format(t)},
    "sqlx": lambda n, t: {
        f"{n}_{t}.up.sql": UP.format(t), f"{n}_{t}.down.sql": DOWN.format(t)},
}


@pytest.mark.parametrize("layout", OTHERS)
def test_what_other_tools_have(ready, database, layout):
    files = {}
    for number, name in enumerate("abc", 1):
        files.update(OTHERS[layout](number, name))
    daemon = ready(files, "--layout", layout)
    assert [database.has_table(t) for t in "abc"] == [True] * 3
    assert len(undone(rollback(daemon, steps=2))) == 2
    assert [database.has_table(t) for t in "abc"] == [True, False, False]
    assert list(daemon.states().values()) == ["applied", "pending", "pending"]
    assert len(undone(rollback(daemon, all=True))) == 1
    assert len(daemon.apply().json()["applied"]) == 3
    assert daemon.status()["verdict"] == "current"


# -- drizzle 0.x -------------------------------------------------------------------

def test_a_drizzle_folder_goes_back_by_its_comments(serve, drizzle, database):
    daemon = serve(drizzle([
        ("0000_a", "CREATE TABLE a (id int);"),
        ("0001_b", "CREATE TABLE b (id int);--> statement-breakpoint\n"
                   "CREATE INDEX bi ON b (id);\n\n"
                   "-- ====\n-- ROLLBACK SQL (by hand)\n-- ====\n"
                   "-- DROP INDEX bi;\n-- DROP TABLE b;\n"),
    ]), "--rollback")
    assert daemon.apply().status == 200
    assert undone(rollback(daemon, to="0000_a")) == ["0001_b"]
    assert not database.has_table("b")
    assert database.value(
        "SELECT count(*) FROM drizzle.__drizzle_migrations") == 1
    # and it comes again, as drizzle-orm would have it
    assert daemon.apply().status == 200
    assert database.has_table("b")
