# SPDX-License-Identifier: PostgreSQL
"""A role that may not do what it has to: the message says which right is
missing, and giving it is enough."""

import re

import pytest

from harness import ctl

FINE, FAILED, UNREACHABLE, REFUSED = 0, 5, 6, 8
TABLE = ("CREATE TABLE schema_migrations (version text PRIMARY KEY, name text"
         " NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())")


@pytest.fixture
def role(database):
    name = f"role_{database.name}"
    database.execute(f'CREATE ROLE "{name}" LOGIN;'
                     f' REVOKE CREATE ON SCHEMA public FROM PUBLIC;'
                     f' CREATE SCHEMA own AUTHORIZATION "{name}"')
    yield name
    database.execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


def grant(database, role, said):
    """All that the message says, done by somebody who may."""
    found = re.findall(r"GRANT ([A-Z, ]+?) ON ([\w. \"]+?) TO this role",
                       " ".join(said.split()))
    assert found, said
    for rights, thing in found:
        database.execute(f'GRANT {rights} ON {thing} TO "{role}"')


@pytest.mark.parametrize("before, layout, code, words", [
    ("", "sequence", FAILED, "for schema public"),
    ("", "drizzle", FAILED, "for database"),
    (TABLE, "sequence", FAILED, "for table schema_migrations"),
    (TABLE + "; GRANT SELECT ON schema_migrations TO {}", "sequence", FAILED,
     "recording 0000_a"),
], ids=["no table", "no schema", "reading", "recording"])
def test_what_is_missing_is_said(database, role, drizzle, before, layout, code,
                                 words):
    folder = drizzle([("0000_a", "CREATE TABLE own.a (id int);")])
    if before:
        database.execute(before.format(f'"{role}"'))
    flags = ["--migrations", folder, "--layout", layout, "--database-url",
             database.url_as(role)]
    done = ctl.run(*flags, "apply")
    assert done.returncode == code, done.err
    assert words in done.err and "mend 0000_a.sql" not in done.err
    assert "migrationctl apply runs them" not in done.err
    grant(database, role, done.err)
    done = ctl.run(*flags, "apply")
    assert done.returncode == FINE, done.err


@pytest.mark.parametrize("table", [TABLE, "SELECT 1"], ids=["there", "not there"])
def test_a_schema_of_somebody_else(database, role, drizzle, table):
    """The right to the table alone is none: the schema hides it."""
    database.execute('CREATE SCHEMA "Their own"; SET search_path = "Their own";'
                     + table)
    flags = ["--migrations", drizzle([("0000_a", "CREATE TABLE own.a ();")]),
             "--layout", "sequence", "--tracking-schema", "Their own",
             "--database-url", database.url_as(role)]
    done = ctl.run(*flags, "apply")
    assert done.returncode == FAILED, done.err
    assert "permission denied for schema Their own" in done.err
    grant(database, role, done.err)
    done = ctl.run(*flags, "apply")
    assert done.returncode == FINE, done.err


NOTES = ("CREATE TABLE migrationd.{} (tracking text, version text, number int4,"
         " digest text, run_id uuid, started_at timestamptz DEFAULT now(),"
         " finished_at timestamptz, batches int8, rows int8, total int8, bound int8,"
         " updated_at timestamptz DEFAULT now(), PRIMARY KEY (tracking, version{}))")
IN_SEGMENTS = ("CREATE TABLE own.a (id int);\nVACUUM own.a;",
               NOTES.format("statements", ", number"))
IN_BATCHES = ("-- migrationd: batch\nUPDATE own.fill SET id = 1 WHERE id IN"
              " (SELECT id FROM own.fill WHERE id = 0 LIMIT 10);",
              NOTES.format("batches", ""))


@pytest.mark.parametrize("there", [
    "SELECT 1", 'GRANT CREATE ON DATABASE "{1}" TO "{0}"', None],
    ids=["schema", "schema and a right that is none", "table"])
@pytest.mark.parametrize("sql, table", [IN_SEGMENTS, IN_BATCHES],
                         ids=["segments", "batches"])
def test_where_notes_cannot_be_kept(database, role, drizzle, there, sql, table):
    """What runs in several transactions is noted in a schema that is another's."""
    database.execute(
        "CREATE SCHEMA migrationd; CREATE SCHEMA drizzle; CREATE TABLE own.fill AS"
        f' SELECT 0 AS id; ALTER TABLE own.fill OWNER TO "{role}";'
        f'GRANT ALL ON SCHEMA drizzle TO "{role}"')
    database.execute((there or table).format(role, database.name))
    flags = ["--migrations", drizzle([("0000_a", sql)]), "--database-url",
             database.url_as(role)]
    done = ctl.run(*flags, "apply")
    assert done.returncode == (REFUSED if there else FAILED), done.err
    assert database.query("SELECT to_regclass('own.a'), id FROM own.fill") == [
        (None, 0)], "nothing was begun"
    grant(database, role, done.err)
    done = ctl.run(*flags, "apply")
    assert done.returncode == FINE, done.err


def test_a_lease_that_may_not_be_taken(database, role, drizzle):
    """It may be read, and its rows may be made."""
    database.execute(
        "CREATE SCHEMA migrationd; CREATE TABLE migrationd.locks (name text PRIMARY KEY,"
        " token text, epoch int8, holder text, acquired_at timestamptz,"
        " expires_at timestamptz); CREATE SCHEMA drizzle;"
        f'GRANT ALL ON SCHEMA drizzle TO "{role}";'
        f'GRANT USAGE ON SCHEMA migrationd TO "{role}";'
        f'GRANT SELECT, INSERT ON migrationd.locks TO "{role}"')
    flags = ["--migrations", drizzle([("0000_a", "CREATE TABLE own.a ();")]),
             "--lock", "lease", "--database-url", database.url_as(role)]
    done = ctl.run(*flags, "apply")
    assert done.returncode == FAILED, done.err
    assert "SELECT, INSERT and UPDATE on that table" in done.err
    database.execute(f'GRANT UPDATE ON migrationd.locks TO "{role}"')
    done = ctl.run(*flags, "apply")
    assert done.returncode == FINE, done.err


def test_a_table_that_cannot_be_read(database, role, drizzle):
    database.execute(TABLE)
    flags = ["--migrations", drizzle([("0000_a", "SELECT 1;")]), "--layout",
             "sequence", "--database-url", database.url_as(role)]
    status = ctl.run(*flags, "status")
    assert status.returncode == UNREACHABLE
    check = ctl.run(*flags, "check")
    for said in (status.out, check.out):
        assert "the server runs" not in said
        assert "GRANT SELECT" in said, said


def test_a_file_that_may_not(database, role, drizzle):
    """The file may be right, and the role the wrong one."""
    database.execute(f'CREATE TABLE theirs (id int); GRANT CREATE ON DATABASE'
                     f' "{database.name}" TO "{role}"')
    done = ctl.run("--migrations",
                   drizzle([("0000_a", "ALTER TABLE theirs ADD b int;")]),
                   "--database-url", database.url_as(role), "apply")
    assert done.returncode == FAILED
    assert "give the role what it lacks, or mend 0000_a.sql" in done.err


@pytest.mark.parametrize("url, hint", [
    ("postgresql://postgres@127.0.0.1:{port}/no_such", "create it, or name"),
    ("postgresql://no_such@127.0.0.1:{port}/postgres", "user and password"),
    ("postgresql:///x?host=/nowhere", "DATABASE_URL or PGHOST"),
])
def test_a_server_that_answers_runs(postgres, drizzle, url, hint):
    for command in ("status", "check", "apply"):
        done = ctl.run("--migrations", drizzle([("0000_a", "SELECT 1;")]),
                       "--database-url", url.format(port=postgres.port),
                       "--connect-wait", "0", command)
        assert hint in done.out + done.err, done.out + done.err
        assert "see that the server runs" not in done.out + done.err
