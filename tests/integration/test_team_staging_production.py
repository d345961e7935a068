# SPDX-License-Identifier: PostgreSQL
"""A team with a folder of drizzle-kit that goes to staging first, then to
production, each by a task that runs before the application, moves in: one day
of it."""

import pytest

from harness import daemon as daemon_module
from harness.folder import drizzle_add, write
from harness.kit import Checkout
from harness.team import DRIFT, FAILED, FILES, FINE, PENDING, Team

INIT = ("0000_init", 'CREATE TABLE "my_table" ("id" integer PRIMARY KEY);\n')
ADD = 'ALTER TABLE "my_table" ADD COLUMN "my_column" text;\n'
ADD_ONCE = """DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM information_schema.columns
                   WHERE table_name = 'my_table'
                   AND column_name = 'my_column') THEN
        ALTER TABLE "my_table" ADD COLUMN "my_column" text;
    END IF;
END $$;
"""
AUDIT = ("SELECT count(*), count(DISTINCT hash)"
         " FROM drizzle.__drizzle_migrations")


@pytest.fixture
def team(workdir, database, start_daemon, drizzle):
    return Team(workdir, database, start_daemon, drizzle([INIT]))


def task(team, database):
    """The task of a deployment; its exit code."""
    return daemon_module.run("--once", "--config", team.config,
                             "--database-url", database.url).returncode


def test_the_day(team, postgres):
    staging, production = postgres.createdb(), team.database
    for stage in (staging, production):
        assert task(team, stage) == FINE
    replicas = team.replicas()
    team.seen(replicas, "current")

    # somebody has added the column in production by hand
    production.execute(ADD)
    drizzle_add(team.folder, "0001_my_column", ADD)
    team.ctl("check", "--files", "--strict")
    team.ctl("check", "--strict", expect=PENDING, database=staging)
    assert task(team, staging) == FINE
    assert staging.query(AUDIT) == [(2, 2)]
    team.seen(replicas, "pending")
    for said in team.deploy(replicas, expect=FAILED):
        assert 'column "my_column"' in said and "already exists" in said
    assert production.query(AUDIT) == [(1, 1)]
    assert replicas[0].get("/current").status == 503

    # what staging has applied stays as it is; production is told it has it
    write(team.folder / "0001_my_column.sql", ADD_ONCE)
    assert "0001_my_column" in team.ctl("check", expect=DRIFT,
                                        database=staging)
    write(team.folder / "0001_my_column.sql", ADD)
    team.ctl("baseline", "0001_my_column", "--force")
    assert production.query(AUDIT) == [(2, 2)]

    # the next one says itself that it may have been done in part
    drizzle_add(team.folder, "0002_again", ADD_ONCE)
    assert task(team, staging) == FINE
    team.seen(replicas, "pending")
    team.deploy(replicas)

    # forward fix
    team.ctl("create", "no my column")
    write(team.folder / "0003_no_my_column.sql",
          'ALTER TABLE "my_table" DROP COLUMN "my_column";\n')
    for stage in (staging, production):
        assert task(team, stage) == FINE
        assert stage.query(AUDIT) == [(4, 4)]
        team.ctl("check", "--strict", database=stage)


def test_locally_with_no_database(team):
    done = daemon_module.run("--once", "--ephemeral", "--migrations",
                             team.folder)
    assert done.returncode == FINE, done.stderr


def test_journal_and_files(team):
    """What jq, ls and diff were for."""
    write(team.folder / "0001_mine.sql", "SELECT 1;\n")
    assert "0001_mine.sql" in team.ctl("check", "--files", "--strict",
                                       expect=FILES)
    (team.folder / "0001_mine.sql").unlink()
    (team.folder / "0000_init.sql").unlink()
    assert "0000_init.sql" in team.ctl("check", "--files", expect=FILES)


def test_missing_snapshots(workdir, database, start_daemon):
    checkout = Checkout(workdir / "app").begin()
    checkout.generate("nick", "name", "nick")
    (checkout.folder / "meta" / "0000_snapshot.json").unlink()
    team = Team(workdir, database, start_daemon, checkout.folder)
    assert "0000_snapshot.json is not there" in team.ctl(
        "check", "--files", "--strict")
    team.ctl("apply")
    assert database.query(AUDIT) == [(2, 2)]


def test_reversed_by_hand(team):
    """The row says nothing of it: our own journal does."""
    drizzle_add(team.folder, "0001_my_column", ADD)
    team.ctl("apply")
    team.database.execute('ALTER TABLE my_table DROP my_column')
    team.ctl("repair", "0001_my_column", "pending", "--reason",
             "reversed by hand")
    assert team.database.query(AUDIT) == [(1, 1)]
    assert "reversed by hand" in str(team.database.query(
        "SELECT operation, migrations FROM migrationd.runs"
        " WHERE operation = 'repair'"))
    team.ctl("check", "--strict", expect=PENDING)
    team.ctl("apply")
    assert team.database.query(AUDIT) == [(2, 2)]


def test_a_deployed_migration_that_was_deleted(team, workdir):
    drizzle_add(team.folder, "0001_my_column", ADD)
    team.ctl("apply")
    (team.folder / "0001_my_column.sql").unlink()
    assert "0001_my_column.sql" in team.ctl("check", expect=FILES)
