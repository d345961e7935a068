# SPDX-License-Identifier: PostgreSQL
"""migrationctl for authors: new files in the style of the folder, with
neither daemon nor database."""

import json

import pytest

from harness.ctl import run
from harness.folder import tables, write

FINE, FILES, CONFIGURATION, FAILED, USAGE = 0, 2, 4, 5, 64
# nobody listens there: a command that asked would say so
NOWHERE = {"DATABASE_URL": "postgresql://127.0.0.1:1/nowhere"}


def author(*args):
    return run(*args, env=NOWHERE)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("first, made", [
    ("0007_first.sql", "0008_add_users_table.sql"),
    ("041-first.sql", "042-add-users-table.sql"),
])
def test_create_goes_on_in_the_style_of_the_folder(sequence, first, made):
    folder = sequence({first: "SELECT 1;"})
    done = author("create", "Add users' table", "--migrations", folder)
    assert done.returncode == FINE, done.err
    assert done.out.startswith(f"wrote {folder}/{made}\n")
    assert names(folder) == sorted([first, made])
    assert "ROLLBACK SQL" in (folder / made).read_text()
    assert author("check", "--files", "--migrations",
                  folder).returncode in (FINE, FAILED)


def test_create_in_a_folder_of_drizzle_kit(drizzle, database):
    folder = drizzle(tables(2))
    done = author("create", "views", "--migrations", folder)
    assert done.returncode == FINE, done.err
    assert f"changed {folder}/meta/_journal.json" in done.out
    entries = json.loads(
        (folder / "meta/_journal.json").read_text())["entries"]
    assert entries[-1]["tag"] == "0002_views"
    write(folder / "0002_views.sql", "CREATE VIEW v AS SELECT 1 AS one;")
    applied = run("apply", "--migrations", folder, "--database-url",
                  database.url)
    assert applied.returncode == FINE, applied.err
    assert "applied   0002_views" in applied.out


def test_prepare(sequence, workdir, database):
    folder = sequence({"0001_a.sql": "CREATE TABLE a (id int);"})
    source = write(workdir / "new.sql", "CREATE TABLE b (id int);\n")
    done = author("prepare", source, "add b", "--migrations", folder)
    assert done.returncode == FINE, done.err
    assert names(folder) == ["0001_a.sql", "0002_add_b.sql"]
    assert source.exists()
    moved = author("prepare", source, "--migrations", folder, "--move")
    assert moved.returncode == FINE and not source.exists()
    assert names(folder)[-1] == "0003_new.sql"
    (folder / "0003_new.sql").unlink()
    assert run("apply", "--migrations", folder, "--database-url",
               database.url).returncode == FINE
    assert database.has_table("b")


def test_prepare_refuses_what_could_not_run(sequence, workdir):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    source = write(workdir / "bad.sql", "SELECT 1;\n\\connect other\n")
    done = author("prepare", source, "--migrations", folder, "--move")
    assert done.returncode != FINE
    assert "bad.sql:2" in done.err
    assert source.exists() and names(folder) == ["0001_a.sql"]


def test_prepare_refuses_what_is_a_migration_already(sequence, workdir):
    folder = sequence({"0001_a.sql": "SELECT 1;", "0002_b.sql": "SELECT 2;",
                       "XXXX_c.sql": "SELECT 3;"})
    (workdir / "link").symlink_to(folder)
    for path in (folder / "0001_a.sql", workdir / "link" / "0001_a.sql"):
        done = author("prepare", path, "again", "--migrations", folder,
                      "--move")
        assert done.returncode == CONFIGURATION
        assert "is migration 0001_a already" in done.err
    assert names(folder) == ["0001_a.sql", "0002_b.sql", "XXXX_c.sql"]
    done = author("prepare", folder / "XXXX_c.sql", "c", "--migrations",
                  folder, "--move")
    assert done.returncode == FINE, done.err
    assert names(folder) == ["0001_a.sql", "0002_b.sql", "0003_c.sql"]


def test_new_data(sequence, workdir):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    data = workdir / "data"
    data.mkdir()
    done = author("new-data", "backfill roles", "--migrations", folder,
                  "--data", data)
    assert done.returncode == FINE, done.err
    assert [name[10:] for name in names(data)] == ["_backfill_roles.sql"]
    again = author("new-data", "backfill roles", "--migrations", folder,
                   "--data", data)
    assert again.returncode != FINE and "backfill_roles" in again.err
    nowhere = author("new-data", "x", "--migrations", folder)
    assert nowhere.returncode == CONFIGURATION and "--data" in nowhere.err


@pytest.mark.parametrize("command", [["create", "x"], ["prepare", "new.sql"]])
def test_dry_run_writes_nothing(sequence, workdir, command):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    if command[0] == "prepare":
        command = ["prepare", write(workdir / "new.sql", "SELECT 2;")]
    done = author(*command, "--migrations", folder, "--dry-run")
    assert done.returncode == FINE, done.err
    assert done.out.startswith(f"would write {folder}/0002_")
    assert names(folder) == ["0001_a.sql"]


def test_for_programs(sequence):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    done = author("--json", "create", "b", "--migrations", folder)
    document = json.loads(done.out)
    assert document["id"] == "0002_b" and document["files"] == ["0002_b.sql"]


@pytest.mark.parametrize("args, code, said", [
    (["create", "!!!"], CONFIGURATION, "letter or digit"),
    (["create"], USAGE, "DESCRIPTION"),
    (["create", "two", "words"], USAGE, "words"),
    (["prepare", "/nonexistent.sql"], FILES, "/nonexistent.sql"),
])
def test_refused(sequence, args, code, said):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    done = author(*args, "--migrations", folder)
    assert done.returncode == code, done.err
    assert said in done.err and names(folder) == ["0001_a.sql"]


def test_missing_folder(workdir):
    done = author("create", "x", "--migrations", workdir / "nowhere")
    assert done.returncode == FILES, done.err
    assert not (workdir / "nowhere").exists()
