# SPDX-License-Identifier: PostgreSQL
"""drizzle-orm's migrator and migrationd on the same folders: the same schema,
the same tracking rows, and each content with the other's database.

The cases are what drizzle-orm 0.45 was observed to do; where migrationd is
stricter on purpose, the refusal is what is asserted.
"""

import hashlib

import pytest

from harness.folder import (BREAKPOINT as MARK, T0, drizzle_folder, journal,
                            write)
from harness.interop import (drizzle_applies, drizzle_migrate, require_node,
                             we_apply)

TABLE = '"drizzle"."__drizzle_migrations"'


@pytest.fixture(scope="module", autouse=True)
def node():
    require_node()


@pytest.fixture
def pair(postgres):
    """Two fresh databases: drizzle-orm's and ours."""
    made = [postgres.createdb(), postgres.createdb()]
    yield made
    for database in made:
        postgres.dropdb(database.name)


def rows_with_ids(database, table=TABLE):
    return database.query(
        f"SELECT id, hash, created_at FROM {table} ORDER BY id")


def assert_same(theirs, ours, table=TABLE):
    assert rows_with_ids(ours, table) == rows_with_ids(theirs, table)
    assert ours.schema_dump() == theirs.schema_dump()


def both_apply(pair, once, folder):
    theirs, ours = pair
    drizzle_applies(theirs, folder)
    we_apply(once, ours, folder)
    assert_same(theirs, ours)
    return theirs, ours


def assert_settled(pair, once, folder, theirs, ours):
    """Each tool on the other's database: nothing to do, nothing changed."""
    before = rows_with_ids(theirs), rows_with_ids(ours)
    drizzle_applies(ours, folder)
    done = we_apply(once, theirs, folder)
    assert "0 migrations" in done.stdout or "nothing" in done.stdout
    assert (rows_with_ids(theirs), rows_with_ids(ours)) == before


UNICODE = ("CREATE TABLE \"größe\" (\"名前\" text DEFAULT 'żółć 🐘');\n"
           "COMMENT ON TABLE \"größe\" IS 'Ω ≈ ç √ ∫';")
CASES = {
    "commit inside": [("0000_a", "CREATE TABLE a (id int);\nCOMMIT;\n"
                                 "CREATE TABLE b (id int);")],
    "begin and commit": [("0000_a", "BEGIN; CREATE TABLE a (id int);"
                                    " COMMIT;")],
    "one statement": [("0000_a", "CREATE TABLE a (id int);")],
    "no newline, no semicolon": [("0000_a", "CREATE TABLE a (id int)")],
    "two fragments, several statements": [
        ("0000_a", f"CREATE TABLE a (id int);{MARK}\nCREATE TABLE b (id int);"
                   " CREATE TABLE c (id int);")],
    "crlf": [("0000_a", b"CREATE TABLE a (t text\r\n);\r\n--> statement-"
                        b"breakpoint\r\nCOMMENT ON TABLE a IS 'x\r\ny';\r\n")],
    "unicode": [("0000_a", UNICODE)],
    "empty file": [("0000_empty", ""), ("0001_a", "CREATE TABLE a (id int);")],
    "only white space": [("0000_a", " \n\t\r\n")],
    "comment only": [("0000_custom", "-- Custom SQL migration file, put your"
                                     " code below! --")],
    "semicolons only": [("0000_a", ";;;\n;")],
    "trailing marker": [("0000_a", f"CREATE TABLE a (id int);{MARK}")],
    "leading marker": [("0000_a", f"{MARK}\nCREATE TABLE a (id int);")],
    "doubled marker": [("0000_a", f"CREATE TABLE a (id int);{MARK}{MARK}\n\n"
                                  f"{MARK}CREATE TABLE b (id int);")],
    "marker alone": [("0000_a", MARK)],
    "marker almost": [
        ("0000_a", "CREATE TABLE a (id int);-->  statement-breakpoint\n"
                   "CREATE TABLE b (id int);\n-->statement-breakpoint\n"
                   "--> Statement-Breakpoint\nCREATE TABLE c (id int);")],
    "marker in a comment line": [
        ("0000_a", f"-- note: {MARK} CREATE TABLE sneaky (id int);")],
    "quoted semicolons and bodies": [
        ("0000_a", "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$\n"
                   "BEGIN RETURN 1; END; $$;\n"
                   "CREATE FUNCTION g() RETURNS int LANGUAGE sql\n"
                   "BEGIN ATOMIC SELECT 1; SELECT 2; END;\n"
                   "CREATE TABLE t (x text DEFAULT 'a;b', \"c;d\" int);\n"
                   "/* ; /* nested ; */ ; */ SELECT $x$ ; $x$;")],
    "select results are dropped": [
        ("0000_a", "SELECT generate_series(1, 5000); CREATE TABLE a (x int);"
                   " COPY a TO stdout; SELECT 1;")],
    "notices": [("0000_a", "DO $$ BEGIN FOR i IN 1..500 LOOP RAISE NOTICE"
                           " 'n %', i; END LOOP; END $$;")],
    "when counts 1 2 3": [("0000_a", "CREATE TABLE a (id int);", 1),
                          ("0001_b", "CREATE TABLE b (id int);", 2)],
    "when zero and negative": [("0000_a", "CREATE TABLE a (id int);", -5),
                               ("0001_b", "CREATE TABLE b (id int);", 0)],
    "when equal": [("0000_a", "CREATE TABLE a (id int);", T0),
                   ("0001_b", "CREATE TABLE b (id int);", T0)],
    "when not monotonic": [("0000_z", "CREATE TABLE z (id int);", T0 + 200),
                           ("0001_x", "CREATE TABLE x (id int);", T0),
                           ("0002_y", "CREATE TABLE y (id int);", T0 + 100)],
    "when as a double holds it": [("0000_a", "CREATE TABLE a (id int);",
                                   9007199254740991)],
    "prefix styles": [("20240101120000_a", "CREATE TABLE a (id int);"),
                      ("1704110401_b", "CREATE TABLE b (id int);"),
                      ("_c", "CREATE TABLE c (id int);")],
    "journal order is not file order": [
        ("0009_first", "CREATE TABLE a (id int);", T0),
        ("0001_second", "ALTER TABLE a ADD x int;", T0 + 1)],
    "search_path for one file": [
        ("0000_a", "CREATE SCHEMA other; SET LOCAL search_path = other;"
                   " CREATE TABLE a (id int);")],
    "isolation level first": [
        ("0000_a", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;"
                   " CREATE TABLE a (id int);")],
    "savepoints": [("0000_a", "SAVEPOINT s; CREATE TABLE x (id int);"
                              " ROLLBACK TO SAVEPOINT s; RELEASE s;"
                              " CREATE TABLE a (id int);")],
    "enum, identity, partition, policy": [
        ("0000_a", "CREATE TYPE mood AS ENUM ('ok', 'not; ok');"
                   f"{MARK}\nCREATE TABLE p (id bigint GENERATED ALWAYS AS"
                   " IDENTITY, d date) PARTITION BY RANGE (d);"
                   f"{MARK}\nCREATE TABLE p1 PARTITION OF p FOR VALUES FROM"
                   " ('2024-01-01') TO ('2025-01-01');"
                   f"{MARK}\nALTER TABLE p ENABLE ROW LEVEL SECURITY;"
                   f"{MARK}\nCREATE POLICY mine ON p USING (true);")],
}


def test_sample(pair, once, sample):
    theirs, ours = both_apply(pair, once, sample)
    assert len(rows_with_ids(ours)) == 7
    assert_settled(pair, once, sample, theirs, ours)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.replace(" ", "-"))
def test_same_end(pair, once, drizzle, case):
    if "BEGIN ATOMIC" in str(CASES[case]) and pair[0].version < 14:
        pytest.skip("BEGIN ATOMIC came with PostgreSQL 14")
    folder = drizzle(CASES[case])
    theirs, ours = both_apply(pair, once, folder)
    assert len(rows_with_ids(ours)) == len(CASES[case])
    assert_settled(pair, once, folder, theirs, ours)


def test_postgres_js_writes_the_same(pair, once, sample):
    theirs, ours = pair
    drizzle_applies(theirs, sample, driver="postgres")
    we_apply(once, ours, sample)
    assert_same(theirs, ours)


def test_the_hash_is_of_the_file(once, database, drizzle):
    texts = [b"SELECT 1;", b"SELECT 1;\n", b"SELECT 1;\r\n", b"",
             UNICODE.encode()]
    folder = drizzle([(f"{i:04d}_x", t) for i, t in enumerate(texts)])
    we_apply(once, database, folder)
    assert [r[0] for r in database.drizzle_rows()] == [
        hashlib.sha256(t).hexdigest() for t in texts]


def test_when_as_a_string(pair, once, drizzle):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);")])
    write(folder / "meta/_journal.json",
          journal([("0000_a", "1700000000000")]))
    both_apply(pair, once, folder)


def test_when_with_an_exponent(pair, once, drizzle):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);", 1)])
    path = folder / "meta/_journal.json"
    write(path, path.read_text().replace('"when": 1,', '"when": 1.7e12,'))
    both_apply(pair, once, folder)


@pytest.mark.parametrize("version, dialect", [
    ("5", "pg"), ("6", "postgresql"), ("7", "postgresql")])
def test_journal_versions(pair, once, drizzle, version, dialect):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);")])
    write(folder / "meta/_journal.json",
          journal([("0000_a", T0)], version=version, dialect=dialect))
    both_apply(pair, once, folder)


def test_breakpoints_false_is_split_all_the_same(pair, once, drizzle):
    folder = drizzle([("0000_a", f"CREATE TABLE a (id int);{MARK}\n"
                                 "CREATE TABLE b (id int);")])
    path = folder / "meta/_journal.json"
    write(path, path.read_text().replace("true", "false"))
    both_apply(pair, once, folder)


def test_unknown_members_and_snapshots_do_not_matter(pair, once, sample):
    for snapshot in (sample / "meta").glob("*_snapshot.json"):
        snapshot.unlink()
    path = sample / "meta/_journal.json"
    write(path, path.read_text().replace('"idx": 0,',
                                         '"idx": 0, "note": [1, {}],'))
    both_apply(pair, once, sample)


def test_empty_journal(pair, once, drizzle):
    theirs, ours = pair
    folder = drizzle([])
    drizzle_applies(theirs, folder)
    we_apply(once, ours, folder)
    # drizzle-orm makes the table before it looks; we make it when there is
    # something to write, so only the rows are compared
    assert rows_with_ids(theirs) == []
    drizzle_applies(ours, folder)
    assert_same(theirs, ours)


@pytest.mark.parametrize("schema, table", [
    ("app", "migrations"),
    ("public", "drizzle_migrations"),
    ("My Schema", 'We"ird Tab'),
])
def test_other_names(pair, once, drizzle, workdir, schema, table):
    theirs, ours = pair
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);"),
                      ("0001_b", "CREATE TABLE b (id int);")])
    write(workdir / "names.conf",
          f"tracking_schema = '{schema}'\ntracking_table = '{table}'\n")
    drizzle_applies(theirs, folder, schema=schema, table=table)
    we_apply(once, ours, folder, "--config", workdir / "names.conf")
    quoted = ".".join('"' + n.replace('"', '""') + '"'
                      for n in (schema, table))
    assert len(rows_with_ids(ours, quoted)) == 2
    assert_same(theirs, ours, quoted)
    drizzle_applies(ours, folder, schema=schema, table=table)
    assert len(rows_with_ids(ours, quoted)) == 2


def half(folder, name, migrations, count):
    return drizzle_folder(folder.parent / name, migrations[:count])


HALVES = [(f"{i:04d}_t{i}", f"CREATE TABLE t{i} (id int);") for i in range(6)]


def test_drizzle_begins_and_we_go_on(pair, once, drizzle):
    folder = drizzle(HALVES)
    theirs, ours = pair
    drizzle_applies(theirs, folder)
    drizzle_applies(ours, half(folder, "half", HALVES, 3))
    done = we_apply(once, ours, folder)
    assert "0002_t2" not in done.stdout
    assert "0003_t3" in done.stdout
    assert_same(theirs, ours)


def test_we_begin_and_drizzle_goes_on(pair, once, drizzle):
    folder = drizzle(HALVES)
    theirs, ours = pair
    drizzle_applies(theirs, folder)
    we_apply(once, ours, half(folder, "half", HALVES, 3))
    drizzle_applies(ours, folder)
    assert_same(theirs, ours)


def test_turn_by_turn(pair, once, drizzle):
    folder = drizzle(HALVES)
    theirs, ours = pair
    drizzle_applies(theirs, folder)
    for count in range(1, 7):
        part = half(folder, f"part{count}", HALVES, count)
        if count % 2:
            we_apply(once, ours, part)
        else:
            drizzle_applies(ours, part)
    assert_same(theirs, ours)


def test_our_baseline_is_drizzles(pair, serve, start_daemon, drizzle):
    folder = drizzle(HALVES)
    theirs, ours = pair
    drizzle_applies(theirs, folder)
    daemon = start_daemon("--migrations", folder, "--database-url", ours.url)
    assert daemon.post("/baseline", json={"all": True}).status == 200
    assert rows_with_ids(ours) == rows_with_ids(theirs)
    drizzle_applies(ours, folder)
    assert ours.tables() == ["drizzle.__drizzle_migrations"]


def test_a_table_that_drizzle_made_is_read(start_daemon, pair, drizzle):
    folder = drizzle(HALVES)
    theirs, _ = pair
    drizzle_applies(theirs, folder)
    daemon = start_daemon("--migrations", folder, "--database-url",
                          theirs.url)
    daemon.wait_verdict("current")
    assert set(daemon.states().values()) == {"applied"}


# -- the same failures ----------------------------------------------------------

@pytest.mark.parametrize("sql, sqlstate", [
    ("CREATE TABLE a (id int); CREATE TABLE a (id int);", "42P07"),
    ("SELECT 1/0;", "22012"),
    (f"SELECT 'x {MARK} y';", "42601"),
    (f"DO $$ BEGIN {MARK} END $$;", "42601"),
    ("SELECT $1;", "42P02"),
    ("\\d", "42601"),
    ("/* never closed", "42601"),
    ("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p"
     " DEFERRABLE INITIALLY DEFERRED); INSERT INTO c VALUES (1);", "23503"),
    ("DROP SCHEMA drizzle CASCADE;", "42P01"),
    ("SET TRANSACTION READ ONLY; CREATE TABLE a (id int);", "25006"),
])
def test_same_failure(pair, once, drizzle, sql, sqlstate):
    theirs, ours = pair
    folder = drizzle([("0000_bad", sql)])
    refused = drizzle_migrate(theirs, folder)
    assert refused.returncode == 1
    assert refused.stderr.startswith(sqlstate + " "), refused.stderr
    done = once(folder, url=ours.url)
    # a file may be refused before it is run; "read only" is taken for a
    # standby, where another attempt may find the primary
    assert done.returncode in (5, 6, 8), (done.stdout, done.stderr)
    assert done.returncode == 8 or sqlstate in done.stdout + done.stderr
    assert ours.tables() in ([], ["drizzle.__drizzle_migrations"])
    assert not ours.has_table("drizzle.__drizzle_migrations") \
        or rows_with_ids(ours) == []


# -- stricter on purpose ---------------------------------------------------------

STRICTER = {
    "nul byte": [("0000_a", b"SELECT 1;\x00 SELECT 2;")],
    "invalid utf-8": [("0000_a", b"SELECT 'a\xffb';")],
    "path that leaves the folder": [("../evil", "CREATE TABLE evil (id int);")],
    "path with a folder": [("sub/0000_x", "CREATE TABLE sub (id int);")],
    "duplicate tags": [("0000_a", "SELECT 1;", 1), ("0000_a", "SELECT 1;", 2)],
    "rollback inside": [("0000_a", "CREATE TABLE a (id int);"),
                        ("0001_b", "ROLLBACK;")],
}


@pytest.mark.parametrize("case", STRICTER, ids=lambda c: c.replace(" ", "-"))
def test_refused_where_drizzle_would_do_harm(once, database, drizzle, case):
    done = once(drizzle(STRICTER[case]))
    assert done.returncode in (2, 4, 5, 8), (done.stdout, done.stderr)
    assert database.tables() in ([], ["drizzle.__drizzle_migrations"]), (
        "nothing ran")


def test_late_merged_branch_is_not_skipped_silently(once, database, drizzle):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);", 1000),
                      ("0002_c", "CREATE TABLE c (id int);", 3000)])
    drizzle_applies(database, folder)
    write(folder / "0001_b.sql", "CREATE TABLE b (id int);")
    write(folder / "meta/_journal.json", journal(
        [("0000_a", 1000), ("0001_b", 2000), ("0002_c", 3000)]))
    drizzle_applies(database, folder)
    assert not database.has_table("b"), "drizzle-orm skips it"
    done = once(folder)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "0001_b" in done.stdout + done.stderr


def test_null_created_at_does_not_run_everything_again(once, database,
                                                       drizzle):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);")])
    drizzle_applies(database, folder)
    database.execute(f"INSERT INTO {TABLE} (hash, created_at)"
                     " VALUES ('by hand', NULL)")
    done = once(folder)
    assert done.returncode in (0, 8), (done.stdout, done.stderr)
    assert len(rows_with_ids(database)) == 2


def test_drizzle_1_table_is_left_alone(once, database, drizzle):
    folder = drizzle([("0000_a", "CREATE TABLE a (id int);")])
    database.execute("CREATE SCHEMA drizzle")
    database.execute(f"CREATE TABLE {TABLE} (id SERIAL PRIMARY KEY, hash text"
                     " NOT NULL, created_at bigint, name text, applied_at"
                     " timestamptz DEFAULT now())")
    done = once(folder)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert not database.has_table("a")
    assert rows_with_ids(database) == []
