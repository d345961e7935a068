# SPDX-License-Identifier: PostgreSQL
"""GET /check: what is wrong with folder and database, and that what it says
to type mends it. The folders are made by the real drizzle-kit."""

import json
import shutil
import subprocess
import time

import pytest

from harness.folder import T0, drizzle_add, journal, tables, write
from harness.interop import drizzle_migrate, require_node
from harness.kit import Checkout, schema
from harness.wait import wait_until

NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nowhere"


def check(daemon, query=""):
    got = daemon.get("/check" + query)
    assert got.status == 200, got
    document = got.json()
    assert got.headers["migrationd-exit-code"] == str(document["exit_code"])
    counts = document["counts"]
    for severity in ("error", "warning", "note"):
        assert counts[severity + "s"] == sum(
            f["severity"] == severity for f in document["findings"])
    return document


def kinds(document):
    return sorted(f["kind"] for f in document["findings"])


def finding(document, kind):
    found = [f for f in document["findings"] if f["kind"] == kind]
    assert len(found) == 1, document["findings"]
    return found[0]


def wait_kinds(daemon, *expected, query=""):
    """The check once these are its findings."""
    last = [None]

    def there():
        last[0] = check(daemon, query)
        return kinds(last[0]) == sorted(expected)

    try:
        wait_until(there, 15)
    except AssertionError:
        raise AssertionError(json.dumps(last[0], indent=1)) from None
    return last[0]


@pytest.fixture
def checkout(workdir):
    return Checkout(workdir / "app").begin()


@pytest.fixture
def files_daemon(start_daemon):
    def start(folder):
        return start_daemon("--migrations", folder, "--database-url",
                            NO_DATABASE)
    return start


# ---- exit codes -----------------------------------------------------------

def test_day_of_a_migration(serve, checkout):
    daemon = serve(checkout.folder)
    document = wait_kinds(daemon, "pending")
    assert (document["exit_code"], document["verdict"]) == (3, "pending")
    assert finding(document, "pending")["file"] == "0000_init.sql"
    assert daemon.apply().status == 200
    document = check(daemon, "?strict")
    assert document["findings"] == []
    assert (document["exit_code"], document["verdict"]) == (0, "fine")
    assert document["folder"]["snapshots"] == 1
    assert document["database"]["reachable"] is True


def test_curl_takes_the_code_from_a_header(serve, checkout):
    daemon = serve(checkout.folder)
    wait_kinds(daemon, "pending")
    line = (f"exit $(curl -s -o check.json -w '%header{{migrationd-exit-code}}'"
            f" {daemon.base_url}/check?strict)")
    done = subprocess.run(["bash", "-c", line], cwd=checkout.path, check=False)
    assert done.returncode == 3
    assert json.loads((checkout.path / "check.json").read_text())["strict"]


def test_without_a_database_the_files_are_checked(files_daemon, checkout):
    write(checkout.folder / "0009_mine.sql", "SELECT 1;")
    daemon = files_daemon(checkout.folder)
    document = wait_kinds(daemon, "unreachable", "unregistered")
    assert (document["exit_code"], document["verdict"]) == (6, "unreachable")
    document = check(daemon, "?strict")
    assert document["exit_code"] == 2, "files first"
    document = check(daemon, "?only=files")
    assert kinds(document) == ["unregistered"]
    assert document["exit_code"] == 0
    assert document["database"] is None
    assert check(daemon, "?only=files&strict")["exit_code"] == 2


def test_no_such_database_is_configuration(start_daemon, checkout, database):
    daemon = start_daemon("--migrations", checkout.folder, "--database-url",
                          database.url.replace(database.name, "no_such_db"))
    document = wait_kinds(daemon, "unreachable")
    assert document["exit_code"] == 4


def test_data_and_views_are_looked_at(start_daemon, drizzle, database,
                                      workdir):
    """What is wrong with data fails nothing, as it stops no deployment."""
    write(workdir / "data" / "2025-01-01_names.sql", "SELECT 1;")
    write(workdir / "views" / "v.sql", "CREATE OR REPLACE VIEW v AS SELECT 1;")
    daemon = start_daemon(
        "--migrations", drizzle(tables(1)), "--database-url", database.url,
        options={"data": workdir / "data", "repeatable": workdir / "views"})
    daemon.apply(json={"phases": ["schema", "repeatable"]})
    document = wait_kinds(daemon, "pending", "snapshot_missing")
    found = finding(document, "pending")
    assert (found["phase"], found["severity"]) == ("data", "warning")
    assert document["exit_code"] == 0
    assert check(daemon, "?strict")["exit_code"] == 3
    text = daemon.get("/check?format=text").text
    assert f"{workdir}/data/2025-01-01_names.sql: warning:" in text
    assert daemon.apply().status == 200
    wait_kinds(daemon, "snapshot_missing")

    write(workdir / "views" / "v.sql", "CREATE OR REPLACE VIEW v AS SELECT 2;")
    document = wait_kinds(daemon, "pending", "snapshot_missing")
    assert finding(document, "pending")["phase"] == "repeatable"
    assert document["exit_code"] == 3


# ---- files and journal ----------------------------------------------------

def test_journal_and_files(serve, drizzle, database):
    """What `diff` of sorted tags and sorted names shows, and more."""
    folder = drizzle(tables(4))
    daemon = serve(folder)
    daemon.apply()
    (folder / "0001_t1.sql").unlink()
    write(folder / "0002_t2.sql", "CREATE TABLE t2 (id bigint);")
    write(folder / "0009_stray.sql", "SELECT 1;")
    drizzle_add(folder, "0004_more", "SELECT 1;")
    # none of these folders has snapshots, which is one note
    document = wait_kinds(daemon, "file_missing", "modified", "pending",
                          "snapshot_missing", "unregistered")
    assert document["exit_code"] == 2
    missing = finding(document, "file_missing")
    assert missing["file"] == "meta/_journal.json"
    lines = (folder / "meta/_journal.json").read_text().splitlines()
    entry = "\n".join(lines[missing["line"] - 1:missing["line"] + 6])
    assert "0001_t1" in entry
    assert finding(document, "modified")["migration"] == "0002_t2"
    text = daemon.get("/check?format=text").text
    assert f"{folder}/0002_t2.sql: error: changed since it was applied" in text
    assert f"{folder}/0009_stray.sql: warning: not listed in" in text
    assert text.splitlines()[-1].startswith("check: files, exit code 2: ")


def test_line_ends_alone(serve, drizzle, workdir):
    folder = drizzle(tables(2))
    daemon = serve(folder)
    daemon.apply()
    path = folder / "0001_t1.sql"
    applied = path.read_bytes()
    assert b"\n" not in applied
    # an editor adds a newline
    write(path, applied + b"\n")
    document = wait_kinds(daemon, "eol_only", "snapshot_missing")
    assert document["exit_code"] == 0
    assert check(daemon, "?strict")["exit_code"] == 1
    for command in finding(document, "eol_only")["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    assert path.read_bytes() == applied
    wait_kinds(daemon, "snapshot_missing")


def test_crlf_of_a_checkout(serve, drizzle):
    sql = "CREATE TABLE a (\n\tid int\n);\n"
    folder = drizzle([("0000_a", sql)])
    daemon = serve(folder)
    daemon.apply()
    write(folder / "0000_a.sql", sql.replace("\n", "\r\n"))
    document = wait_kinds(daemon, "eol_only", "snapshot_missing")
    found = finding(document, "eol_only")
    assert "CRLF" in found["message"]
    for command in found["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    assert (folder / "0000_a.sql").read_text() == sql
    wait_kinds(daemon, "snapshot_missing")


def test_numbered_folders(serve, sequence):
    folder = sequence({"0001_a.sql": "CREATE TABLE a ();",
                       "0002_b.sql": "CREATE TABLE b ();"})
    daemon = serve(folder)
    daemon.apply()
    assert check(daemon, "?strict")["findings"] == []
    write(folder / "0000_late.sql", "SELECT 1;")
    document = wait_kinds(daemon, "out_of_order")
    assert document["exit_code"] == 8
    write(folder / "0000_late.sql",
          "-- migrationd: out-of-order\nSELECT 1;")
    wait_until(lambda: check(daemon)["exit_code"] == 0, 15)


# ---- what drizzle-orm 0.x passes over --------------------------------------

def test_passed_over_by_drizzle(serve, checkout, database):
    """A branch merged late: drizzle-orm's own migrator says nothing and does
    nothing. The commands make it anew behind the others."""
    require_node()
    checkout.generate("a", "name", "a")
    document = checkout.journal()
    late = dict(document["entries"][1], idx=1)
    checkout.generate("b", "name", "a", "b")
    # 0001_a was not there when the others were applied
    document = checkout.journal()
    document["entries"].pop(1)
    checkout.write_journal(document)
    assert drizzle_migrate(database, checkout.folder).returncode == 0
    document["entries"].insert(1, late)
    checkout.write_journal(document)
    assert drizzle_migrate(database, checkout.folder).returncode == 0
    assert len(database.drizzle_rows()) == 2, "passed over, and no word of it"

    daemon = serve(checkout.folder)
    found = finding(wait_kinds(daemon, "out_of_order"), "out_of_order")
    assert "has passed it over" in found["message"]
    assert found["migration"] == "0001_a"
    assert found["file"] == "meta/_journal.json"
    assert check(daemon)["exit_code"] == 8


def test_would_be_passed_over(serve, drizzle, database):
    """Before anything is applied it is a warning, afterwards an error; and
    the command mends the journal."""
    folder = drizzle([("0000_a", "CREATE TABLE a ();", T0),
                      ("0001_b", "CREATE TABLE b ();", T0 - 5)])
    daemon = serve(folder)
    document = wait_kinds(daemon, "pending", "pending", "snapshot_missing",
                          "when_order")
    found = finding(document, "when_order")
    assert found["severity"] == "warning"
    assert document["exit_code"] == 3
    assert check(daemon, "?strict")["exit_code"] == 2
    for command in found["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    wait_kinds(daemon, "pending", "pending", "snapshot_missing")
    assert daemon.apply().status == 200


def test_when_far_ahead(serve, drizzle, database):
    far = int(time.time() * 1000) + 40 * 86_400_000
    folder = drizzle([("0000_a", "CREATE TABLE a ();", far)])
    daemon = serve(folder)
    document = wait_kinds(daemon, "pending", "snapshot_missing",
                          "when_future")
    assert document["exit_code"] == 2
    for command in finding(document, "when_future")["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    wait_kinds(daemon, "pending", "snapshot_missing")


def test_when_far_ahead_and_applied(serve, drizzle, database):
    """Then the row is set back, too: both are in the finding."""
    far = int(time.time() * 1000) + 40 * 86_400_000
    folder = drizzle([("0000_a", "CREATE TABLE a ();", T0),
                      ("0001_b", "CREATE TABLE b ();", far)])
    daemon = serve(folder)
    daemon.apply()
    drizzle_add(folder, "0002_c", "CREATE TABLE c ();",
                int(time.time() * 1000))
    document = wait_kinds(daemon, "out_of_order", "snapshot_missing",
                          "when_future")
    found = finding(document, "when_future")
    update = found["remedy"][found["remedy"].index("UPDATE"):]
    database.query(update)
    for command in found["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    wait_kinds(daemon, "pending", "snapshot_missing")
    assert daemon.apply().status == 200
    assert database.has_table("c")


def test_idx_twice(files_daemon, drizzle):
    folder = drizzle(tables(3))
    document = json.loads((folder / "meta/_journal.json").read_text())
    document["entries"][2]["idx"] = 1
    write(folder / "meta/_journal.json", json.dumps(document, indent=2))
    daemon = files_daemon(folder)
    document = wait_kinds(daemon, "duplicate", "snapshot_missing",
                          query="?only=files")
    for command in finding(document, "duplicate")["commands"]:
        subprocess.run(["bash", "-c", command], check=True)
    wait_kinds(daemon, "snapshot_missing", query="?only=files")
    document = json.loads((folder / "meta/_journal.json").read_text())
    assert [e["idx"] for e in document["entries"]] == [0, 1, 2]
    assert [e["tag"] for e in document["entries"]] == [
        "0000_t0", "0001_t1", "0002_t2"]


# ---- forks ----------------------------------------------------------------

def merge_renumbered(checkout, workdir):
    """Two branches, of which the second was given the next number by hand
    when it was merged: two snapshots with one parent."""
    other = checkout.branch("other")
    checkout.generate("a", "name", "a")
    other.generate("b", "name", "b")
    shutil.copy(other.folder / "0001_b.sql", checkout.folder / "0002_b.sql")
    shutil.copy(other.folder / "meta/0001_snapshot.json",
                checkout.folder / "meta/0002_snapshot.json")
    document = checkout.journal()
    entry = dict(other.journal()["entries"][1], idx=2, tag="0002_b")
    document["entries"].append(entry)
    checkout.write_journal(document)
    write(checkout.path / "schema.ts", schema("name", "a", "b"))
    assert "collision" in checkout.kit_check(expect=1)


def assert_whole(database, checkout):
    """Applied, the table is what the schema says, and nothing is left to
    generate."""
    assert [r[0] for r in database.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass"
        " AND attnum > 0 ORDER BY 1")] == ["a", "b", "id", "name"]
    assert "No schema changes" in checkout.kit("generate")


def test_fork_and_its_way_out(serve, checkout, workdir, database):
    daemon = serve(checkout.folder)
    daemon.apply()
    merge_renumbered(checkout, workdir)
    document = wait_kinds(daemon, "pending", "pending", "snapshot_fork")
    found = finding(document, "snapshot_fork")
    assert "0001_a and 0002_b were both generated on top of 0000_init" in (
        found["message"])
    assert document["exit_code"] == 2
    for command in found["commands"]:
        checkout.shell(command)
    wait_kinds(daemon, "pending", "pending")
    checkout.kit_check()
    assert daemon.apply().status == 200
    assert check(daemon, "?strict")["findings"] == []
    assert_whole(database, checkout)


def test_fork_of_what_is_applied(serve, checkout, workdir, database):
    """The files stay, as they were applied; the snapshots are mended."""
    merge_renumbered(checkout, workdir)
    daemon = serve(checkout.folder)
    assert daemon.apply().status == 200
    document = wait_kinds(daemon, "snapshot_fork")
    for command in finding(document, "snapshot_fork")["commands"]:
        checkout.shell(command)
    wait_kinds(daemon, "pending")
    checkout.kit_check()
    assert daemon.apply().status == 200
    assert check(daemon, "?strict")["findings"] == []
    assert_whole(database, checkout)


def test_fork_with_one_number(serve, checkout, workdir, database):
    """Both branches took 0001: git lets one snapshot survive, drizzle-kit
    finds nothing wrong, and would generate the other's change once more."""
    shell = checkout.shell
    shell("git init -q -b main . && echo node_modules > .gitignore"
          " && git add -A && git commit -qm init && git branch mine")
    checkout.generate("a", "name", "a")
    shell("git add -A && git commit -qm a"
          " && git update-ref refs/remotes/origin/main main")
    theirs = checkout.journal()
    shell("git checkout -q mine")
    checkout.generate("b", "name", "b")
    shell("git add -A && git commit -qm b")
    mine = checkout.journal()
    shell("git merge -q origin/main", expect=1)
    # as people resolve it: my snapshot, and both entries
    shell("git checkout -q --ours drizzle/meta/0001_snapshot.json")
    theirs["entries"].append(mine["entries"][1])
    checkout.write_journal(theirs)
    write(checkout.path / "schema.ts", schema("name", "a", "b"))
    shell("git add -A && git commit -qm merge")
    checkout.kit_check()

    daemon = serve(checkout.folder)
    document = wait_kinds(daemon, "pending", "pending", "pending",
                          "snapshot_fork")
    found = finding(document, "snapshot_fork")
    assert "0001_a and 0001_b took the same number" in found["message"]
    assert found["migration"] == "0001_b"
    for command in found["commands"]:
        shell(command)
    wait_kinds(daemon, "pending", "pending", "pending")
    assert daemon.apply().status == 200
    assert check(daemon, "?strict")["findings"] == []
    assert_whole(database, checkout)


def test_fork_with_one_number_and_applied(serve, checkout, database):
    other = checkout.branch("other")
    checkout.generate("a", "name", "a")
    other.generate("b", "name", "b")
    shutil.copy(other.folder / "0001_b.sql", checkout.folder / "0001_b.sql")
    document = checkout.journal()
    document["entries"].append(other.journal()["entries"][1])
    checkout.write_journal(document)
    write(checkout.path / "schema.ts", schema("name", "a", "b"))
    daemon = serve(checkout.folder)
    assert daemon.apply().status == 200
    document = wait_kinds(daemon, "snapshot_fork")
    for command in finding(document, "snapshot_fork")["commands"]:
        checkout.shell(command)
    document = wait_kinds(daemon, "pending", "snapshot_fork")
    assert finding(document, "snapshot_fork")["severity"] == "note"
    assert daemon.apply().status == 200
    assert check(daemon, "?strict")["exit_code"] == 0
    assert_whole(database, checkout)


# ---- snapshots ------------------------------------------------------------

def test_snapshots_that_are_not_right(files_daemon, checkout):
    checkout.generate("a", "name", "a")
    checkout.generate("b", "name", "a", "b")
    daemon = files_daemon(checkout.folder)
    meta = checkout.folder / "meta"
    only = {"query": "?only=files"}
    assert check(daemon, "?only=files&strict")["findings"] == []

    middle = (meta / "0001_snapshot.json").read_text()
    (meta / "0001_snapshot.json").unlink()
    found = finding(wait_kinds(daemon, "snapshot_missing", **only),
                    "snapshot_missing")
    assert (found["severity"], found["migration"]) == ("note", "0001_a")
    assert check(daemon, "?only=files&strict")["exit_code"] == 0

    write(meta / "0001_snapshot.json", "<<<<<<< HEAD\n" + middle)
    found = finding(wait_kinds(daemon, "snapshot_chain", "snapshot_invalid",
                               **only), "snapshot_invalid")
    assert (found["file"], found["line"]) == ("meta/0001_snapshot.json", 1)

    write(meta / "0001_snapshot.json", middle[:-30])
    wait_kinds(daemon, "snapshot_chain", "snapshot_invalid", **only)
    write(meta / "0001_snapshot.json", middle)
    write(meta / "0003_snapshot.json",
          middle.replace(json.loads(middle)["id"], "another"))
    found = finding(wait_kinds(daemon, "snapshot_orphan", **only),
                    "snapshot_orphan")
    for command in found["commands"]:
        checkout.shell(command)
    assert wait_kinds(daemon, **only)["exit_code"] == 0


def test_a_folder_that_loses_its_journal(files_daemon, checkout):
    """What was read of it as a folder of drizzle-kit is forgotten."""
    meta = checkout.folder / "meta"
    daemon = files_daemon(checkout.folder)
    assert check(daemon, "?only=files")["folder"]["snapshots"] == 1
    meta.rename(checkout.path / "meta")
    wait_until(lambda: check(daemon, "?only=files")["folder"]["layout"]
               == "sequence", 15)
    assert check(daemon, "?only=files")["folder"]["snapshots"] == 0
    (checkout.path / "meta").rename(meta)
    wait_until(lambda: check(daemon, "?only=files")["folder"]["snapshots"]
               == 1, 15)


def test_a_journal_in_conflict(files_daemon, checkout):
    path = checkout.folder / "meta/_journal.json"
    text = path.read_text()
    write(path, text.replace('  "entries"', '<<<<<<< HEAD\n  "entries"'))
    daemon = files_daemon(checkout.folder)
    document = wait_kinds(daemon, "folder", query="?only=files")
    found = finding(document, "folder")
    assert (found["file"], found["line"]) == ("meta/_journal.json", 4)
    assert document["exit_code"] == 2
    write(path, journal([("0000_init", T0)]))
    wait_kinds(daemon, query="?only=files")


def test_older_than_what_has_no_file(serve, sequence):
    """The place of a row without a file is the layout's to tell."""
    folder = sequence({"V2__b.sql": "CREATE TABLE b (id int);\n"})
    daemon = serve(folder, "--layout", "flyway")
    assert daemon.apply().status == 200
    (folder / "V2__b.sql").unlink()
    write(folder / "V1__a.sql", "CREATE TABLE a (id int);\n")
    found = finding(wait_kinds(daemon, "out_of_order", "recorded_only"),
                    "out_of_order")
    assert found["migration"] == "V1__a"
    assert "not newer than b" in found["message"]
