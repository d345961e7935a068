# SPDX-License-Identifier: PostgreSQL
"""What our sessions set, whatever server, database and role say; and that a
daemon that is gone takes its session with it."""


import pytest

from harness.wait import wait_until

# what a migration finds, by version of the server
EXPECTED = {
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "client_connection_check_interval": "1000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
SEEN = ("CREATE TABLE seen AS SELECT name, setting FROM pg_settings"
        " WHERE name IN ('statement_timeout', "
        + ", ".join(f"'{name}'" for name in EXPECTED) + ");")

HOSTILE = {
    "statement_timeout": "150ms",
    "lock_timeout": "100ms",
    "idle_in_transaction_session_timeout": "120ms",
    "synchronous_commit": "off",
    "default_transaction_isolation": "serializable",
    "client_connection_check_interval": "0",
}


@pytest.fixture
def hostile(database):
    """A database whose settings would end every longer migration."""
    known = {r[0] for r in database.query("SELECT name FROM pg_settings")}
    for name, value in HOSTILE.items():
        if name in known:
            database.execute(
                f'ALTER DATABASE "{database.name}" SET {name} = %s', value)
    return database


def inherited_lines(daemon):
    return [line for line in daemon.log_lines() if "inherited" in line]


def test_settings_of_the_database_do_not_count(serve, drizzle, hostile):
    daemon = serve(drizzle([
        ("0000_seen", SEEN + "SELECT pg_sleep(0.5);"),
        # what one file sets is gone in the next
        ("0001_set", "SET statement_timeout = '100ms';"),
        ("0002_slow", "SELECT pg_sleep(0.5);")]))
    got = daemon.apply()
    assert got.status == 200, repr(got)
    seen = dict(hostile.query("SELECT name, setting FROM seen"))
    assert seen.pop("statement_timeout") == "0"
    assert seen == {name: EXPECTED[name] for name in seen}
    assert len(seen) >= len(EXPECTED) - 3  # what older servers lack


def test_what_does_not_count_is_logged_once_a_run(serve, drizzle, hostile):
    daemon = serve(drizzle([("0000_a", "CREATE TABLE a (id int);"),
                            ("0001_b", "CREATE TABLE b (id int);")]))
    run = daemon.apply().json()["id"]
    [line] = inherited_lines(daemon)
    assert line["run"] == run
    assert line["inherited"] == (
        "idle_in_transaction_session_timeout = 120ms, lock_timeout = 100ms, "
        "statement_timeout = 150ms")
    daemon.apply()
    assert len(inherited_lines(daemon)) == 2


def test_nothing_is_logged_where_nothing_is_inherited(serve, drizzle):
    daemon = serve(drizzle([("0000_a", "CREATE TABLE a (id int);")]))
    assert daemon.apply().status == 200
    assert inherited_lines(daemon) == []


def test_settings_of_the_role_too(serve, drizzle, database):
    database.execute("DROP ROLE IF EXISTS hasty")
    database.execute("CREATE ROLE hasty LOGIN SUPERUSER")
    database.execute("ALTER ROLE hasty SET statement_timeout = '100ms'")
    try:
        daemon = serve(drizzle([("0000_slow", "SELECT pg_sleep(0.5);")]),
                       "--database-url", database.url_as("hasty"))
        assert daemon.apply().status == 200
        [line] = inherited_lines(daemon)
        assert line["inherited"] == "statement_timeout = 100ms"
        daemon.stop()
    finally:
        database.execute("DROP OWNED BY hasty CASCADE")
        database.execute("DROP ROLE hasty")


def test_a_hostile_search_path_does_not_hide_them(serve, drizzle, hostile):
    hostile.execute("CREATE SCHEMA evil")
    hostile.execute("CREATE VIEW evil.pg_settings AS SELECT 'x'::text AS name,"
                    " 'y'::text AS reset_val, 'z'::text AS unit")
    hostile.execute(f'ALTER DATABASE "{hostile.name}"'
                    " SET search_path = evil, pg_catalog, public")
    daemon = serve(drizzle([("0000_a", "CREATE TABLE public.a (id int);")]))
    assert daemon.apply().status == 200
    [line] = inherited_lines(daemon)
    assert "lock_timeout = 100ms" in line["inherited"]


def test_a_killed_daemon_takes_its_lock_with_it(serve, drizzle, hostile):
    daemon = serve(drizzle([("0000_slow", "SELECT pg_sleep(60);")]))
    daemon.apply(Prefer="respond-async")

    def locks():
        return hostile.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database"
            " WHERE datname = current_database())")

    wait_until(lambda: daemon.states()["0000_slow"] == "running", 5)
    assert locks() > 0
    daemon.kill()
    if hostile.value("SELECT current_setting('server_version_num')::int"
                     " < 140000"):
        pytest.skip("client_connection_check_interval is of PostgreSQL 14")
    # not the 60 s of the statement
    wait_until(lambda: locks() == 0, 20)
    wait_until(lambda: hostile.sessions() == 0)
