# SPDX-License-Identifier: PostgreSQL
"""A team with numbered files, an array that lists them, and a migration_log
written by a function of its own, moves in: one day of it."""

import json

import pytest

from harness.folder import sequence_folder, write
from harness.team import (CONFIGURATION, DRIFT, FAILED, FILES, PENDING,
                          REFUSED, Team)

# as the team's own function made it, and what that had done already
LOG = """CREATE TABLE migration_log (
    id serial PRIMARY KEY, step_number integer NOT NULL,
    description text NOT NULL, sql_executed text,
    status varchar(20) NOT NULL DEFAULT 'pending', error_message text,
    executed_at timestamptz DEFAULT current_timestamp);
CREATE TABLE users (id serial PRIMARY KEY, email varchar(255));
CREATE TYPE role AS ENUM ('admin', 'user');
INSERT INTO migration_log (step_number, description, status) VALUES
    (1, '001-enums.sql', 'completed'), (2, '002-users.sql', 'completed')"""
FILES_DONE = {
    "001-enums.sql": "CREATE TYPE role AS ENUM ('admin', 'user');\n",
    "002-users.sql": "CREATE TABLE users (id serial PRIMARY KEY,"
                     " email varchar(255));\n",
}
AUDIT = ("SELECT step_number, description, status, error_message"
         " FROM migration_log ORDER BY executed_at DESC, id DESC")
PREFERENCES = """-- Add user preferences
CREATE TABLE IF NOT EXISTS user_preferences (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users(id) ON DELETE CASCADE
);

-- ============================================
-- ROLLBACK SQL (for manual rollback if needed)
-- ============================================
-- DROP TABLE IF EXISTS user_preferences;
"""


def listed(team):
    return json.loads((team.folder / "manifest.json").read_text())


def register(team, name):
    write(team.folder / "manifest.json",
          json.dumps(listed(team) + [name], indent=2))


@pytest.fixture
def team(workdir, database, start_daemon):
    database.execute(LOG)
    folder = sequence_folder(workdir / "schema", FILES_DONE)
    write(folder / "manifest.json", json.dumps(list(FILES_DONE), indent=2))
    return Team(workdir, database, start_daemon, folder, immutable="001-009")


def test_the_day(team, workdir):
    # what the team's own function has recorded is taken as it is
    team.ctl("check", "--strict")
    assert "002-users" in team.ctl("list")

    # a new migration: checked, numbered, moved and registered
    made = write(workdir / "generated.sql", PREFERENCES)
    team.ctl("prepare", made, "add-user-preferences-table", "--move")
    assert listed(team)[-1] == "003-add-user-preferences-table.sql"
    team.ctl("check", "--strict", expect=PENDING)
    assert "003-add-user-preferences-table" in team.ctl("plan")

    replicas = team.replicas()
    team.deploy(replicas)
    audit = team.database.query(AUDIT)
    assert audit[0] == (3, "003-add-user-preferences-table.sql", "completed",
                        None)
    assert len(audit) == 3, "once, whoever was first"

    # a failure: the row says what it was, and so does the screen
    team.ctl("create", "change-column-type")
    file = team.folder / "004-change-column-type.sql"
    assert "ROLLBACK SQL" in file.read_text()
    write(file, "ALTER TABLE users ALTER COLUMN mail TYPE varchar(500);\n")
    team.seen(replicas, "pending")
    for said in team.deploy(replicas, expect=FAILED):
        assert "004-change-column-type.sql:1" in said
    step, description, status, message = team.database.query(AUDIT)[0]
    assert (description, status) == (file.name, "failed")
    assert 'column "mail"' in message
    assert 'column "mail"' in team.ask(replicas[1], "status")

    # mended, and deployed again
    write(file, "ALTER TABLE users ALTER COLUMN email TYPE varchar(500);\n")
    team.ctl("apply")
    assert (file.name, "completed") in team.database.query(
        "SELECT description, status FROM migration_log")
    team.seen(replicas, "current")

    # what the function could not run
    team.ctl("create", "email-index")
    write(team.folder / "005-email-index.sql",
          "CREATE INDEX CONCURRENTLY users_email_idx ON users (email);\n")
    team.ctl("create", "first-user")
    write(team.folder / "006-first-user.sql",
          "DO $$\nBEGIN\n  INSERT INTO users (email) VALUES ('a@b');\n"
          "END $$;\n")
    team.ctl("apply")
    assert team.database.value("SELECT count(*) FROM users") == 1
    team.ctl("check", "--strict")
    team.ctl("create", "own-transaction")
    write(team.folder / "007-own-transaction.sql",
          "BEGIN;\nCREATE TABLE pair (id int);\nCOMMIT;\n")
    team.ctl("apply")
    team.ctl("create", "undone")
    write(team.folder / "008-undone.sql",
          "CREATE TABLE undone (id int);\nROLLBACK;\n")
    assert "008-undone.sql:2" in team.ctl("apply", expect=REFUSED)


def test_a_rehearsal(team):
    """What psql --dry-run was to be: the SQL runs, and not here."""
    write(team.folder / "003-wrong.sql", "CRATE TABLE t (id int);\n")
    register(team, "003-wrong.sql")
    assert "003-wrong" in team.ctl("plan")
    assert "003-wrong.sql:1:1" in team.ctl("--ephemeral", "apply",
                                           expect=FAILED)
    write(team.folder / "003-wrong.sql", "CREATE TABLE t (id int);\n")
    assert "succeeded: 3 migrations" in team.ctl("--ephemeral", "apply")
    assert not team.database.has_table("t")


def test_the_way_back(team, workdir):
    made = write(workdir / "generated.sql", PREFERENCES)
    team.ctl("prepare", made, "add-user-preferences-table")
    team.ctl("apply")
    said = team.ctl("rollback", "002-users", "--dry-run")
    assert "003-add-user-preferences-table" in said
    assert "rollback is off" in team.ctl("rollback", "002-users",
                                         expect=CONFIGURATION)
    assert team.database.has_table("user_preferences")
    team.ctl("--rollback", "rollback", "002-users", "--reason", "slow")
    assert not team.database.has_table("user_preferences")
    assert [row[1] for row in team.database.query(AUDIT)] == [
        "002-users.sql", "001-enums.sql"]
    team.ctl("check", "--strict", expect=PENDING)

    # what nobody wants any more goes off the list, and its file too
    name = "003-add-user-preferences-table.sql"
    write(team.folder / "manifest.json", json.dumps(listed(team)[:-1]))
    file = (team.folder / name).read_text()
    (team.folder / name).unlink()
    team.ctl("check", "--strict")
    write(team.folder / name, file)
    register(team, name)

    # by hand, and the row after it
    team.ctl("apply")
    team.database.execute("DROP TABLE user_preferences")
    team.ctl("repair", "003-add-user-preferences-table", "pending",
             "--reason", "taken back by hand")
    team.ctl("check", "--strict", expect=PENDING)
    team.ctl("apply")
    assert team.database.has_table("user_preferences")


def test_a_file_that_nobody_registered(team):
    write(team.folder / "003-forgotten.sql", "CREATE TABLE t (id int);\n")
    assert "003-forgotten.sql" in team.ctl("check", "--strict", expect=FILES)
    team.ctl("apply")
    assert not team.database.has_table("t")
    register(team, "003-forgotten.sql")
    team.ctl("apply")
    assert team.database.has_table("t")
    register(team, "004-nowhere.sql")
    assert "004-nowhere.sql" in team.ctl("check", expect=FILES)


def test_the_first_files_never_change(team):
    """Nobody has noted what they were when the team's own function ran
    them: that is said once."""
    for name in ("001-enums", "002-users"):
        team.ctl("repair", name, "checksum", "--reason", "moving in")
    team.ctl("check", "--strict")
    write(team.folder / "002-users.sql", "CREATE TABLE users (id bigint);\n")
    write(team.folder / "003-more.sql", "CREATE TABLE more (id int);\n")
    register(team, "003-more.sql")
    assert "002-users" in team.ctl("check", expect=DRIFT)
    said = team.ctl("apply", expect=DRIFT)
    assert "002-users" in said and "immutable" in said
    assert not team.database.has_table("more")
