# SPDX-License-Identifier: PostgreSQL
"""The teams' own tracking tables, our journal beside them, and roles that
may not do everything."""

import re

import pytest

from harness.daemon import applied_ids
from harness.folder import sequence_folder, tables, write
from harness.wait import wait_until

SEQUENCE = {
    "0001_users.sql": "CREATE TABLE users (id int);\n",
    "0002_files.sql": "CREATE TABLE files (id int);\n\n"
                      "CREATE INDEX files_idx ON files (id);\n",
    "0010_more.sql": "ALTER TABLE users ADD COLUMN name text;\n",
}


def test_sequence_folder_with_schema_migrations(serve, sequence, database):
    daemon = serve(sequence(SEQUENCE), "--tracking", "schema_migrations")
    run = daemon.apply().json()
    assert applied_ids(run) == ["0001_users", "0002_files", "0010_more"]
    rows = database.query("SELECT version, name, applied_at IS NOT NULL"
                          " FROM schema_migrations ORDER BY version")
    assert [r[0] for r in rows] == ["0001", "0002", "0010"]
    assert all("users" in r[1] or "files" in r[1] or "more" in r[1]
               for r in rows)
    assert all(r[2] for r in rows)
    columns = database.query(
        "SELECT column_name, data_type, is_nullable"
        " FROM information_schema.columns"
        " WHERE table_name = 'schema_migrations' ORDER BY ordinal_position")
    assert columns == [("version", "text", "NO"), ("name", "text", "NO"),
                       ("applied_at", "timestamp with time zone", "NO")]
    status = daemon.status()
    assert status["folder"]["layout"] == "sequence"
    assert status["tracking"]["kind"] == "schema_migrations"


@pytest.mark.parametrize("names", [
    ["001-initial.sql", "002-more.sql", "010-next.sql", "043-add.sql"],
    ["20240101000000_a.sql", "20240102000000_b.sql",
     "20240102000001_c.sql"],
    ["1_a.sql", "2_b.sql", "10_c.sql"],
])
def test_numeric_order_and_gaps(serve, sequence, database, names):
    files = {name: f"INSERT INTO seen (name) VALUES ('{name}');"
             for name in names}
    database.execute("CREATE TABLE seen (id serial, name text)")
    daemon = serve(sequence(files), "--tracking", "schema_migrations")
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert [r[0] for r in database.query(
        "SELECT name FROM seen ORDER BY id")] == names


def test_rows_of_the_teams_own_runner_are_understood(serve, sequence,
                                                     database):
    database.execute("CREATE TABLE schema_migrations (version TEXT PRIMARY"
                     " KEY, name TEXT NOT NULL, applied_at TIMESTAMP WITH"
                     " TIME ZONE NOT NULL DEFAULT NOW())")
    database.execute("INSERT INTO schema_migrations (version, name)"
                     " VALUES ('0001', 'users')")
    database.execute("CREATE TABLE users (id int)")
    daemon = serve(sequence(SEQUENCE), "--tracking", "schema_migrations")
    assert daemon.wait_verdict("pending")["pending"] == ["0002_files",
                                                         "0010_more"]
    assert applied_ids(daemon.apply().json()) == ["0002_files", "0010_more"]


def test_two_took_one_number(serve, sequence, database):
    """Which file ran only the name tells, where our journal knows nothing."""
    folder = sequence({"0001_users.sql": "CREATE TABLE users (id int);",
                       "0002_mine.sql": "CREATE TABLE mine (id int);"})
    daemon = serve(folder, "--rollback")
    assert daemon.apply().status == 200
    write(folder / "0002_theirs.sql", "CREATE TABLE theirs (id int);\n"
          "-- ROLLBACK SQL\n-- DROP TABLE mine;\n")
    (folder / "0002_mine.sql").unlink()
    wait_until(lambda: "0002_theirs" in daemon.states(), 20)
    document = daemon.get("/check").json()
    assert [(f["kind"], f["severity"], f["file"])
            for f in document["findings"]] == [
                ("notice", "warning", "0002_theirs.sql")]
    assert "another name, mine: 0002_theirs" in document["findings"][0][
        "message"]
    got = daemon.post("/rollback", json={"steps": 1}).problem(
        409, "CHECKSUM_MISMATCH")
    assert "the name of another" in got["detail"]
    assert database.has_table("mine")


MIGRATION_LOG = """CREATE TABLE migration_log (
    id serial PRIMARY KEY, step_number integer NOT NULL,
    description text NOT NULL, sql_executed text,
    status varchar(20) NOT NULL DEFAULT 'pending', error_message text,
    executed_at timestamptz DEFAULT current_timestamp)"""


def test_migration_log_records_failures_too(serve, sequence, database):
    folder = sequence({"001-users.sql": "CREATE TABLE users (id int);",
                       "002-bad.sql": "ALTER TABLE nowhere ADD x int;"})
    daemon = serve(folder, "--tracking", "migration_log")
    daemon.apply().problem(422)
    rows = database.query("SELECT description, status, error_message"
                          " FROM migration_log ORDER BY executed_at, 1")
    assert [(r[0], r[1]) for r in rows] == [("001-users.sql", "completed"),
                                           ("002-bad.sql", "failed")]
    assert rows[0][2] is None
    assert 'relation "nowhere" does not exist' in rows[1][2]
    assert daemon.states()["002-bad"] == "failed"

    write(folder / "002-bad.sql", "ALTER TABLE users ADD x int;")
    wait_until(lambda: daemon.apply().status == 200, 10)
    done = [r[0] for r in database.query(
        "SELECT description FROM migration_log WHERE status = 'completed'"
        " ORDER BY 1")]
    assert done == ["001-users.sql", "002-bad.sql"]
    assert daemon.verdict() == "current"


def test_migration_log_with_more_columns(serve, sequence, database):
    database.execute(MIGRATION_LOG)
    daemon = serve(sequence({"001-users.sql": "CREATE TABLE users (id int);"}),
                   "--tracking", "migration_log")
    assert daemon.apply().status == 200
    assert database.query("SELECT description, status FROM migration_log") == [
        ("001-users.sql", "completed")]


# -- our own journal, and roles -----------------------------------------------

def test_journal_off_leaves_no_schema_of_ours(serve, sample, database):
    daemon = serve(sample, options={"journal": "off"})
    assert daemon.apply().status == 200
    assert database.query("SELECT 1 FROM pg_namespace"
                          " WHERE nspname = 'migrationd'") == []


def test_journal_is_absent_where_the_role_may_not_make_it(
        start_daemon, drizzle, database, postgres):
    role = f"plain_{database.name}"
    database.execute(f'CREATE ROLE "{role}" LOGIN')
    database.execute("CREATE SCHEMA drizzle")
    database.execute("CREATE TABLE drizzle.__drizzle_migrations (id SERIAL"
                     " PRIMARY KEY, hash text NOT NULL, created_at bigint)")
    database.execute(f'GRANT USAGE ON SCHEMA drizzle TO "{role}"')
    database.execute("GRANT ALL ON ALL TABLES IN SCHEMA drizzle"
                     f' TO "{role}"')
    database.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA drizzle"
                     f' TO "{role}"')
    database.execute(f'GRANT CREATE, USAGE ON SCHEMA public TO "{role}"')
    database.execute(f'REVOKE CREATE ON DATABASE "{database.name}"'
                     " FROM PUBLIC")
    try:
        daemon = start_daemon("--migrations", drizzle(tables(2)),
                              "--database-url", database.url_as(role))
        got = daemon.apply()
        assert got.status == 200, repr(got)
        assert len(database.drizzle_rows()) == 2
        daemon.stop()
    finally:
        database.execute(f'DROP OWNED BY "{role}"')
        database.execute(f'DROP ROLE "{role}"')


def test_a_role_without_rights_is_told_so(start_daemon, drizzle, database):
    role = f"none_{database.name}"
    database.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        daemon = start_daemon("--migrations", drizzle(tables(1)),
                              "--database-url", database.url_as(role))
        got = daemon.apply()
        problem = got.problem(category="PERMISSION_DENIED")
        assert problem["sqlstate"] == "42501"
        assert got.status in (403, 409, 422)
        daemon.stop()
    finally:
        database.execute(f'DROP ROLE "{role}"')


def test_the_kind_that_a_table_looks_like_can_be_set(once, database, workdir):
    """A tracking that is set wins over that of the layout: the hint says both."""
    folder = sequence_folder(workdir / "files", {
        "1_a.up.sql": "SELECT 1;", "2_b.up.sql": "CREATE TABLE b (id int);"})
    database.execute("CREATE TABLE schema_migrations (version bigint PRIMARY KEY,"
                     " dirty boolean NOT NULL)")
    database.execute("INSERT INTO schema_migrations VALUES (1, false)")
    told = once(folder, "--layout=sequence",
                "--tracking=schema_migrations")
    assert told.returncode == 8
    said = re.search(r"set (layout = \S+), (tracking = \S+?)[\s\"]",
                     told.stdout + told.stderr)
    flags = ["--" + part.replace(" = ", "=") for part in said.groups()]
    done = once(folder, *flags)
    assert done.returncode == 0, done
    assert database.has_table("b")
