# SPDX-License-Identifier: PostgreSQL
"""drizzle 1.0: its folders, its table and its upgrade of a table of 0.x, with
migrationd and drizzle-orm (0.45 and 1.0) taking turns. No migration runs
twice, whoever comes first; what would is refused, and says why."""

import functools
import hashlib
import json

import pytest

from harness import interop
from harness.folder import (BREAKPOINT as MARK, T0, drizzle1_folder,
                            drizzle_add, drizzle_snapshots, write)
from harness.interop import (DRIZZLE_1, drizzle_kit_up, drizzle_migrate,
                             require_node, we_apply)

TABLE = '"drizzle"."__drizzle_migrations"'

drizzle_applies = functools.partial(interop.drizzle_applies, drizzle=1)


@pytest.fixture(scope="module", autouse=True)
def node():
    require_node()
    require_node(DRIZZLE_1)


@pytest.fixture
def pair(postgres):
    """Two fresh databases: drizzle-orm's and ours."""
    made = [postgres.createdb(), postgres.createdb()]
    yield made
    for database in made:
        postgres.dropdb(database.name)


@pytest.fixture
def drizzle1(workdir):
    def build(migrations, name="drizzle1"):
        return drizzle1_folder(workdir / name, migrations)
    return build


def rows_of(database, columns="id, hash, created_at, name"):
    return database.query(f"SELECT {columns} FROM {TABLE} ORDER BY id")


def names_of(database):
    return [name for [name] in rows_of(database, "name")]


def assert_same(theirs, ours):
    assert rows_of(ours) == rows_of(theirs)
    assert ours.schema_dump() == theirs.schema_dump()


def assert_settled(once, database, folder):
    """Both tools find nothing to do, and change nothing."""
    before = rows_of(database, "*")
    drizzle_applies(database, folder)
    done = we_apply(once, database, folder)
    assert "0 migrations" in done.stdout or "nothing" in done.stdout
    assert rows_of(database, "*") == before


# -- the same folders, the same result -----------------------------------------

CASES = {
    "one": [("20240101000000_a", "CREATE TABLE a (id int);")],
    "parts": [("20240101000000_a", f"CREATE TABLE a (id int);{MARK}\n"
               "CREATE TABLE b (id int); CREATE TABLE c (id int);")],
    "several": [("20240102000000_b", "CREATE TABLE b (id int);"),
                ("20240101000000_a", "CREATE TABLE a (id int);")],
    "empty": [("20240101000000_a", "")],
    "crlf": [("20240101000000_a", b"CREATE TABLE a (t text\r\n);\r\n")],
    "unicode": [("20240101000000_a", "CREATE TABLE \"größe\" (id int);")],
    "custom": [("20240101000000_a", "-- Custom SQL migration file, put your"
                                    " code below! --")],
    "one second": [("20240101000000_" + n, f"CREATE TABLE \"{n}\" (id int);")
                   for n in ("a_b", "a1", "A", "aB", "a-b", "10", "9", "_9")],
    "overflow": [("20231399256199_a", "CREATE TABLE a (id int);"),
                 ("20240101000060_b", "CREATE TABLE b (id int);")],
    "short": [("2024010100000_a", "CREATE TABLE a (id int);")],
    "old year": [("00990101000000_a", "CREATE TABLE a (id int);")],
    "equal texts": [("20240101000000_a", "SELECT 1;"),
                    ("20240102000000_b", "SELECT 1;")],
}


@pytest.mark.parametrize("driver", ["pg", "postgres"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.replace(" ", "-"))
def test_same_schema_and_rows(pair, once, drizzle1, case, driver):
    theirs, ours = pair
    folder = drizzle1(CASES[case])
    drizzle_applies(theirs, folder, driver=driver)
    we_apply(once, ours, folder)
    assert_same(theirs, ours)
    assert_settled(once, theirs, folder)
    assert_settled(once, ours, folder)


# -- from 0.x to 1.0, taking turns ----------------------------------------------

def effect(name):
    """SQL of which a second run shows."""
    return f"INSERT INTO effects VALUES ('{name}');"


FIRST = ("CREATE TABLE effects (name text);" + effect("first"))


def effects(database):
    return [name for [name] in database.query(
        "SELECT name FROM effects ORDER BY name")]


class Turns:
    """One database, and who brings it up to date at each step."""

    def __init__(self, once, database, who):
        self.once, self.database, self.who = once, database, list(who)

    def step(self, folder, drizzle):
        if self.who.pop(0) == "d":
            drizzle_applies(self.database, folder, drizzle=drizzle)
        else:
            we_apply(self.once, self.database, folder)


def play(turns, folder):
    """The life of a project. Each step says what has run so far."""
    ran = ["first"]
    drizzle_add(folder, "0000_first", FIRST, T0 + 123)
    turns.step(folder, 0)
    for number, tag in enumerate(["alpha", "beta", "gamma"]):
        drizzle_add(folder, f"000{number + 1}_{tag}", effect(tag),
                    T0 + 2000 + number)
        ran.append(tag)
        if tag != "alpha":
            turns.step(folder, 0)
            assert effects(turns.database) == sorted(ran)
    drizzle_snapshots(folder)
    drizzle_kit_up(folder)
    turns.step(folder, 1)
    assert effects(turns.database) == sorted(ran), "the upgrade runs nothing"

    write(folder / "20240201000000_next/migration.sql", effect("next"))
    turns.step(folder, 1)
    write(folder / "20240101000000_late/migration.sql", effect("late"))
    turns.step(folder, 1)
    assert effects(turns.database) == sorted(ran + ["late", "next"])
    assert turns.who == []


@pytest.mark.parametrize("who", ["mmmmmm", "dmdmdm", "mdmdmd", "ddmmdd",
                                 "mmddmm", "dddmmm", "mmmddd"])
def test_taking_turns(pair, once, drizzle, who):
    theirs, ours = pair
    for database, order in (theirs, "dddddd"), (ours, who):
        folder = drizzle([], name=order)
        play(Turns(once, database, order), folder)
    columns = "id, hash, created_at, name, applied_at IS NULL"
    assert rows_of(ours, columns) == rows_of(theirs, columns)
    assert ours.schema_dump() == theirs.schema_dump()
    assert_settled(once, ours, folder)


def test_the_old_release_is_refused_afterwards(serve, database, drizzle,
                                               once):
    old = drizzle([("0000_first", FIRST, T0 + 123)], name="old")
    new = drizzle([("0000_first", FIRST, T0 + 123)], name="new")
    drizzle_snapshots(new)
    drizzle_kit_up(new)
    we_apply(once, database, old)
    we_apply(once, database, new)
    before = rows_of(database, "*")

    drizzle_add(old, "0001_more", effect("more"))
    done = once(old)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "drizzle-kit up" in done.stdout + done.stderr
    daemon = serve(old)
    problem = daemon.apply().problem(409, "CONFIGURATION")
    assert "drizzle-orm 1.0 has taken the table over" in problem["hint"]
    assert rows_of(database, "*") == before
    assert effects(database) == ["first"]


# -- the upgrade, row for row ------------------------------------------------------

OLD_TABLE = (f"CREATE SCHEMA drizzle; CREATE TABLE {TABLE}"
             " (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint);")
A, B, C = "SELECT 'a';", "SELECT 'b';", "SELECT 'c';"


def sha(sql):
    return hashlib.sha256(sql.encode("utf-8")).hexdigest()


def old_rows(database, rows, prepare=OLD_TABLE):
    database.execute(prepare)
    for sql, when in rows:
        database.execute(f"INSERT INTO {TABLE} (hash, created_at)"
                         " VALUES (%s, %s)", sha(sql), when)


UPGRADES = {
    "no rows": ([("20231114221320_a", A)], []),
    "milliseconds": ([("20231114221320_a", A), ("20231114221321_b", B)],
                     [(A, T0 + 999), (B, T0 + 1001)]),
    "edited since": ([("20231114221320_a", A)], [(B, T0)]),
    "when counts 1 2 3": ([("19700101000000_a", A), ("19700101000000_b", B),
                           ("19700101000000_c", C)], [(A, 1), (B, 2)]),
    "negative": ([("19691231235959_a", A), ("19700101000000_b", B)],
                 [(A, -1000), (B, -7)]),
    "only the text": ([("20240101000000_a", A)], [(A, T0)]),
    "the last of a text": ([("20240101000000_a", A), ("20240102000000_b", A)],
                           [(A, T0)]),
    "no time": ([("20231114221320_a", A)], [(A, None)]),
    "twice": ([("20231114221320_a", A)], [(A, T0), (A, T0), (B, T0 + 5)]),
    "out of order": ([("20231114221320_a", A), ("20231114221321_b", B),
                      ("20231114221322_c", C)], [(C, T0 + 2000), (A, T0)]),
}


@pytest.mark.parametrize("case", UPGRADES, ids=lambda c: c.replace(" ", "-"))
def test_same_upgrade(pair, once, drizzle1, case):
    theirs, ours = pair
    folders, rows = UPGRADES[case]
    folder = drizzle1(folders)
    for database in pair:
        old_rows(database, rows)
    drizzle_applies(theirs, folder)
    done = we_apply(once, ours, folder)
    columns = "id, hash, created_at, name, applied_at IS NULL"
    assert rows_of(ours, columns) == rows_of(theirs, columns)
    assert ours.schema_dump() == theirs.schema_dump()
    assert "was upgraded" in done.stdout + done.stderr
    assert_settled(once, ours, folder)


MORE_TABLE = OLD_TABLE + (f"ALTER TABLE {TABLE} ADD applied_at timestamptz,"
                          " ADD more int DEFAULT 7;")


def test_same_upgrade_of_a_table_with_more_columns(pair, once, drizzle1):
    theirs, ours = pair
    folder = drizzle1([("20231114221320_a", A)])
    for database in pair:
        old_rows(database, [(A, T0)], MORE_TABLE)
    drizzle_applies(theirs, folder)
    we_apply(once, ours, folder)
    assert rows_of(ours, "*") == rows_of(theirs, "*")
    assert ours.schema_dump() == theirs.schema_dump()


def test_same_upgrade_of_a_table_of_another_name(pair, once, drizzle):
    theirs, ours = pair
    folder = drizzle([("0000_first", FIRST, T0 + 5)])
    drizzle_snapshots(folder)
    names = {"schema": "My Schema", "table": 'We"ird $migrationd$'}
    flags = ["--tracking-schema=My Schema",
             '--tracking-table=We"ird $migrationd$']
    drizzle_applies(theirs, folder, drizzle=0, **names)
    we_apply(once, ours, folder, *flags)
    drizzle_kit_up(folder)
    drizzle_applies(theirs, folder, **names)
    we_apply(once, ours, folder, *flags)
    table = '"My Schema"."We""ird $migrationd$"'
    assert ours.query(f"SELECT * FROM {table}") == theirs.query(
        f"SELECT * FROM {table}")
    assert ours.schema_dump() == theirs.schema_dump()


IMPOSSIBLE = {
    "no folder": ([("20231114221320_a", A)], [(A, T0), (B, T0 + 5000)]),
    "no text in its second": (
        [("20231114221320_a", A), ("20231114221320_b", B)], [(C, T0)]),
    "no time and no text": ([("20231114221320_a", A)], [(A, T0), (B, None)]),
}


@pytest.mark.parametrize("case", IMPOSSIBLE, ids=lambda c: c.replace(" ", "-"))
def test_a_table_that_cannot_be_upgraded_is_left_alone(pair, once, drizzle1,
                                                       case):
    theirs, ours = pair
    folders, rows = IMPOSSIBLE[case]
    folder = drizzle1([*folders, ("20240101000000_new",
                                  "CREATE TABLE new (id int);")])
    for database in pair:
        old_rows(database, rows)
    dump, before = ours.schema_dump(), rows_of(ours, "*")
    refused = drizzle_migrate(theirs, folder, drizzle=1)
    assert "do not match any local migration" in refused.stderr
    done = once(folder, url=ours.url)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "cannot be upgraded" in done.stdout + done.stderr
    for database in pair:
        assert (database.schema_dump(), rows_of(database, "*")) == (
            dump, before)


def test_looking_changes_nothing(serve, database, drizzle1):
    folder = drizzle1([("20231114221320_a", A), ("20231114221330_b", B)])
    old_rows(database, [(A, T0 + 7)])
    dump = database.schema_dump()
    daemon = serve(folder)
    daemon.wait_verdict("pending")
    status = daemon.status()
    assert daemon.states() == {"20231114221320_a": "applied",
                               "20231114221330_b": "pending"}
    assert "the next run upgrades the table" in json.dumps(status)
    assert database.schema_dump() == dump

    run = daemon.apply().json()
    assert run["outcome"] == "succeeded"
    assert len(run["applied"]) == 1
    [warning] = run["warnings"]
    assert "was upgraded" in warning and "rows named: 1" in warning
    daemon.wait_verdict("current")
    assert names_of(database) == ["20231114221320_a", "20231114221330_b"]
    assert "upgrade" not in json.dumps(daemon.status()["warnings"])
    assert daemon.apply().json()["warnings"] == []


def test_a_daemon_lives_through_drizzle_kit_up(serve, database, drizzle):
    folder = drizzle([("0000_first", FIRST, T0 + 123)])
    drizzle_snapshots(folder)
    daemon = serve(folder)
    assert daemon.apply().status == 200
    assert daemon.status()["folder"]["layout"] == "drizzle"
    drizzle_kit_up(folder)
    write(folder / "20240201000000_next/migration.sql", effect("next"))
    daemon.wait_verdict("pending", timeout=60)
    assert daemon.status()["folder"]["layout"] == "drizzle1"
    assert daemon.apply().status == 200
    daemon.wait_verdict("current")
    assert effects(database) == ["first", "next"]
    assert names_of(database) == ["20231114221320_first",
                                  "20240201000000_next"]


def test_the_upgrade_needs_the_owner(once, database, drizzle1):
    folder = drizzle1([("20231114221320_a", A)])
    old_rows(database, [(A, T0)])
    database.execute("DROP ROLE IF EXISTS guest")
    database.execute("CREATE ROLE guest LOGIN; GRANT USAGE ON SCHEMA drizzle"
                     f" TO guest; GRANT ALL ON {TABLE} TO guest")
    try:
        done = once(folder, url=database.url_as("guest"))
        assert done.returncode == 5, (done.stdout, done.stderr)
        said = done.stdout + done.stderr
        assert "must be owner" in said and "run once as that role" in said
    finally:
        database.execute("DROP OWNED BY guest; DROP ROLE guest")
    assert [tuple(row) for row in rows_of(database, "*")] == [(1, sha(A), T0)]


def test_the_upgrade_waits_for_who_is_at_work(once, database, drizzle1):
    folder = drizzle1([("20231114221320_a", A)])
    old_rows(database, [(A, T0)])
    with database.hold_lock(f"LOCK TABLE {TABLE} IN ROW EXCLUSIVE MODE"):
        done = once(folder)
        assert done.returncode == 7, (done.stdout, done.stderr)
        assert "upgrading tracking table" in done.stdout + done.stderr
    assert [tuple(row) for row in rows_of(database, "*")] == [(1, sha(A), T0)]
    we_apply(once, database, folder)
    assert names_of(database) == ["20231114221320_a"]


# -- what would run twice ---------------------------------------------------------

def test_a_renamed_folder(serve, pair, once, drizzle1):
    theirs, ours = pair
    folder = drizzle1([("20240101000000_a", FIRST), ("20240102000000_b",
                                                    effect("b"))])
    for database in pair:
        we_apply(once, database, folder)
    (folder / "20240102000000_b").rename(folder / "20240102000000_c")
    drizzle_applies(theirs, folder)
    assert effects(theirs) == ["b", "b", "first"], "drizzle-orm runs it again"

    daemon = serve(folder, "--database-url", ours.url)
    problem = daemon.apply().problem(409, "CONFIGURATION")
    assert "20240102000000_c" in problem["detail"]
    assert "20240102000000_b" in problem["detail"]
    assert effects(ours) == ["b", "first"]

    # each way out that the hint names
    ours.execute(f"UPDATE {TABLE} SET name = '20240102000000_c'"
                 " WHERE name = '20240102000000_b'")
    assert daemon.apply().status == 200
    assert effects(ours) == ["b", "first"]
    assert_settled(once, ours, folder)


def test_a_row_that_drizzle_0_wrote_after_the_upgrade(pair, once, drizzle,
                                                      drizzle1):
    theirs, ours = pair
    old = drizzle([("0000_first", FIRST, T0 + 123)])
    new = drizzle1([("20231114221320_first", FIRST)])
    for database in pair:
        drizzle_applies(database, old, drizzle=0)
        we_apply(once, database, new)
    # an old release comes up once more, with one migration more
    drizzle_add(old, "0001_more", effect("more"), T0 + 9000)
    write(new / "20231114221329_more/migration.sql", effect("more"))
    for database in pair:
        drizzle_applies(database, old, drizzle=0)
        assert names_of(database) == ["20231114221320_first", None]
    drizzle_applies(theirs, new)
    assert effects(theirs) == ["first", "more", "more"], "twice"

    done = we_apply(once, ours, new)
    assert effects(ours) == ["first", "more"]
    assert "without a name" in done.stdout + done.stderr
    write(new / "20231114221329_more/migration.sql", effect("more") + "\n")
    done = once(new, url=ours.url)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "without a name" in done.stdout + done.stderr
    assert effects(ours) == ["first", "more"]

    # the way out that the hint names
    ours.execute(f"UPDATE {TABLE} SET name = '20231114221329_more'"
                 " WHERE name IS NULL")
    assert_settled(once, ours, new)
    assert effects(ours) == ["first", "more"]


def test_a_migration_that_has_run_in_part(once, database, drizzle):
    """Its note is kept under the name that it had before drizzle-kit up."""
    old = drizzle([("0000_first", FIRST, T0 + 123),
                   ("0001_parts", "CREATE TABLE part (id int);\n"
                    "CREATE UNIQUE INDEX CONCURRENTLY i ON effects (name);",
                    T0 + 9000)], name="old")
    new = drizzle([("0000_first", FIRST, T0 + 123),
                   ("0001_parts", "-- as above", T0 + 9000)], name="new")
    write(new / "0001_parts.sql", (old / "0001_parts.sql").read_bytes())
    drizzle_snapshots(new)
    drizzle_kit_up(new)
    we_apply(once, database, drizzle([("0000_first", FIRST, T0 + 123)],
                                     name="first"))
    database.execute(effect("first"))  # so that the index cannot be made
    assert once(old).returncode == 5
    assert database.has_table("part")

    done = once(new)
    assert done.returncode == 8, (done.stdout, done.stderr)
    assert "has run in part" in done.stdout + done.stderr
    database.execute("DELETE FROM effects")
    we_apply(once, database, old)
    we_apply(once, database, new)
    assert_settled(once, database, new)


def test_a_journal_beside_folders(once, database, drizzle):
    folder = drizzle([("0000_first", FIRST, T0 + 123),
                      ("0001_more", effect("more"), T0 + 9000)])
    write(folder / "20231114221320_first/migration.sql", FIRST)
    done = once(folder)
    assert done.returncode == 2, (done.stdout, done.stderr)
    said = done.stdout + done.stderr
    assert "run twice" in said and "drizzle-kit up" in said
    assert not database.has_table("effects")
    assert "old drizzle-kit" in drizzle_migrate(
        database, folder, drizzle=1).stderr

    we_apply(once, database, folder, "--layout=drizzle")
    assert effects(database) == ["first", "more"]


def test_a_folder_of_prisma(once, database, drizzle1):
    folder = drizzle1([("20240101000000_a", FIRST)])
    write(folder / "migration_lock.toml", 'provider = "postgresql"\n')
    done = once(folder)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "Prisma" in done.stdout + done.stderr
    assert not database.has_table("effects")


def test_the_table_of_the_other_version_by_option(once, database, drizzle,
                                                  drizzle1):
    folder = drizzle1([("20240101000000_a", FIRST)])
    done = once(folder, "--layout=drizzle1", "--tracking=drizzle")
    assert done.returncode == 4, (done.stdout, done.stderr)
    assert "use tracking = drizzle1" in done.stdout + done.stderr
    old = drizzle([("0000_first", FIRST)])
    for wrong, kind in (folder, "drizzle"), (old, "drizzle1"):
        done = once(wrong, f"--tracking={kind}")
        assert done.returncode == 8, (done.stdout, done.stderr)
        assert "or auto" in done.stdout + done.stderr
        assert not database.has_table("effects")


# -- besides ------------------------------------------------------------------------

def test_a_table_without_applied_at(once, database, drizzle1):
    """drizzle-orm takes any table with a name for its own."""
    folder = drizzle1([("20240101000000_a", A), ("20240102000000_b", B)])
    database.execute(OLD_TABLE + f"ALTER TABLE {TABLE} ADD name text;"
                     f"INSERT INTO {TABLE} (hash, created_at, name)"
                     " VALUES ('x', 5, '20240101000000_a')")
    we_apply(once, database, folder)
    assert names_of(database) == ["20240101000000_a", "20240102000000_b"]
    assert_settled(once, database, folder)


def test_applied_at_is_shown(serve, database, drizzle1):
    folder = drizzle1([("20240101000000_a", A)])
    drizzle_applies(database, folder)
    daemon = serve(folder)
    daemon.wait_verdict("current")
    [migration] = daemon.get("/migrations").json()["migrations"]
    written = database.value(
        f"SELECT to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
        f" FROM {TABLE}")
    assert migration["applied_at"].startswith(written)


def test_a_failure_is_undone(pair, once, drizzle1):
    theirs, ours = pair
    folder = drizzle1([("20240101000000_a", "CREATE TABLE a (id int);"),
                       ("20240102000000_b", "SELECT 1/0;")])
    assert drizzle_migrate(theirs, folder, drizzle=1).stderr.startswith(
        "22012 ")
    done = once(folder, "--transaction=run", url=ours.url)
    assert done.returncode == 5, (done.stdout, done.stderr)
    assert ours.schema_dump() == theirs.schema_dump()
    assert rows_of(ours) == rows_of(theirs) == []


def test_the_guard_goes_with_the_table(serve, database, drizzle):
    folder = drizzle([("0000_first", FIRST, T0 + 123)])
    drizzle_snapshots(folder)
    assert serve(folder, "--guard").apply().status == 200
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = 'drizzle'"
    before = database.query(indexes)
    assert len(before) == 2
    drizzle_kit_up(folder)
    got = serve(folder, "--guard").apply()
    assert got.status == 200, repr(got)
    assert len(got.json()["warnings"]) == 1, "of the upgrade"
    assert database.query(indexes) == before
