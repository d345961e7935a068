# SPDX-License-Identifier: PostgreSQL
"""A team with a folder of drizzle-kit and a table drizzle_migrations of its
own in public, deployed to dev and to prod by a function that logs categories
of errors, moves in: one day of it."""

import pytest

from harness.folder import BREAKPOINT, drizzle_add, write
from harness.postgres import find_pg_dump
from harness.team import FAILED, FILES, FINE, PENDING, UNREACHABLE, Team

USERS = ("0000_users", "CREATE TABLE users (id serial PRIMARY KEY, name"
         " varchar(255) NOT NULL, status text);")
AUDIT = "SELECT id, hash, created_at FROM drizzle_migrations" \
        " ORDER BY created_at DESC"
TABLE = {"tracking_schema": "public", "tracking_table": "drizzle_migrations"}
LOOP = """DO $$
DECLARE
  batch_size INT := 1000;
  affected_rows INT;
BEGIN
  LOOP
    UPDATE users SET status = 'active' WHERE id IN (
      SELECT id FROM users WHERE status IS NULL LIMIT batch_size);
    GET DIAGNOSTICS affected_rows = ROW_COUNT;
    EXIT WHEN affected_rows = 0;
    COMMIT;
  END LOOP;
END $$;
"""


@pytest.fixture
def team(workdir, database, start_daemon, drizzle):
    return Team(workdir, database, start_daemon, drizzle([USERS]), **TABLE)


def test_the_day(team, postgres):
    team.ctl("check", "--strict", expect=PENDING)
    replicas = team.replicas()
    team.deploy(replicas)
    assert len(team.database.query(AUDIT)) == 1

    # the next one fails half-way: nothing of it stays
    drizzle_add(team.folder, "0001_new_table",
                "CREATE TABLE new_table (id serial PRIMARY KEY);\n"
                f"{BREAKPOINT}\nCRATE INDEX new_idx ON new_table (id);\n")
    team.seen(replicas, "pending")
    for said in team.deploy(replicas, expect=FAILED):
        assert "0001_new_table.sql:3" in said
        assert 'syntax error at or near "CRATE"' in said
    assert not team.database.has_table("new_table")
    assert "SQL_SYNTAX_ERROR" in team.ask(replicas[0], "status")
    assert "SQL_SYNTAX_ERROR" in [line.get("category") for daemon in replicas
                                  for line in daemon.log_lines()]

    # mended, and deployed
    write(team.folder / "0001_new_table.sql",
          "CREATE TABLE new_table (id serial PRIMARY KEY);\n"
          f"{BREAKPOINT}\nCREATE INDEX new_idx ON new_table (id);\n")
    team.seen(replicas, "pending")
    team.deploy(replicas)
    assert len(team.database.query(AUDIT)) == 2
    metrics = replicas[0].get("/metrics").text
    assert "migrationd_last_run_duration_seconds" in metrics
    assert "0001_new_table" in team.ctl("show", "0001_new_table")
    assert "succeeded" in team.ctl("history")

    # back by a migration that reverses it
    team.ctl("create", "rollback new table")
    write(team.folder / "0002_rollback_new_table.sql",
          "DROP TABLE IF EXISTS new_table;\n")
    team.ctl("apply")
    assert not team.database.has_table("new_table")
    assert len(team.database.query(AUDIT)) == 3

    # the same to another stage, whose database is empty
    prod = postgres.createdb()
    team.ctl("apply", database=prod)
    assert len(prod.query(AUDIT)) == 3
    team.ctl("check", "--strict", database=prod)


def test_taken_back_by_hand(team, postgres):
    """In an emergency: SQL by hand, then the row; or both by a command. And
    a copy of the database, as a restored snapshot is one."""
    drizzle_add(team.folder, "0001_new_table",
                "CREATE TABLE new_table (id int);\n-- ROLLBACK SQL\n"
                "-- DROP TABLE new_table;\n")
    team.ctl("apply")
    team.ctl("--rollback", "rollback", "0000_users", "--reason", "why")
    assert not team.database.has_table("new_table")
    assert len(team.database.query(AUDIT)) == 1
    team.ctl("apply")
    team.database.execute("DROP TABLE new_table")
    said = team.ctl("repair", "0001_new_table", "pending", "--reason", "why")
    assert "0001_new_table was applied, is pending" in said
    assert len(team.database.query(AUDIT)) == 1
    restored = postgres.createdb(template=team.database.name)
    assert "0001_new_table" in team.ctl("plan", database=restored)
    team.ctl("apply", database=restored)
    assert restored.has_table("new_table")
    assert not team.database.has_table("new_table")


def test_categories(team, database, workdir):
    def fails(category, *args, expect):
        said = team.ctl("--json", "apply", *args, expect=expect)
        assert f'"{category}"' in said, said

    team.ctl("apply")
    journal = team.folder / "meta" / "_journal.json"
    text = journal.read_text()
    write(journal, text.replace("0000_users", "../etc/passwd"))
    fails("SECURITY_VIOLATION", expect=FILES)
    write(journal, text)
    fails("RESOURCE_NOT_FOUND", "--migrations", workdir / "nowhere",
          expect=FILES)
    fails("NETWORK_ERROR", "--database-url", "postgresql://127.0.0.1:1/none",
          "--connect-wait", "0", expect=UNREACHABLE)
    role = f"reader_{database.name}"
    database.execute(f'CREATE ROLE "{role}" LOGIN')
    try:
        drizzle_add(team.folder, "0001_x",
                    "ALTER TABLE users ADD COLUMN x int;\n")
        fails("PERMISSION_DENIED", "--database-url", database.url_as(role),
              expect=FAILED)
    finally:
        database.execute(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


@pytest.mark.parametrize("text", [
    "-- migrationd: batch size=1000\n"
    "UPDATE users SET status = 'active' WHERE id IN\n"
    "  (SELECT id FROM users WHERE status IS NULL LIMIT $1);\n",
    LOOP], ids=["batch", "their own loop"])
def test_backfill(team, text):
    team.ctl("apply")
    team.database.execute("INSERT INTO users (name) SELECT 'u' || n FROM"
                          " generate_series(1, 3500) n")
    drizzle_add(team.folder, "0001_active", text)
    team.ctl("apply")
    assert team.database.value("SELECT count(*) FROM users"
                               " WHERE status = 'active'") == 3500
    team.ctl("check", "--strict")


def test_backup_before(team, workdir):
    pg_dump = find_pg_dump(team.database.postgres.bindir)
    if pg_dump is None:
        pytest.skip("no pg_dump as new as the server")
    team.ctl("apply")
    drizzle_add(team.folder, "0001_drop", "ALTER TABLE users DROP status;\n")
    team.ctl("apply", "--hook-required", "--hook-before",
             f"sh -c '{pg_dump} -f {workdir}/before.sql"
             f" {team.database.url}'")
    assert "status text" in (workdir / "before.sql").read_text()


def test_file_with_its_own_transaction(team):
    drizzle_add(team.folder, "0001_both",
                "BEGIN;\nCREATE TABLE a (id int);\nCREATE TABLE b (id int);\n"
                "COMMIT;\n")
    said = team.ctl("apply", expect=FINE)
    assert "0001_both" in said
    assert team.database.has_table("b")
    assert len(team.database.query(AUDIT)) == 2
