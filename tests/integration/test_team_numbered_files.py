# SPDX-License-Identifier: PostgreSQL
"""A team with NNNN_description.sql, schema_migrations and a function that a
deployment calls moves in: one day of it."""

import pytest

from harness.dsql import Dsql
from harness.folder import sequence_folder, write
from harness.team import FAILED, PENDING, REFUSED, Team

# as the team's own function made it, and what that had done already
DONE = """CREATE TABLE schema_migrations (
    version TEXT PRIMARY KEY, name TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW());
CREATE TABLE users (user_id uuid PRIMARY KEY, email text);
INSERT INTO schema_migrations (version, name) VALUES
    ('0001', 'initial_schema')"""
FILES = {
    "0001_initial_schema.sql": "CREATE TABLE IF NOT EXISTS users"
                               " (user_id uuid PRIMARY KEY, email text);\n",
    "0002_create_indexes.sql": "CREATE INDEX IF NOT EXISTS users_email_idx"
                               " ON users (email);\n",
}
AUDIT = "SELECT version FROM schema_migrations ORDER BY version"


@pytest.fixture
def team(workdir, database, start_daemon):
    database.execute(DONE)
    return Team(workdir, database, start_daemon,
                sequence_folder(workdir / "migrations", FILES))


def versions(team):
    return [version for version, in team.database.query(AUDIT)]


def test_the_day(team, workdir):
    # what the team's own function has recorded is taken as it is
    assert "0002_create_indexes" in team.ctl("check", "--strict",
                                             expect=PENDING)
    replicas = team.replicas()
    team.deploy(replicas)
    assert versions(team) == ["0001", "0002"]

    # what drizzle-kit has generated, reviewed and put into the folder
    made = write(workdir / "XXXX_migration.sql",
                 "CREATE TABLE IF NOT EXISTS new_table (id uuid);\n"
                 "CREATE INDEX new_idx ON new_table (nmae);\n")
    team.ctl("prepare", made, "add new table", "--move")
    file = team.folder / "0003_add_new_table.sql"
    assert "new_idx" in file.read_text() and not made.exists()
    team.seen(replicas, "pending")
    for said in team.deploy(replicas, expect=FAILED):
        assert "0003_add_new_table.sql:" in said and '"nmae"' in said
    assert versions(team) == ["0001", "0002"]
    assert not team.database.has_table("new_table")
    write(file, file.read_text().replace("nmae", "id"))
    team.seen(replicas, "pending")
    team.deploy(replicas)
    assert versions(team) == ["0001", "0002", "0003"]
    team.ctl("check", "--strict")

    # back by a migration that reverses it
    assert "0004_rollback_0003" in team.ctl("create", "rollback 0003")
    write(team.folder / "0004_rollback_0003.sql",
          "DROP TABLE IF EXISTS new_table;\n")
    team.ctl("apply")
    assert versions(team) == ["0001", "0002", "0003", "0004"]
    team.ctl("check", "--strict")
    team.seen(replicas, "current")


def test_a_reversal_that_deletes_the_row(team):
    """The file of 0003 is there still: it would run again, and bring back
    what 0004 has taken away."""
    write(team.folder / "0003_new_table.sql",
          "CREATE TABLE IF NOT EXISTS new_table (id uuid);\n")
    team.ctl("apply")
    write(team.folder / "0004_rollback_0003.sql",
          "DROP TABLE IF EXISTS new_table;\n"
          "DELETE FROM schema_migrations WHERE version = '0003';\n")
    team.ctl("apply")
    assert "0003_new_table" in team.ctl("apply", expect=REFUSED)
    assert not team.database.has_table("new_table")
    (team.folder / "0003_new_table.sql").unlink()
    team.ctl("apply")
    assert versions(team) == ["0001", "0002", "0004"]


def test_taken_back_by_hand(team):
    """As in development: with the row, and the row alone."""
    team.ctl("apply")
    write(team.folder / "0003_new_table.sql", "CREATE TABLE new_table ();\n")
    write(team.folder / "0003_new_table.down.sql", "DROP TABLE new_table;\n")
    team.ctl("apply")
    team.ctl("--rollback", "rollback", "0002_create_indexes")
    assert not team.database.has_table("new_table")
    assert versions(team) == ["0001", "0002"]
    team.ctl("apply")
    team.database.execute("DROP TABLE new_table")
    team.ctl("repair", "0003_new_table", "pending")
    assert versions(team) == ["0001", "0002"]
    team.ctl("apply")
    assert team.database.has_table("new_table")


def test_the_day_on_dsql(postgres, database, workdir, start_daemon):
    """Aurora DSQL's stand-in: indexes are built by jobs, and each statement
    is a transaction by itself."""
    standin = Dsql(postgres, database)
    try:
        database.execute(DONE)
        team = Team(workdir, standin, start_daemon, sequence_folder(
            workdir / "migrations", {
                **FILES, "0002_create_indexes.sql":
                "CREATE INDEX ASYNC IF NOT EXISTS users_email_idx"
                " ON users (email);\n"}))
        replicas = team.replicas()
        team.deploy(replicas)
        assert database.value("SELECT indisvalid FROM pg_index WHERE"
                              " indexrelid = 'users_email_idx'::regclass")
        team.ctl("create", "add new table")
        file = team.folder / "0003_add_new_table.sql"
        write(file, "CREATE TABLE IF NOT EXISTS new_table (id uuid);\n"
                    "INSERT INTO new_table (nmae) VALUES (NULL);\n")
        assert '"nmae"' in team.ctl("apply", expect=FAILED)
        write(file, file.read_text().replace("nmae", "id"))
        team.ctl("apply")
        assert [v for v, in database.query(AUDIT)] == ["0001", "0002", "0003"]
        assert database.value("SELECT count(*) FROM new_table") == 1
        team.ctl("create", "rollback 0003")
        write(team.folder / "0004_rollback_0003.sql",
              "DROP TABLE IF EXISTS new_table;\n")
        team.ctl("apply")
        team.ctl("check", "--strict")
        for daemon in replicas:
            daemon.stop()
    finally:
        standin.stop()
