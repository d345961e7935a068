# SPDX-License-Identifier: PostgreSQL
"""A team with a folder of drizzle-kit, data migrations and seeds, whose CI
branches on exit codes, moves in: one day of it."""

import re
import shutil

import pytest

from harness import daemon as daemon_module
from harness.folder import drizzle_add, write
from harness.kit import Checkout, schema
from harness.team import (CONFIGURATION, DRIFT, FAILED, FILES, FINE, PENDING,
                          Team)

USERS = ("0000_users", 'CREATE TABLE "core_users" (\n'
         '\t"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,\n'
         '\t"name" text NOT NULL\n);\n')
NICKNAME = 'ALTER TABLE "core_users" ADD COLUMN "nickname" text;\n'
PHONE = 'ALTER TABLE "core_users" ADD COLUMN "phone" text;\n'
TRACKED = "SELECT count(*) FROM drizzle.__drizzle_migrations"
DATA = "SELECT id, success FROM data_migrations ORDER BY executed_at"


@pytest.fixture
def team(workdir, database, start_daemon, drizzle):
    for name in ("data", "seeds"):
        (workdir / name).mkdir()
    write(workdir / "seeds" / "admin.sql",
          "INSERT INTO core_users (name) SELECT 'Ada Admin' WHERE NOT EXISTS"
          " (SELECT FROM core_users);\n")
    return Team(workdir, database, start_daemon, drizzle([USERS]),
                data=workdir / "data", seeds=workdir / "seeds")


def nicknames(team):
    return team.database.query("SELECT name, nickname FROM core_users")


def test_the_day(team):
    # pull request: the files alone, then the database as well
    team.ctl("check", "--files", "--strict")
    assert "0000_users" in team.ctl("check", "--strict", expect=PENDING)
    assert "pending" in team.ctl("status")

    # deploy: schema, data and seeds, whichever replica is first
    replicas = team.replicas()
    team.deploy(replicas)
    assert team.database.value(TRACKED) == 1
    team.ask(replicas[1], "wait")
    team.ctl("check", "--strict")

    # a new column, and the names that are to stand in it
    drizzle_add(team.folder, "0001_nickname", NICKNAME)
    said = team.ctl("new-data", "populate nicknames")
    (data,) = team.settings["data"].iterdir()
    assert str(data) in said
    write(data, "UPDATE core_users SET nickname = split_part(name, ' ', 1)"
                " WHERE nickname IS NULL;\n")
    team.ctl("check", "--strict", expect=PENDING)
    team.seen(replicas, "pending")
    team.deploy(replicas)
    assert nicknames(team) == [("Ada Admin", "Ada")]
    assert team.database.query(DATA) == [(data.stem, True)]

    # a data migration that fails is told of, and stops no deployment
    write(data.with_name("2026-01-02_wrong.sql"),
          "UPDATE core_users SET nikname = '';\n")
    assert "nikname" in team.ctl("apply")
    assert "2026-01-02_wrong failed" in team.ctl("status")
    assert team.database.query(DATA)[-1] == ("2026-01-02_wrong", False)
    replicas[0].wait_verdict("incomplete")
    assert replicas[0].get("/current").status == 200
    write(data.with_name("2026-01-02_wrong.sql"),
          "UPDATE core_users SET nickname = lower(nickname);\n")
    team.ctl("apply", "--phases", "data")
    assert nicknames(team) == [("Ada Admin", "ada")]

    # back: a migration that takes it away again, forward as all others
    assert "0002_drop_nickname" in team.ctl("create", "drop nickname")
    write(team.folder / "0002_drop_nickname.sql",
          'ALTER TABLE "core_users" DROP COLUMN "nickname";\n')
    team.ctl("apply")
    assert team.database.value(TRACKED) == 3
    team.ctl("check", "--strict")


def test_exit_codes_of_the_check(team):
    team.ctl("apply")
    file = team.folder / "0000_users.sql"
    text = file.read_text()
    write(file, text.replace("name", "title"))
    assert "0000_users" in team.ctl("check", expect=DRIFT)
    file.unlink()
    assert "0000_users" in team.ctl("check", expect=FILES)
    write(file, text)
    drizzle_add(team.folder, "0001_nickname", NICKNAME)
    team.ctl("check", expect=PENDING)
    team.ctl("check", "--layout", "cobol", expect=CONFIGURATION)
    team.ctl("apply")
    team.ctl("check", "--strict", expect=FINE)


@pytest.mark.parametrize("way", ["baseline", "repair"])
def test_column_already_exists(team, way):
    team.ctl("apply")
    team.database.execute(PHONE)  # by hand, some time ago
    drizzle_add(team.folder, "0001_phone", PHONE)
    said = team.ctl("apply", expect=FAILED)
    assert "0001_phone.sql:1" in said and "already exists" in said
    assert "already exists" in team.ctl("status")
    assert "mend 0001_phone.sql" in said
    assert 'migrationctl repair ("applied") records it' in said
    if way == "baseline":
        team.ctl("baseline", "0001_phone", "--force")
    else:
        team.ctl("repair", "0001_phone", "applied")
    team.ctl("check", "--strict")
    assert team.database.value(TRACKED) == 2


def test_init_container(team):
    done = daemon_module.run("--once", "--config", team.config,
                             "--database-url", team.database.url)
    assert done.returncode == FINE, done.stderr
    assert team.database.value("SELECT name FROM core_users") == "Ada Admin"


def test_database_that_was_pushed(team):
    team.database.execute(USERS[1])
    team.ctl("apply", expect=FAILED)
    assert "0000_users" in team.ctl("baseline", "--all")
    team.ctl("apply")  # the seeds, which nobody has sown yet
    team.ctl("check", "--strict")
    assert team.database.value(TRACKED) == 1


def test_two_branches_are_merged(workdir, database, start_daemon):
    checkout = Checkout(workdir / "app").begin()
    checkout.shell("git init -q -b main . && echo node_modules > .gitignore")
    colleague = checkout.branch("colleague")
    checkout.generate("theirs", "name", "phone")
    checkout.shell("git add -A && git commit -qm theirs"
                   " && git update-ref refs/remotes/origin/main main")
    # the merge: my file and my snapshot, both entries in the journal
    colleague.generate("mine", "name", "nickname")
    document = checkout.journal()
    document["entries"] += colleague.journal()["entries"][-1:]
    shutil.copytree(colleague.folder, checkout.folder, dirs_exist_ok=True)
    checkout.write_journal(document)
    write(checkout.path / "schema.ts", schema("name", "nickname", "phone"))
    team = Team(workdir, database, start_daemon, checkout.folder)
    said = team.ctl("check", "--files", expect=FILES)
    for command in re.findall(r"^ +\$ (.+)$", said, re.M):
        checkout.shell(command)
    team.ctl("check", "--files", "--strict")
    team.ctl("apply")
    assert database.value(TRACKED) == 3
    assert database.query("SELECT nickname, phone FROM users") == []
