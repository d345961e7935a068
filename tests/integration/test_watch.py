# SPDX-License-Identifier: PostgreSQL
"""The folder changes in the ways that clusters and people change it, and the
daemon sees it."""

import hashlib
import os
import shutil
import time

import pytest

from harness.folder import (T0, drizzle_add, drizzle_folder, journal,
                            sequence_folder, tables, write)
from harness.probes import assert_prompt
from harness.wait import wait_until

# above the quiet time after an event, far below the default of the timer:
# what is seen within it was seen through an event
EVENT_SECONDS = 8
QUICK = {"settle": "100ms", "rescan_interval": "1s"}


def test_new_migration_appears(serve, drizzle):
    folder = drizzle(tables(2))
    daemon = serve(folder)
    daemon.apply()
    drizzle_add(folder, "0002_t2", "CREATE TABLE t2 (id int);")
    status = daemon.wait_verdict("pending", timeout=EVENT_SECONDS)
    assert status["pending"] == ["0002_t2"]
    assert daemon.apply().json()["applied"][0]["id"] == "0002_t2"


def test_new_file_in_a_sequence_folder(serve, sequence):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    daemon = serve(folder)
    daemon.apply()
    write(folder / "0002_b.sql", "SELECT 2;")
    status = daemon.wait_verdict("pending", timeout=EVENT_SECONDS)
    assert status["pending"] == ["0002_b"]


def test_apply_on_change(serve, drizzle, database):
    folder = drizzle(tables(1))
    daemon = serve(folder, "--apply-on-change")
    daemon.apply()
    drizzle_add(folder, "0001_t1", "CREATE TABLE t1 (id int);")
    wait_until(lambda: database.has_table("t1"), EVENT_SECONDS)
    daemon.wait_verdict("current")


def test_apply_on_change_does_not_repeat_a_failure(serve, drizzle, database,
                                                   postgres):
    folder = drizzle(tables(1))
    daemon = serve(folder, "--apply-on-change", options=QUICK)
    daemon.apply()
    mark = len(postgres.log())
    drizzle_add(folder, "0001_bad", "SELECT no_such_thing_77;")
    daemon.wait_verdict("failed")
    # a change elsewhere in the folder, and several scans by the timer
    write(folder / "README", "x")
    scans = scans_total(daemon)
    wait_until(lambda: scans_total(daemon) > scans + 3, 20)
    ran = [line for line in postgres.log()[mark:].splitlines()
           if "SELECT no_such_thing_77" in line and "LOG:" in line]
    assert len(ran) == 1
    write(folder / "0001_bad.sql", "CREATE TABLE mended (id int);")
    wait_until(lambda: database.has_table("mended"), EVENT_SECONDS)


def scans_total(daemon):
    return sum(float(line.split()[-1])
               for line in daemon.get("/metrics").text.splitlines()
               if line.startswith("migrationd_directory_scans_total{"))


# -- Kubernetes -----------------------------------------------------------------------

class ConfigMap:
    """A volume as the kubelet's AtomicWriter keeps it: data in a directory
    with a timestamp, `..data` a link to it that is swapped by rename."""

    def __init__(self, mount):
        self.mount = mount
        self.count = 0
        mount.mkdir()

    def update(self, files):
        self.count += 1
        fresh = self.mount / f"..2026_11_20_0{self.count}.{self.count}"
        sequence_folder(fresh, files)
        data = self.mount / "..data"
        old = os.readlink(data) if data.is_symlink() else None
        for name in files:
            visible = self.mount / name
            if not visible.is_symlink():
                visible.symlink_to(f"..data/{name}")
        (self.mount / "..data_tmp").symlink_to(fresh.name)
        os.replace(self.mount / "..data_tmp", data)
        for link in self.mount.iterdir():
            if not link.name.startswith("..") and link.name not in files:
                link.unlink()
        if old:
            shutil.rmtree(self.mount / old)


def test_config_map(serve, workdir, database):
    volume = ConfigMap(workdir / "cm")
    files = {"0001_a.sql": "CREATE TABLE a (id int);"}
    volume.update(files)
    daemon = serve(volume.mount)
    got = daemon.apply()
    assert got.status == 200, repr(got)
    for number in range(2, 5):
        files[f"000{number}_x.sql"] = f"CREATE TABLE x{number} (id int);"
        volume.update(files)
        status = daemon.wait_verdict("pending", timeout=EVENT_SECONDS)
        assert status["pending"] == [f"000{number}_x"]
        assert daemon.apply().status == 200
    # the content of a key changes, its name does not: no event names it
    files["0001_a.sql"] = "CREATE TABLE a (id bigint);"
    volume.update(files)
    checksum = hashlib.sha256(files["0001_a.sql"].encode()).hexdigest()
    wait_until(lambda: checksum in daemon.get("/migrations/0001_a").text,
               EVENT_SECONDS)
    assert database.has_table("x4")


def test_git_sync(serve, workdir):
    """`current` is a link to a worktree and is swapped; we are given a path
    through it, so no event ever reaches us."""
    migrations = tables(3)
    for number in (1, 2, 3):
        drizzle_folder(workdir / f"rev{number}" / "migrations",
                       migrations[:number])
    current = workdir / "current"
    current.symlink_to("rev1")
    daemon = serve(current / "migrations", options=QUICK)
    assert daemon.apply().status == 200
    for number in (2, 3):
        (workdir / "next").symlink_to(f"rev{number}")
        os.replace(workdir / "next", current)
        shutil.rmtree(workdir / f"rev{number - 1}")
        status = daemon.wait_verdict("pending")
        assert status["pending"] == [migrations[number - 1][0]]
        assert daemon.apply().status == 200
    # and the new directory is watched from now on
    drizzle_add(workdir / "rev3" / "migrations", "0003_more", "SELECT 1;")
    daemon.wait_verdict("pending")


# -- people ------------------------------------------------------------------------------

def test_folder_deleted_and_made_again(serve, drizzle):
    folder = drizzle(tables(2))
    daemon = serve(folder, options=QUICK)
    daemon.apply()
    for _ in range(2):
        shutil.rmtree(folder)
        daemon.wait_verdict("invalid")
        assert "RESOURCE_NOT_FOUND" in daemon.get("/status").text
        drizzle(tables(2))
        daemon.wait_verdict("current")
    drizzle_add(folder, "0002_x", "SELECT 1;")
    daemon.wait_verdict("pending")


def test_folder_that_comes_later(serve, workdir, drizzle):
    daemon = serve(workdir / "drizzle", options=QUICK)
    daemon.wait_verdict("invalid")
    drizzle(tables(1))
    daemon.wait_verdict("pending")
    assert daemon.apply().status == 200


def test_slow_writer_is_not_read_half(serve, drizzle, database):
    """A file that is written over a second is run whole or not at all."""
    folder = drizzle(tables(1))
    daemon = serve(folder, "--apply-on-change")
    daemon.apply()
    write(folder / "meta/_journal.json",
          journal([("0000_t0", T0), ("0001_slow", T0 + 60_000)]))
    with open(folder / "0001_slow.sql", "w", encoding="utf-8") as slow:
        slow.write("CREATE TABLE half (id int);\n")
        slow.flush()
        for _ in range(12):
            time.sleep(0.1)     # the writer's own pace, not a wait
            slow.write("-- still writing\n")
            slow.flush()
        slow.write("CREATE TABLE whole (id int);\n")
    wait_until(lambda: database.has_table("whole"), 15)
    assert daemon.wait_verdict("current")
    assert database.has_table("half")
    assert len(database.drizzle_rows()) == 2


def test_looks_that_follow_each_other_are_one(serve, sequence):
    """A writer pauses for less than `settle`; the timer looks twice meanwhile."""
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    daemon = serve(folder, options={"settle": "60s", "rescan_interval": "1s"})
    daemon.apply()
    write(folder / "0002_b.sql", "CREATE TABLE half (id int);")
    scans = scans_total(daemon)
    wait_until(lambda: scans_total(daemon) > scans + 3, 30)
    assert daemon.verdict() == "current"
    assert list(daemon.states()) == ["0001_a"]


def test_a_request_is_no_second_look(serve, sequence):
    """POST /apply looks at the folder, too: right behind a look of the timer,
    which saw the new file first."""
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    daemon = serve(folder, options={"settle": "2s", "rescan_interval": "1s"})
    daemon.apply()
    scans = scans_total(daemon)
    began = time.monotonic()
    write(folder / "0002_b.sql", "SELECT 2;")
    wait_until(lambda: scans_total(daemon) > scans, 30)
    [applied] = daemon.apply(timeout=60).json()["applied"]
    assert applied["id"] == "0002_b"
    assert time.monotonic() - began >= 2


def test_journal_before_its_file(serve, drizzle):
    folder = drizzle(tables(1))
    daemon = serve(folder)
    daemon.apply()
    write(folder / "meta/_journal.json",
          journal([("0000_t0", T0), ("0001_late", T0 + 60_000)]))
    daemon.wait_verdict("invalid")
    write(folder / "0001_late.sql", "CREATE TABLE late (id int);")
    daemon.wait_verdict("pending")


@pytest.mark.parametrize("file", ["migration.sql", "up.sql"])
def test_edit_in_the_folder_of_a_migration(serve, workdir, file):
    """drizzle-kit 1.0 and Diesel: a folder for each migration."""
    folder = sequence_folder(workdir / "m", {
        f"2024010{day}000000_{day}/{file}": f"CREATE TABLE t{day} (id int);"
        for day in (1, 2)})
    daemon = serve(folder)
    assert daemon.apply().status == 200
    for day in (1, 2):
        write(folder / f"2024010{day}000000_{day}" / file,
              f"CREATE TABLE t{day} (id bigint);")
        wait_until(lambda: list(daemon.states().values()).count(
            "modified") == day, EVENT_SECONDS)

    # the folder first, its file a while later
    late = folder / "20240103000000_3"
    scans = scans_total(daemon)
    late.mkdir()
    wait_until(lambda: scans_total(daemon) > scans, EVENT_SECONDS)
    write(late / file, "CREATE TABLE t3 (id int);")
    wait_until(lambda: late.name in daemon.states(), EVENT_SECONDS)


def test_edit_in_place_and_by_rename(serve, drizzle):
    folder = drizzle(tables(1))
    daemon = serve(folder)
    daemon.apply()
    original = (folder / "0000_t0.sql").read_text()
    with open(folder / "0000_t0.sql", "a", encoding="utf-8") as file:
        file.write("-- more")
    daemon.wait_verdict("drift", timeout=EVENT_SECONDS)
    write(folder / "0000_t0.sql", original)
    daemon.wait_verdict("current", timeout=EVENT_SECONDS)


@pytest.mark.parametrize("noise", [".0001_b.sql.swp", "0001_b.sql~", "4913",
                                   ".git", "#0001_b.sql#", "README.md",
                                   "0001_b.sql.orig"])
def test_noise_of_editors_is_no_migration(serve, sequence, noise):
    folder = sequence({"0001_a.sql": "SELECT 1;"})
    write(folder / noise, "garbage")
    daemon = serve(folder)
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert list(daemon.states()) == ["0001_a"] or daemon.states()[
        "0001_a"] == "applied"
    assert daemon.verdict() == "current"


def test_burst_of_changes(serve, drizzle):
    folder = drizzle(tables(1))
    daemon = serve(folder)
    daemon.apply()
    for index in range(2000):
        (folder / f"noise{index % 50}").write_text(str(index))
    drizzle_add(folder, "0001_x", "SELECT 1;")
    daemon.wait_verdict("pending", timeout=15)
    assert_prompt(daemon, 0.5, "/livez")


def test_a_run_keeps_the_text_it_planned(serve, drizzle, database, gate):
    """A file changed while the one before it runs: what was hashed is what
    is executed."""
    folder = drizzle([("0000_slow", gate.sql),
                      ("0001_b", "CREATE TABLE planned (id int);")])
    daemon = serve(folder)
    daemon.wait_verdict("pending")
    location = daemon.apply(Prefer="respond-async").headers["Location"]
    gate.wait()
    write(folder / "0001_b.sql", "CREATE TABLE changed (id int);")
    gate.open()
    wait_until(lambda: daemon.get(location).json()["finished_at"])
    ran = "planned" if database.has_table("planned") else "changed"
    recorded = database.drizzle_rows()[1][0]
    text = f"CREATE TABLE {ran} (id int);"
    assert recorded == hashlib.sha256(text.encode()).hexdigest()
