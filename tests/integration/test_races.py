# SPDX-License-Identifier: PostgreSQL
"""Many daemons, many callers, one database, new migrations again and again:
each exactly once. ROUNDS says how often (40 is the full measure, about two
minutes)."""

import collections
import concurrent.futures
import os

import pytest

from harness.daemon import applied_ids
from harness.folder import drizzle_add
from harness.interop import drizzle_migrate, require_node
from harness.wait import wait_until

DAEMONS = 8
CALLERS = 25
ROUNDS = int(os.environ.get("ROUNDS", "10"))
PER_ROUND = 3
# no key and no IF NOT EXISTS: whatever runs twice is seen to
EFFECT = ("INSERT INTO effects (migration) VALUES ('{0}');"
          " SELECT pg_sleep(0.003);")
STRANGERS = ("SELECT count(*) FROM pg_stat_activity"
             " WHERE datname = current_database()"
             " AND backend_type = 'client backend'"
             " AND application_name NOT LIKE 'migrationd%'"
             " AND pid <> pg_backend_pid()")
SETUP = ("CREATE TABLE effects (migration text,"
         " at timestamptz DEFAULT clock_timestamp())")


@pytest.fixture
def crowd(serve, drizzle, database):
    """crowd(*args) -> (daemons, folder), on a database with a place to count."""
    database.execute(SETUP)

    def gather(*args):
        folder = drizzle([("0000_first", EFFECT.format("0000_first"))])
        return [serve(folder, *args) for _ in range(DAEMONS)], folder
    return gather


def add_round(folder, number):
    """New files, as a deploy brings them; their ids in order."""
    tags = [f"{number:04d}_{letter}" for letter in "abc"[:PER_ROUND]]
    for tag in tags:
        drizzle_add(folder, tag, EFFECT.format(tag))
    return tags


def wait_until_listed(daemons, tag):
    for daemon in daemons:
        wait_until(lambda d=daemon: d.states()[tag], 20, 0.02,
                   f"{tag} is listed")


def ask_all(pool, daemons, tags):
    """All callers of all daemons at once, once each daemon has read the new
    files: [(daemon, answer)]."""
    wait_until_listed(daemons, tags[-1])
    asked = [(d, pool.submit(d.apply, timeout=120))
             for d in daemons for _ in range(CALLERS)]
    return [(d, f.result()) for d, f in asked]


def assert_exactly_once(database, expected):
    effects = collections.Counter(
        r[0] for r in database.query("SELECT migration FROM effects"))
    assert effects == {tag: 1 for tag in expected}
    assert [r[0] for r in database.query(
        "SELECT migration FROM effects ORDER BY at")] == expected
    rows = database.query(
        "SELECT xmin::text FROM drizzle.__drizzle_migrations ORDER BY id")
    marks = database.query("SELECT xmin::text FROM effects ORDER BY at")
    return rows, marks


def test_daemons_and_callers(crowd, database):
    daemons, folder = crowd()
    expected = ["0000_first"]
    claims = {}  # migration -> the run that says it applied it
    with concurrent.futures.ThreadPoolExecutor(DAEMONS * CALLERS) as pool:
        for number in range(1, ROUNDS + 1):
            tags = add_round(folder, number)
            expected += tags
            answers = ask_all(pool, daemons, tags)
            assert {a.status for _, a in answers} == {200}, [
                a for _, a in answers if a.status != 200][:2]
            rows, marks = assert_exactly_once(database, expected)
            assert rows == marks, "recorded in another transaction"
            for run in (a.json() for _, a in answers):
                for tag in applied_ids(run):
                    assert claims.setdefault(tag, run["id"]) == run["id"]
    assert sorted(claims) == expected
    for daemon in daemons:
        assert daemon.wait_verdict("current")


def test_with_an_application_that_migrates_too(crowd, database):
    """drizzle-orm's own migrate() in the same moment, guard = on: whoever
    comes second rolls back. It may be us: then nothing is half done, and the
    next apply is content."""
    require_node()
    daemons, folder = crowd("--guard=on")
    assert daemons[0].apply().status == 200
    expected = ["0000_first"]
    theirs, ours = collections.Counter(), collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(DAEMONS * CALLERS + 1) as pool:
        for number in range(1, max(3, ROUNDS // 3) + 1):
            tags = add_round(folder, number)
            expected += tags
            wait_until_listed(daemons, tags[-1])
            other = pool.submit(drizzle_migrate, database, folder)
            # node takes its time to get there
            wait_until(lambda o=other: o.done() or database.value(STRANGERS),
                       30, 0.001)
            answers = ask_all(pool, daemons, tags)
            done = other.result()
            theirs[done.returncode] += 1
            ours.update(a.status for _, a in answers)
            assert done.returncode == 0 or "23505" in done.stderr, done.stderr
            assert {a.status for _, a in answers} <= {200, 409, 422}, [
                a for _, a in answers if a.status not in (200, 409, 422)][:2]
            for daemon in daemons:
                assert daemon.apply().status == 200
            assert_exactly_once(database, expected)
    print("drizzle-orm ended with", dict(theirs), "callers heard", dict(ours))
