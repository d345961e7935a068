# SPDX-License-Identifier: PostgreSQL
"""POST /repair, where nothing is in doubt: a person sets right what the tracking table
says, one migration at a time, and it is written down who, what and why."""

import hashlib
import json
import shutil

import pytest

from harness.folder import drizzle1_folder, write
from harness.wait import wait_until

A = ("0000_a", "CREATE TABLE a (id int);")
B = ("0001_b", "CREATE TABLE b (id int);")
C = ("0002_c", "CREATE TABLE c (id int);")


def repair(daemon, migration, action, **more):
    return daemon.post("/repair", json={"migration": migration,
                                        "action": action, **more})


def repaired(answer, before, after):
    assert answer.status == 200, repr(answer)
    run = answer.json()
    assert (run["before"], run["after"]) == (before, after), run
    assert run["applied"] == []
    return run


def test_forget_takes_the_row_that_is_named(serve, sequence, database):
    daemon = serve(sequence({"0001_a.sql": "CREATE TABLE a (id int);"}))
    assert daemon.apply().status == 200
    database.execute("INSERT INTO schema_migrations (version, name) VALUES"
                     " ('0005', 'undo'), ('0006', 'undo'), ('0007', 'a')")
    wait_until(lambda: set(daemon.states()) == {"0001_a", "0005", "0006", "a"},
               20)
    repaired(repair(daemon, "0006", "forget"), "missing", "forgotten")
    repaired(repair(daemon, "0007", "forget"), "missing", "forgotten")
    assert [row[0] for row in database.query(
        "SELECT version FROM schema_migrations ORDER BY 1")] == ["0001",
                                                                 "0005"]


def hashes(database):
    return [r[0] for r in database.query(
        "SELECT hash FROM drizzle.__drizzle_migrations ORDER BY id")]


def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_applied_records_one_alone(serve, drizzle, database):
    daemon = serve(drizzle([A, B, C]))
    database.execute("CREATE TABLE b (id int)")
    run = repaired(repair(daemon, "0001_b", "applied",
                          reason="made by hand on Monday"),
                   "pending", "baseline")
    assert hashes(database) == [sha(B[1])]
    assert daemon.states() == {"0000_a": "out_of_order",
                               "0001_b": "baseline", "0002_c": "pending"}
    got = daemon.get(f"/runs/{run['id']}").json()
    assert got["reason"] == "made by hand on Monday"
    noted = database.query("SELECT operation, requested_by, migrations"
                           " FROM migrationd.runs")
    assert noted[0][:2] == ("repair", "http 127.0.0.1")
    note = noted[0][2]
    note = json.loads(note) if isinstance(note, str) else note
    assert note == [{"id": "0001_b", "version": note[0]["version"],
                     "action": "applied", "baseline": True,
                     "checksum": sha(B[1]),
                     "reason": "made by hand on Monday"}]
    text = daemon.get(f"/runs/{run['id']}?format=text").text
    assert "after     baseline" in text


def test_a_failed_one_may_be_called_applied(serve, drizzle, database):
    daemon = serve(drizzle([A, ("0001_b", "CREATE TABLE a (id int);")]))
    assert daemon.apply().status == 422
    assert daemon.states()["0001_b"] == "failed"
    assert repair(daemon, "0001_b", "applied").status == 200
    assert daemon.wait_verdict("current")["verdict"] == "current"
    assert len(hashes(database)) == 2


def test_pending_takes_the_row_away(serve, drizzle, database):
    daemon = serve(drizzle([A, B]))
    daemon.apply()
    repaired(repair(daemon, "0001_b", "pending"), "applied", "pending")
    assert hashes(database) == [sha(A[1])]
    assert daemon.states()["0001_b"] == "pending"
    assert database.has_table("b")
    # it is as if it had never run
    assert daemon.apply().problem(422)["sqlstate"] == "42P07"


def test_a_changed_file_is_blessed(serve, drizzle, database):
    folder = drizzle([A, B])
    daemon = serve(folder)
    daemon.apply()
    text = B[1] + "\n-- a word more\n"
    write(folder / "0001_b.sql", text)
    daemon.wait_verdict("drift")
    repaired(repair(daemon, "0001_b", "checksum"), "modified", "applied")
    assert hashes(database) == [sha(A[1]), sha(text)]
    assert daemon.wait_verdict("current")
    got = repair(daemon, "0001_b", "checksum").problem(409, "CONFIGURATION")
    assert "has the checksum that is recorded" in got["detail"]


def test_a_missing_one_is_forgotten(serve, drizzle, database):
    daemon = serve(drizzle([A, B]))
    daemon.apply()
    database.execute("INSERT INTO drizzle.__drizzle_migrations"
                     " (hash, created_at) VALUES ('abc', 5)")
    daemon.get("/status")
    got = repair(daemon, "5", "applied").problem(409)
    assert "has no file" in got["detail"]
    repaired(repair(daemon, "5", "forget"), "missing", "forgotten")
    assert "abc" not in hashes(database) and len(hashes(database)) == 2


def test_the_one_row_of_golang_migrate_is_not_lost(serve, workdir, database):
    """It names a file that is gone: those before it have run all the same."""
    folder = workdir / "folder"
    folder.mkdir()
    for n in (1, 2):
        write(folder / f"{n}_t.up.sql", f"CREATE TABLE t{n} (id int);")
    daemon = serve(folder, "--layout", "golang-migrate")
    assert daemon.apply().status == 200
    database.execute("UPDATE schema_migrations SET version = 9")
    daemon.wait_verdict("drift", "current", "refused")
    wait_until(lambda: daemon.states()["9"] == "missing")
    repaired(repair(daemon, "9", "forget"), "missing", "forgotten")
    assert database.value("SELECT version FROM schema_migrations") == 2
    assert list(daemon.states().values()) == ["applied", "applied"]
    assert daemon.apply().json()["applied"] == []


@pytest.mark.parametrize("migration, action, status, words", [
    ("0000_a", "applied", 409, "recorded already"),
    ("0000_a", "forget", 409, "has a file"),
    ("0000_a", "retry", 409, "nothing of 0000_a is in doubt"),
    ("0001_b", "checksum", 409, "is not recorded"),
    ("0001_b", "pending", 409, "nothing of 0001_b is in doubt"),
    ("0009_x", "forget", 404, "there is no migration"),
])
def test_what_does_not_fit_is_refused(serve, drizzle, database, migration,
                                      action, status, words):
    daemon = serve(drizzle([A, B]))
    daemon.post("/apply", json={"target": "0000_a"})
    got = repair(daemon, migration, action).problem(status)
    assert words in got["detail"]
    assert hashes(database) == [sha(A[1])]


def test_a_checksum_that_nobody_would_keep(serve, sequence):
    daemon = serve(sequence({"0001_a.sql": A[1]}), options={"journal": False})
    assert daemon.apply().status == 200
    got = repair(daemon, "0001", "checksum").problem(409, "CONFIGURATION")
    assert "journal is off" in got["detail"]


def test_a_table_without_checksums(serve, sequence, database):
    """Our journal knows with what it was applied, and so is blessed."""
    folder = sequence({"0001_a.sql": A[1]})
    daemon = serve(folder)
    daemon.apply()
    write(folder / "0001_a.sql", A[1] + "--")
    daemon.wait_verdict("drift")
    repaired(repair(daemon, "0001", "checksum"), "modified", "applied")
    assert daemon.wait_verdict("current")
    repaired(repair(daemon, "0001", "pending"), "applied", "pending")
    assert database.query("SELECT * FROM public.schema_migrations") == []
    repaired(repair(daemon, "0001", "applied"), "pending", "baseline")


def test_a_baseline_by_repair_outlives_the_daemon(serve, drizzle, database):
    folder = drizzle([A])
    daemon = serve(folder)
    repair(daemon, "0000_a", "applied")
    daemon.stop()
    again = serve(folder)
    wait_until(lambda: again.states() == {"0000_a": "baseline"})


def test_a_baseline_can_be_tried_first(serve, drizzle, database):
    daemon = serve(drizzle([A, B, C]))
    daemon.wait_verdict("pending")
    got = daemon.post("/baseline", json={"target": "0001_b", "dry_run": True})
    assert got.status == 200
    assert [s["id"] for s in got.json()["steps"]] == ["0000_a", "0001_b"]
    assert got.json()["operation"] == "baseline"
    assert not database.has_table("drizzle.__drizzle_migrations")
    text = daemon.post("/baseline?format=text",
                       json={"all": True, "dry_run": True}).text
    assert text.endswith("3 to record\n")


# -- the tables of other tools -------------------------------------------------------

SECOND = ("20240102000000_b", "CREATE TABLE b (id int);")


def missing(daemon):
    """The one that is recorded and has no file."""
    return wait_until(lambda: next(
        (id for id, state in daemon.states().items() if state == "missing"),
        None))


def test_a_drizzle1_row_is_taken_back_and_blessed(serve, workdir, database):
    folder = drizzle1_folder(workdir / "drizzle1", [
        ("20240101000000_a", "CREATE TABLE a (id int);"), SECOND])
    daemon = serve(folder)
    assert daemon.apply().status == 200
    repaired(repair(daemon, SECOND[0], "pending"), "applied", "pending")
    names = "SELECT name, hash FROM drizzle.__drizzle_migrations ORDER BY id"
    assert [r[0] for r in database.query(names)] == ["20240101000000_a"]
    database.execute("DROP TABLE b")
    assert daemon.apply().status == 200
    text = "CREATE TABLE b (id integer);"
    write(folder / SECOND[0] / "migration.sql", text)
    wait_until(lambda: daemon.states()[SECOND[0]] == "modified")
    repaired(repair(daemon, SECOND[0], "checksum"), "modified", "applied")
    assert database.query(names)[1] == (SECOND[0], sha(text))
    shutil.rmtree(folder / SECOND[0])
    assert repair(daemon, missing(daemon), "forget").status == 200
    assert [r[0] for r in database.query(names)] == ["20240101000000_a"]


def test_a_diesel_row_is_taken_back_and_its_file_blessed(serve, sequence,
                                                         database):
    folder = sequence({"20240101000000_a/up.sql": A[1],
                       "20240102000000_b/up.sql": B[1]})
    daemon = serve(folder)
    assert daemon.apply().status == 200
    id = "20240102000000_b"
    repaired(repair(daemon, id, "pending"), "applied", "pending")
    versions = "SELECT version FROM __diesel_schema_migrations"
    assert database.query(versions) == [("20240101000000",)]
    database.execute("DROP TABLE b")
    assert daemon.apply().status == 200
    write(folder / id / "up.sql", "CREATE TABLE b (id integer);")
    wait_until(lambda: daemon.states()[id] == "modified")
    repaired(repair(daemon, id, "checksum"), "modified", "applied")
    assert len(database.query(versions)) == 2
    wait_until(lambda: daemon.states()[id] == "applied")
    shutil.rmtree(folder / id)
    assert repair(daemon, missing(daemon), "forget").status == 200
    assert database.query(versions) == [("20240101000000",)]


def test_flyways_rows_stay(serve, sequence, database):
    daemon = serve(sequence({"V1__a.sql": A[1], "V2__b.sql": B[1],
                             "U2__b.sql": "DROP TABLE b;"}), "--rollback")
    assert daemon.apply().status == 200
    [_, id] = daemon.states()
    for answer in (repair(daemon, id, "pending"),
                   daemon.post("/rollback", json={"migration": id})):
        problem = answer.problem(409)
        assert "flyway tracking table" in problem["detail"]
        assert "flyway undo" in problem["hint"]
    assert database.value("SELECT count(*) FROM flyway_schema_history") == 2
    assert database.has_table("b")
