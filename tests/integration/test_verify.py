# SPDX-License-Identifier: PostgreSQL
"""A baseline with verify: what the database has is compared with what the
folder makes of an empty one, before anything is recorded."""

import pytest

from harness.daemon import applied_ids
from harness.wait import wait_until

REFUSED = 8
USERS = ("0000_users", """
CREATE SCHEMA app;
CREATE TYPE app.mood AS ENUM ('glad', 'sad');
CREATE TABLE app.users (id serial PRIMARY KEY, email varchar(200) NOT NULL,
    mood app.mood DEFAULT 'glad');""")
VIEW = ("0001_view", """
CREATE VIEW app.glad AS SELECT id, email FROM app.users WHERE mood = 'glad';
CREATE FUNCTION app.one() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE INDEX by_email ON app.users (email);""")
ORDERS = ("0002_orders", """
CREATE TABLE app.orders (id int PRIMARY KEY,
    of_user int REFERENCES app.users);""")


def scratch_databases(database):
    return [r[0] for r in database.query(
        "SELECT datname FROM pg_database WHERE"
        " starts_with(datname, 'migrationd_verify_')")]


def applies_there(database):
    return database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
        " '%pg_sleep(120)%' AND datname LIKE 'migrationd_verify_%'")


def make(database, *migrations):
    """By other means: no row anywhere says so."""
    for _, sql in migrations:
        database.execute(sql)


def recorded(database):
    return (database.drizzle_rows()
            if database.has_table("drizzle.__drizzle_migrations") else [])


def test_a_right_baseline_is_recorded(serve, drizzle, database):
    make(database, USERS, VIEW, ORDERS)
    database.execute("INSERT INTO app.users (email) VALUES ('a@example.org')")
    daemon = serve(drizzle([USERS, VIEW, ORDERS]))
    got = daemon.post("/baseline", json={"all": True, "verify": True})
    assert got.status == 200, repr(got)
    run = got.json()
    assert run["verify"] is True
    assert run["differences"] == []
    assert len(applied_ids(run)) == 3
    assert len(recorded(database)) == 3
    assert scratch_databases(database) == []
    assert daemon.verdict() == "current"


def test_up_to_the_same_migration(serve, drizzle, database):
    make(database, USERS, VIEW)
    daemon = serve(drizzle([USERS, VIEW, ORDERS]))
    got = daemon.post("/baseline", json={"all": True, "verify": True})
    assert got.problem(409)["differences"] == [
        "table app.orders is missing in the database"]
    got = daemon.post("/baseline",
                      json={"target": "0001_view", "verify": True})
    assert got.status == 200, repr(got)
    assert len(recorded(database)) == 2
    assert applied_ids(daemon.apply().json()) == ["0002_orders"]


def test_a_wrong_baseline_is_refused(serve, drizzle, database):
    make(database, USERS, VIEW)
    database.execute("""
        DROP VIEW app.glad; DROP INDEX app.by_email;
        ALTER TABLE app.users ALTER email TYPE text, ALTER email DROP NOT NULL;
        CREATE TABLE app.by_hand (x int);
        CREATE OR REPLACE FUNCTION app.one() RETURNS int LANGUAGE sql
            AS 'SELECT 2';""")
    daemon = serve(drizzle([USERS, VIEW]))
    got = daemon.post("/baseline", json={"all": True, "verify": True})
    problem = got.problem(409, "CONFIGURATION")
    assert problem["exit_code"] == REFUSED
    assert problem["outcome"] == "refused"
    assert "5 differences" in problem["detail"]
    assert problem["more_differences"] == 0
    function = [d for d in problem["differences"]
                if d.startswith("function app.one() differs from line ")]
    assert len(function) == 1 and "SELECT 2" in function[0]
    assert [d for d in problem["differences"] if d not in function] == [
        "column app.users.email is text, the folder says"
        " character varying(200) NOT NULL",
        "index app.by_email is missing in the database",
        "table app.by_hand is in the database, and the folder does not make it",
        "view app.glad is missing in the database"]
    assert recorded(database) == []
    assert scratch_databases(database) == []
    assert set(daemon.states().values()) == {"pending"}

    text = daemon.post("/baseline", json={"all": True, "verify": True},
                       Accept="text/plain").text
    assert "index app.by_email is missing in the database" in text
    run = daemon.get(f"/runs/{problem['run_id']}").json()
    assert run["differences"] == problem["differences"]


def test_more_differences_than_anybody_reads(serve, drizzle, database):
    daemon = serve(drizzle([("0000_many", "".join(
        f"CREATE TABLE t{i} (x int);" for i in range(130)))]))
    problem = daemon.post("/baseline",
                          json={"all": True, "verify": True}).problem(409)
    assert "130 differences" in problem["detail"]
    assert len(problem["differences"]) == 100
    assert problem["more_differences"] == 30


def test_without_the_right_to_create_databases(start_daemon, drizzle,
                                               database):
    database.execute("CREATE ROLE verify_plain LOGIN")
    try:
        database.execute(
            f'GRANT CREATE ON DATABASE "{database.name}" TO verify_plain')
        daemon = start_daemon("--migrations", drizzle([USERS]),
                              "--database-url", database.url_as("verify_plain"))
        got = daemon.post("/baseline", json={"all": True, "verify": True})
        problem = got.problem(409, "PERMISSION_DENIED")
        assert problem["exit_code"] == REFUSED
        assert "CREATEDB" in problem["hint"]
        assert recorded(database) == []
        daemon.stop()
    finally:
        database.execute("DROP OWNED BY verify_plain")
        database.execute("DROP ROLE verify_plain")


def test_a_folder_that_fails_there(serve, drizzle, database):
    daemon = serve(drizzle([USERS, ("0001_bad", "SELECT 1;\nSELECT 1/0;")]))
    make(database, USERS)
    problem = daemon.post("/baseline",
                          json={"all": True, "verify": True}).problem(409)
    assert "empty database" in problem["detail"]
    assert "division by zero" in problem["detail"]
    assert problem["exit_code"] == REFUSED
    assert problem["migration"] == "0001_bad"
    assert recorded(database) == []
    assert scratch_databases(database) == []
    assert set(daemon.states().values()) == {"pending"}, "it did not run here"


def test_cancelled_it_leaves_nothing(serve, drizzle, database):
    daemon = serve(drizzle([("0000_slow", "SELECT pg_sleep(120);")]))
    got = daemon.post("/baseline?async=1", json={"all": True, "verify": True})
    run_id = got.json()["id"]
    wait_until(lambda: applies_there(database), 30)
    assert daemon.post(f"/runs/{run_id}/cancel",
                       json={"mode": "now"}).status == 202
    wait_until(lambda: daemon.get(f"/runs/{run_id}").json()["outcome"], 30)
    assert daemon.get(f"/runs/{run_id}").json()["outcome"] == "cancelled"
    assert scratch_databases(database) == []
    assert recorded(database) == []


def test_a_lost_connection_speaks_for_no_difference(serve, drizzle, database):
    """Nobody has to look at the folder then: the next try may be right."""
    daemon = serve(drizzle([("0000_slow", "SELECT pg_sleep(120);")]))
    run_id = daemon.post("/baseline?async=1",
                         json={"all": True, "verify": True}).json()["id"]
    wait_until(lambda: applies_there(database), 30)
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname LIKE 'migrationd_verify_%'")
    run = wait_until(lambda: (r := daemon.get(f"/runs/{run_id}").json())[
        "outcome"] and r, 30)
    assert run["error"]["category"] == "NETWORK_ERROR"
    assert run["exit_code"] == 6
    assert recorded(database) == []


def test_tables_of_the_other_phases_are_no_difference(serve, drizzle, database,
                                                      workdir):
    """What keeps count of the data migrations is there before its schema is
    recorded."""
    make(database, USERS)
    database.execute("CREATE TABLE data_migrations (id text PRIMARY KEY,"
                     " description text, executed_at timestamptz,"
                     " success boolean NOT NULL, error text)")
    (workdir / "data").mkdir()
    daemon = serve(drizzle([USERS]), options={"data": workdir / "data"})
    got = daemon.post("/baseline", json={"all": True, "verify": True})
    assert got.status == 200, repr(got)


def test_stopped_it_leaves_nothing(serve, drizzle, database):
    daemon = serve(drizzle([("0000_slow", "SELECT pg_sleep(120);")]))
    daemon.post("/baseline?async=1", json={"all": True, "verify": True})
    wait_until(lambda: applies_there(database), 30)
    daemon.stop()
    assert scratch_databases(database) == []
    assert recorded(database) == []


def test_what_a_killed_daemon_left_is_dropped(serve, drizzle, database):
    folder = drizzle([("0000_slow", "SELECT pg_sleep(120);")])
    daemon = serve(folder)
    daemon.post("/baseline?async=1", json={"all": True, "verify": True})
    wait_until(lambda: applies_there(database), 30)
    daemon.kill()
    (left,) = scratch_databases(database)
    pid = left.split("_")[2]
    wait_until(lambda: not database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", int(pid)), 30)
    # what has a name like ours, but not quite, is somebody's
    database.execute("CREATE DATABASE migrationd_verify_kept")
    other = serve(drizzle([("0000_none", "SELECT 1;")], name="other"))
    got = other.post("/baseline", json={"all": True, "verify": True})
    assert got.status == 200, repr(got)
    assert scratch_databases(database) == ["migrationd_verify_kept"]
    database.execute("DROP DATABASE migrationd_verify_kept")


@pytest.mark.parametrize("body", [{"dry_run": True}, {"phases": ["data"]}])
def test_what_it_does_not_go_with(serve, drizzle, body):
    daemon = serve(drizzle([USERS]))
    daemon.post("/baseline", json={"all": True, "verify": True, **body}
                ).problem(400, "CONFIGURATION")


def test_cancelled_while_the_catalog_is_read(serve, drizzle, database):
    """The transaction that it is read in must not be in the way of DROP."""
    make(database, USERS, VIEW)
    daemon = serve(drizzle([USERS, VIEW]))
    lock = database.hold_lock("LOCK TABLE app.glad")
    try:
        got = daemon.post("/baseline?async=1",
                          json={"all": True, "verify": True})
        run_id = got.json()["id"]
        wait_until(lambda: database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type ="
            " 'Lock' AND query LIKE 'BEGIN TRANSACTION%WITH skip%'"), 30)
        assert len(scratch_databases(database)) == 1
        daemon.post(f"/runs/{run_id}/cancel", json={"mode": "now"})
        wait_until(lambda: daemon.get(f"/runs/{run_id}").json()["outcome"], 30)
    finally:
        lock.close()
    assert daemon.get(f"/runs/{run_id}").json()["outcome"] == "cancelled"
    assert scratch_databases(database) == []


def test_settings_of_the_database(serve, sequence, database):
    """They say where a file makes what it names without a schema."""
    database.execute(f"""
        ALTER DATABASE "{database.name}" SET search_path TO app, public;
        ALTER DATABASE "{database.name}" SET TimeZone TO 'Asia/Tokyo'""")
    files = {"0000_a.sql": "CREATE SCHEMA IF NOT EXISTS app;"
             " CREATE TABLE a (at timestamptz DEFAULT '2020-01-01');"}
    database.execute(files["0000_a.sql"])
    assert database.has_table("app.a")
    daemon = serve(sequence(files))
    got = daemon.post("/baseline", json={"all": True, "verify": True})
    assert got.status == 200, repr(got)


def test_a_schema_of_the_platform(start_daemon, drizzle, database):
    """What another role owns no file of ours has made."""
    database.execute("CREATE SCHEMA auth; CREATE TABLE auth.users (id int);"
                     " CREATE ROLE verify_tenant LOGIN CREATEDB;"
                     f' GRANT ALL ON DATABASE "{database.name}"'
                     " TO verify_tenant")
    try:
        url = database.url_as("verify_tenant")
        with database.connect(user="verify_tenant") as tenant:
            tenant.cursor().execute(USERS[1])
        daemon = start_daemon("--migrations", drizzle([USERS]),
                              "--database-url", url)
        got = daemon.post("/baseline", json={"all": True, "verify": True})
        assert got.status == 200, repr(got)
        daemon.stop()
    finally:
        database.execute("DROP OWNED BY verify_tenant CASCADE")
        database.execute("DROP ROLE verify_tenant")


EVERYTHING = """
CREATE TYPE app.pair AS (a int, b text COLLATE "C");
CREATE TYPE app.span AS RANGE (subtype = date);
CREATE DOMAIN app.code AS text NOT NULL DEFAULT 'x' CHECK (VALUE <> '');
CREATE SEQUENCE app.numbers AS smallint CYCLE;
CREATE TABLE app.things (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    c app.code, twice int GENERATED ALWAYS AS (1 + 1) STORED);
CREATE TABLE app.days (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE app.days_20 PARTITION OF app.days
    FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE MATERIALIZED VIEW app.sums AS SELECT count(*) AS n FROM app.things;
CREATE PROCEDURE app.proc() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE app.total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql
    AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER touch BEFORE INSERT ON app.things
    FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.things ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.things FOR SELECT TO PUBLIC USING (id > 1);
CREATE VIEW app.safe WITH (security_barrier = true) AS SELECT 1 AS x;
CREATE STATISTICS app.pairs ON id, twice FROM app.things;
CREATE RULE quiet AS ON DELETE TO app.things DO INSTEAD NOTHING;
ALTER TABLE app.days ADD UNIQUE (at);
CREATE TABLE app.notes (at date REFERENCES app.days (at));
"""


@pytest.mark.parametrize("change, difference", [
    ("SELECT 1", None),
    ("ALTER ROLE CURRENT_USER SET search_path TO app; "
     "ALTER TABLE app.things OWNER TO CURRENT_USER", None),
    ("ALTER TYPE app.pair ALTER ATTRIBUTE a TYPE bigint",
     "column app.pair.a is bigint, the folder says integer"),
    ("DROP TYPE app.span", "type app.span is missing in the database"),
    ("ALTER DOMAIN app.code DROP DEFAULT",
     "domain app.code is text NOT NULL CHECK"),
    ("ALTER SEQUENCE app.numbers INCREMENT 5",
     "sequence app.numbers is AS smallint START 1 INCREMENT 5"),
    ("ALTER TABLE app.things DROP CONSTRAINT things_pkey",
     "constraint app.things.things_pkey is missing"),
    ("ALTER TABLE app.days DETACH PARTITION app.days_20",
     "table app.days_20 is plain, the folder says PARTITION OF app.days"),
    ("DROP MATERIALIZED VIEW app.sums",
     "materialized view app.sums is missing"),
    ("DROP PROCEDURE app.proc", "procedure app.proc() is missing"),
    ("DROP AGGREGATE app.total(int)", "aggregate app.total(integer) is missing"),
    ("ALTER TABLE app.things DISABLE TRIGGER touch", "trigger app.things.touch"),
    ("ALTER TABLE app.things DISABLE ROW LEVEL SECURITY",
     "table app.things is plain, the folder says ROW LEVEL SECURITY"),
    ("ALTER POLICY mine ON app.things USING (id > 2)",
     "policy app.things.mine is FOR SELECT TO PUBLIC USING ((id > 2))"),
    ("CREATE SCHEMA other", "schema other is in the database"),
    ("CREATE SCHEMA other; CREATE TABLE other.x (i int)",
     "schema other is in the database"),
    ("ALTER VIEW app.safe SET (security_barrier = false)",
     "view app.safe is  SELECT 1 AS x; WITH (security_barrier=false)"),
    ("DROP STATISTICS app.pairs", "statistics app.pairs is missing"),
    ("DROP RULE quiet ON app.things", "rule app.things.quiet is missing"),
    ("ALTER TABLE app.things REPLICA IDENTITY FULL",
     "table app.things is ROW LEVEL SECURITY REPLICA IDENTITY FULL,"),
    # what a database has for other reasons
    ("CREATE EXTENSION pgcrypto", None),
    ("DROP SCHEMA public CASCADE", None),
    ("CREATE TABLE app.days_21 PARTITION OF app.days"
     " FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')", None),
    ("CREATE TABLE knex_migrations (id serial PRIMARY KEY, name text);"
     " CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY)", None),
])
def test_each_kind_of_thing(serve, drizzle, database, change, difference):
    files = [("0000_app", "CREATE SCHEMA app;"), ("0001_all", EVERYTHING)]
    make(database, *files)
    try:
        database.execute(change)
        daemon = serve(drizzle(files))
        got = daemon.post("/baseline", json={"all": True, "verify": True})
    finally:
        database.execute("ALTER ROLE CURRENT_USER RESET search_path")
    if difference is None:
        assert got.status == 200, repr(got)
        return
    found = [d for d in got.problem(409)["differences"]
             if not d.startswith("constraint app.days_20")]
    assert [d[:len(difference)] for d in found] == [difference]
