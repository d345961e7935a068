# SPDX-License-Identifier: PostgreSQL
"""Problems of single files that are only told, and what is none."""

from harness.folder import T0, journal, tables, write
from harness.wait import wait_until


def test_an_applied_file_that_went_bad_only_warns(serve, drizzle, database):
    folder = drizzle(tables(2))
    daemon = serve(folder)
    daemon.apply()
    write(folder / "0000_t0.sql", b"SELECT \0")
    write(folder / "0002_t2.sql", "CREATE TABLE t2 (id int);")
    write(folder / "meta/_journal.json", journal(
        [("0000_t0", T0), ("0001_t1", T0 + 60_000), ("0002_t2", T0 + 90_000)]))
    wait_until(lambda: "0002_t2" in daemon.states(), 10)
    assert daemon.apply().status == 200
    assert database.has_table("t2")


def test_many_bad_files_are_all_told(serve, drizzle):
    folder = drizzle(tables(10))
    for index in range(10):
        (folder / f"{index:04d}_t{index}.sql").write_bytes(b"\xff")
    daemon = serve(folder)
    daemon.wait_verdict("invalid")
    text = daemon.get("/status").text + daemon.get("/migrations").text
    for index in range(10):
        assert f"{index:04d}_t{index}" in text


def test_markers_of_conflict_may_stand_inside_a_line(serve, drizzle):
    folder = drizzle([("0000_a", "SELECT 1 << 2; SELECT ' <<<<<<< HEAD';\n"
                                 "-- ======= not a conflict\n"
                                 "SELECT '>>>>>>> ';")])
    assert serve(folder).apply().status == 200
