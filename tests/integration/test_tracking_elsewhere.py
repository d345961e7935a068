# SPDX-License-Identifier: PostgreSQL
"""Rows in another tool's tracking table, none in ours: nothing may run twice."""

import json

import pytest

from harness.folder import write

REFUSED = 8

A = "CREATE TABLE IF NOT EXISTS a (id int); INSERT INTO a VALUES (1);\n"
FOLDER = {"20240101000000_a.sql": A, "20240102000000_b.sql": A}
VERSION = "20240101000000"

# the table as its tool makes it, its row, and the settings that the refusal says
OTHERS = {
    "sqlx": (
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY,"
        " description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL"
        " DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL,"
        " execution_time BIGINT NOT NULL)",
        "INSERT INTO _sqlx_migrations VALUES"
        f" ({VERSION}, 'a', now(), true, '\\x00', 1)",
        "layout = sqlx, tracking = sqlx, tracking_schema = public,"
        " tracking_table = _sqlx_migrations"),
    "goose": (
        "CREATE TABLE goose_db_version (id serial PRIMARY KEY, version_id"
        " bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp"
        " DEFAULT now()); INSERT INTO goose_db_version (version_id,"
        " is_applied) VALUES (0, true)",
        "INSERT INTO goose_db_version (version_id, is_applied)"
        f" VALUES ({VERSION}, true)",
        "layout = goose, tracking = goose, tracking_schema = public,"
        " tracking_table = goose_db_version"),
    "diesel": (
        "CREATE TABLE __diesel_schema_migrations (version VARCHAR(50) PRIMARY"
        " KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT now())",
        f"INSERT INTO __diesel_schema_migrations VALUES ('{VERSION}')",
        "layout = diesel, tracking = diesel, tracking_schema = public,"
        " tracking_table = __diesel_schema_migrations"),
    "golang-migrate": (
        "CREATE SCHEMA old; CREATE TABLE old.schema_migrations (version bigint"
        " not null primary key, dirty boolean not null)",
        f"INSERT INTO old.schema_migrations VALUES ({VERSION}, false)",
        "layout = golang-migrate, tracking = golang-migrate, tracking_schema ="
        " old, tracking_table = schema_migrations"),
    "dbmate": (
        "CREATE SCHEMA old; CREATE TABLE old.schema_migrations (version"
        " varchar(128) not null primary key)",
        f"INSERT INTO old.schema_migrations VALUES ('{VERSION}')",
        "layout = dbmate, tracking = dbmate, tracking_schema = old,"
        " tracking_table = schema_migrations"),
    "migration_log": (
        "CREATE TABLE migration_log (id SERIAL PRIMARY KEY, step_number"
        " INTEGER NOT NULL, description TEXT NOT NULL, sql_executed TEXT,"
        " status VARCHAR(20) DEFAULT 'pending', error_message TEXT,"
        " executed_at TIMESTAMP DEFAULT now())",
        "INSERT INTO migration_log (step_number, description, status)"
        f" VALUES (1, '{VERSION}_a.sql', 'completed')",
        "tracking = migration_log, tracking_schema = public,"
        " tracking_table = migration_log"),
}


def refusal(done):
    assert done.returncode == REFUSED, done
    return json.loads(done.stdout)["error"]


@pytest.mark.parametrize("kind", OTHERS)
def test_rows_of_another_tool(once, sequence, database, kind):
    create, row, settings = OTHERS[kind]
    folder = sequence(FOLDER)
    database.execute(create)
    before = database.tables()
    database.execute(row)
    error = refusal(once(folder, "--log-format", "json"))
    assert error["category"] == "CONFIGURATION"
    assert f"a {kind} tracking table, has rows of these migrations" in error["detail"]
    assert settings in error["hint"]
    assert database.tables() == before


@pytest.mark.parametrize("kind", OTHERS)
def test_without_rows_it_is_nothing(once, sequence, database, kind):
    database.execute(OTHERS[kind][0])
    done = once(sequence(FOLDER))
    assert done.returncode == 0, done
    assert database.value("SELECT count(*) FROM a") == 2


@pytest.mark.parametrize("ours, theirs", [
    ("drizzle", "public"), ("public", "drizzle"), ("drizzle", "elsewhere")])
def test_the_same_table_in_another_schema(once, drizzle, database, ours,
                                          theirs):
    folder = drizzle([("0000_a", A)])
    schema = [] if ours == "drizzle" else ["--tracking-schema", ours]
    assert once(folder, "--tracking-schema", theirs).returncode == 0
    error = refusal(once(folder, *schema, "--log-format", "json"))
    assert f"tracking_schema = {theirs}," in error["hint"]
    assert "layout" not in error["hint"]
    assert database.value("SELECT count(*) FROM a") == 1


def test_the_daemon_says_it_before_anybody_applies(serve, sequence, database):
    create, row, _ = OTHERS["sqlx"]
    folder = sequence(FOLDER)
    database.execute(create)
    database.execute(row)
    # ours is there, and empty
    database.execute("CREATE TABLE schema_migrations (version text PRIMARY"
                     " KEY, name text NOT NULL, applied_at timestamptz NOT"
                     " NULL DEFAULT now())")
    daemon = serve(folder)
    daemon.wait_verdict("refused")
    plan = daemon.get("/plan").json()
    assert "public._sqlx_migrations" in plan["refused"]["detail"]
    got = daemon.apply()
    assert got.status == 409, repr(got)
    assert "public._sqlx_migrations" in got.body.decode()
    assert "a" not in {name.split(".")[1] for name in database.tables()}
    # a person who knows records what ran; then ours has rows
    got = daemon.post("/baseline", {"target": VERSION})
    assert got.status == 200, repr(got)
    write(folder / "20240102000000_b.sql", "CREATE TABLE b (id int);\n")
    assert daemon.apply().status == 200
    assert "public.b" in database.tables()


def test_told_to_ignore_it(once, sequence, database):
    create, row, _ = OTHERS["sqlx"]
    database.execute(create)
    database.execute(row)
    done = once(sequence(FOLDER), "--other-tracking", "ignore")
    assert done.returncode == 0, done
    assert database.value("SELECT count(*) FROM a") == 2
    # ours has rows: nobody looks any more
    assert once(sequence(FOLDER, "same")).returncode == 0


# what lies beside our table, as its owner makes it
BESIDE = {
    "supabase": """
        CREATE SCHEMA auth;
        CREATE TABLE auth.schema_migrations (version varchar(255) PRIMARY KEY);
        INSERT INTO auth.schema_migrations
            VALUES ('00'), ('20171026211738'), ('20171026211808')""",
    "hasura": """
        CREATE SCHEMA hdb_catalog;
        CREATE TABLE hdb_catalog.schema_migrations
            (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
        INSERT INTO hdb_catalog.schema_migrations
            VALUES (1700000000123, false)""",
    "another service": """
        CREATE SCHEMA billing;
        CREATE TABLE billing.schema_migrations (version text PRIMARY KEY,
            name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
        INSERT INTO billing.schema_migrations
            VALUES ('0000', 'accounts'), ('0001', 'invoices')""",
    "no tracking table": """
        CREATE SCHEMA shop;
        CREATE TABLE shop.schema_migrations
            (version uuid, name text[], applied_at text);
        INSERT INTO shop.schema_migrations
            VALUES (gen_random_uuid(), '{x}', 'soon')""",
}
SERVICE = {"0000_init.sql": "CREATE TABLE a (id int);\n",
           "0001_more.sql": "CREATE TABLE b (id int);\n"}


@pytest.mark.parametrize("beside", BESIDE)
def test_a_table_beside_ours_is_no_hindrance(serve, once, sequence, database,
                                             beside):
    database.execute(BESIDE[beside])
    folder = sequence(SERVICE)
    daemon = serve(folder)
    daemon.wait_verdict("pending")
    problems = daemon.get("/plan").json()["problems"]
    found = daemon.get("/check?strict").json()["findings"]
    assert {f["severity"] for f in found if f["kind"] == "notice"} <= {"note"}
    done = once(folder)
    assert done.returncode == 0, done
    assert "public.b" in database.tables()
    # said, but for what is no tracking table at all
    assert [p["blocks"] for p in problems] == (
        [] if beside == "no tracking table" else [False])


def test_what_may_not_be_read_is_anothers(once, sequence, database):
    database.execute("CREATE ROLE plain_reader LOGIN")
    try:
        database.execute("""
            CREATE SCHEMA closed;
            CREATE TABLE closed.schema_migrations (version text, name text,
                applied_at timestamptz);
            INSERT INTO closed.schema_migrations VALUES ('0000', 'init');
            GRANT USAGE ON SCHEMA closed TO plain_reader;
            GRANT SELECT (version) ON closed.schema_migrations
                TO plain_reader;
            GRANT ALL ON SCHEMA public TO plain_reader""")
        done = once(sequence(SERVICE), url=database.url_as("plain_reader"))
        assert done.returncode == 0, done
    finally:
        database.execute("DROP OWNED BY plain_reader")
        database.execute("DROP ROLE plain_reader")


def test_what_may_be_read_in_part_is_enough(once, sequence, database):
    """The columns that the kind reads, without the others."""
    create, row, _ = OTHERS["sqlx"]
    database.execute("CREATE ROLE part_reader LOGIN")
    try:
        database.execute(f"{create}; {row}; GRANT ALL ON SCHEMA public"
                         " TO part_reader; GRANT SELECT (version, description,"
                         " installed_on, success, checksum) ON"
                         " _sqlx_migrations TO part_reader")
        error = refusal(once(sequence(FOLDER), "--log-format", "json",
                             url=database.url_as("part_reader")))
        assert "public._sqlx_migrations" in error["detail"]
    finally:
        database.execute("DROP OWNED BY part_reader")
        database.execute("DROP ROLE part_reader")


def test_two_services_with_tables_of_their_own(once, sequence, database):
    """One writes down which table is its own, the other has the default."""
    assert once(sequence({"0000_accounts.sql": "CREATE TABLE x ();\n"},
                         "one")).returncode == 0
    done = once(sequence(SERVICE, "two"), "--tracking-table", "two_migrations")
    assert done.returncode == 0, done
    assert database.value("SELECT count(*) FROM two_migrations") == 2


def test_a_misspelled_table(once, sequence, database):
    folder = sequence(SERVICE)
    assert once(folder).returncode == 0
    error = refusal(once(folder, "--tracking-table", "schema_migration",
                         "--log-format", "json"))
    assert "public.schema_migrations" in error["detail"]
