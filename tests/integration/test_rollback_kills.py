# SPDX-License-Identifier: PostgreSQL
"""A rollback that is killed at any of its steps leaves each migration as it was, or
undone with its row; the next one comes to the end."""

import collections
import http.client
import os
import signal

import pytest

pytestmark = pytest.mark.skipif(
    "MIGRATIOND_FAILPOINT_BIN" not in os.environ,
    reason="MIGRATIOND_FAILPOINT_BIN names no build with --enable-failpoints")

FILES = {
    "0001_a.sql": "CREATE TABLE a (id int);\n-- ROLLBACK SQL\n-- DROP TABLE a;\n",
    "0002_b.sql": "CREATE TABLE b (id int);\n"
                  "CREATE INDEX CONCURRENTLY b_id ON b (id);\n"
                  "-- ROLLBACK SQL\n-- DROP INDEX CONCURRENTLY b_id;\n"
                  "-- DROP TABLE b;\n",
    "0003_c.sql": "CREATE TABLE c (id int);\n-- ROLLBACK SQL\n-- DROP TABLE c;\n",
}
ALL = {"all": True}


@pytest.fixture
def begin(serve, sequence, database):
    """A daemon with that failpoint, on a database where all is applied."""
    folder = sequence(FILES)

    def start(failpoint=None):
        env = {"MIGRATIOND_FAILPOINT": failpoint} if failpoint else None
        return serve(folder, "--rollback", env=env)

    def prepare():
        daemon = start()
        assert daemon.apply(timeout=30).status == 200
        daemon.stop()
    return prepare, start


def rows(database):
    return {r[0] for r in database.query(
        "SELECT version FROM public.schema_migrations")}


def check(database):
    """What is recorded is there, and the other way round."""
    recorded = rows(database)
    assert recorded in ({"0001", "0002", "0003"}, {"0001", "0002"}, {"0001"},
                        set()), recorded
    for number, table in enumerate("abc", 1):
        assert database.has_table(table) == (f"000{number}" in recorded), table


def steps(begin, path):
    """(name, n) of each step of a rollback that nobody kills."""
    prepare, start = begin
    prepare()
    daemon = start(f"trace={path}")
    assert daemon.post("/rollback", json=ALL, timeout=30).status == 200
    daemon.stop()
    seen = collections.Counter()
    found = []
    for name in path.read_text(encoding="utf-8").split("\n"):
        if name.startswith("state:"):
            seen[name] += 1
            found.append((name, seen[name]))
    return found


def test_killed_at_every_step(begin, database, workdir):
    found = steps(begin, workdir / "trace")
    assert len(found) > 25 and ("state:record>commit", 3) in found
    prepare, start = begin
    for name, n in found:
        prepare()
        daemon = start(f"{name}:{n}=kill")
        with pytest.raises((OSError, http.client.HTTPException)):
            daemon.post("/rollback", json=ALL, timeout=30)
        daemon.stop(expect=-signal.SIGKILL)
        check(database)
        again = start()
        got = again.post("/rollback", json=ALL, timeout=30)
        assert got.status == 200, (name, n, repr(got))
        check(database)
        assert rows(database) == set(), (name, n)
        assert database.query("SELECT * FROM migrationd.statements") == []
        again.stop()
