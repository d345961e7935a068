# SPDX-License-Identifier: PostgreSQL
"""The gate that other tests stand on, whoever comes to it and how."""

import concurrent.futures

import pytest

from harness.pgbouncer import PgBouncer


@pytest.fixture
def nobody(database):
    """A session of a role without rights, whose transactions look at one
    moment and whose search_path is of no help."""
    database.execute("DROP ROLE IF EXISTS nobody_at_the_gate")
    database.execute("CREATE ROLE nobody_at_the_gate LOGIN")
    connection = database.connect("nobody_at_the_gate")
    connection.cursor().execute(
        "SET default_transaction_isolation = 'repeatable read';"
        " SET search_path = ''")
    yield connection
    connection.close()
    database.execute("DROP ROLE nobody_at_the_gate")


@pytest.fixture
def pooled(postgres, database):
    pooler = PgBouncer(postgres, "transaction")
    connection = pooler.connect(database.name)
    yield connection
    connection.close()
    pooler.stop()


@pytest.fixture(params=["nobody", "pooled"])
def session(request):
    return request.getfixturevalue(request.param)


def test_it_is_passed_when_it_is_open(database, gate, session):
    others = database.sessions()
    cursor = session.cursor()
    with concurrent.futures.ThreadPoolExecutor() as pool, gate:
        passed = pool.submit(
            cursor.execute,
            "BEGIN; SELECT count(*) FROM pg_catalog.pg_stat_activity;"
            + gate.sql + "COMMIT")
        [pid] = gate.wait()
        assert not passed.done()
        assert database.query(
            "SELECT locktype FROM pg_locks WHERE pid = %s"
            " AND locktype NOT IN ('virtualxid', 'relation')", pid) == []
        assert others <= database.sessions() <= others + 1
        gate.open()
        passed.result(timeout=30)
