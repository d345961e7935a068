# SPDX-License-Identifier: PostgreSQL
"""guard = on: applications that still call drizzle-orm's migrate() cannot apply
a second time what is applied at that moment. The control shows that without
the guard they do."""

import concurrent.futures
import hashlib

import pytest

from harness.folder import T0, drizzle_add
from harness.interop import drizzle_migrate, require_node
from harness.wait import wait_until

INDEX = "__drizzle_migrations_migrationd_guard"
EFFECTS = ("0000_effects", "CREATE TABLE effects (name text);")


def count_sql(name, gate):
    """Effects that can be counted, and time for others to come along."""
    return f"INSERT INTO effects VALUES ('{name}');" + gate.sql


def indexes(database):
    return sorted(r[0] for r in database.query(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'drizzle'"))


def effects(database, name):
    return database.value(
        "SELECT count(*) FROM effects WHERE name = %s", name)


def guard_ddl(postgres, before):
    return postgres.log_count("CREATE UNIQUE INDEX", after=before)


# -- the index -----------------------------------------------------------------

def test_off_is_drizzles_own_table(serve, drizzle, database):
    daemon = serve(drizzle([EFFECTS]))
    assert daemon.apply().status == 200
    assert indexes(database) == ["__drizzle_migrations_pkey"]


def test_the_first_run_makes_it_and_no_other(serve, drizzle, database,
                                             postgres):
    folder = drizzle([EFFECTS])
    daemon = serve(folder, "--guard")
    before = len(postgres.log())
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert got.json()["warnings"] == []
    assert indexes(database) == [INDEX, "__drizzle_migrations_pkey"]
    assert daemon.apply().status == 200
    assert guard_ddl(postgres, before) == 1

    # the table was there before the option was
    database.execute(f'DROP INDEX drizzle."{INDEX}"')
    assert daemon.apply().status == 200
    assert INDEX in indexes(database)


def test_a_unique_index_of_the_teams_own_will_do(serve, drizzle, database,
                                                 postgres):
    folder = drizzle([EFFECTS])
    serve(folder).apply()
    database.execute('CREATE UNIQUE INDEX ours ON'
                     ' drizzle.__drizzle_migrations (hash, created_at)')
    before = len(postgres.log())
    assert serve(folder, "--guard").apply().json()["warnings"] == []
    assert guard_ddl(postgres, before) == 0


def test_tables_of_one_schema_have_one_each(serve, drizzle, database):
    folder = drizzle([EFFECTS])
    assert serve(folder, "--guard").apply().status == 200
    other = drizzle([("0000_x", "CREATE TABLE x (id int);")], name="other")
    assert serve(other, "--guard", "--tracking-table=Other \"one\"",
                 "--other-tracking=ignore").apply().status == 200
    assert INDEX in indexes(database)
    assert 'Other "one"_migrationd_guard' in indexes(database)


def test_refused_politely_where_a_row_is_there_twice(serve, drizzle,
                                                     database):
    folder = drizzle([EFFECTS])
    serve(folder).apply()
    database.execute("INSERT INTO drizzle.__drizzle_migrations"
                     " (hash, created_at) SELECT hash, created_at"
                     " FROM drizzle.__drizzle_migrations")
    drizzle_add(folder, "0001_next", "CREATE TABLE next (id int);")
    daemon = serve(folder, "--guard")
    got = daemon.apply()
    assert got.status == 200, repr(got)
    [warning] = got.json()["warnings"]
    assert "row twice" in warning and str(T0) in warning, warning
    assert database.has_table("next")
    assert INDEX not in indexes(database)

    database.execute("DELETE FROM drizzle.__drizzle_migrations WHERE id = 2")
    assert daemon.apply().json()["warnings"] == []
    assert INDEX in indexes(database)


def test_without_the_right_the_run_goes_on(serve, drizzle, database,
                                           postgres):
    folder = drizzle([EFFECTS])
    serve(folder).apply()
    database.execute("DROP ROLE IF EXISTS guest")
    database.execute("CREATE ROLE guest LOGIN")
    database.execute("GRANT USAGE ON SCHEMA drizzle TO guest;"
                     "GRANT ALL ON ALL TABLES IN SCHEMA drizzle TO guest;"
                     "GRANT ALL ON ALL SEQUENCES IN SCHEMA drizzle TO guest;"
                     "GRANT ALL ON SCHEMA public TO guest")
    drizzle_add(folder, "0001_next", "CREATE TABLE next (id int);")
    try:
        daemon = serve(folder, "--guard", "--database-url",
                       database.url_as("guest"))
        got = daemon.apply()
        assert got.status == 200, repr(got)
        [warning] = got.json()["warnings"]
        assert "must be owner" in warning, warning
        assert database.has_table("next")
        daemon.stop()
    finally:
        database.execute("DROP OWNED BY guest")
        database.execute("DROP ROLE guest")


def test_somebody_who_writes_the_table_delays_it(serve, drizzle, database):
    folder = drizzle([EFFECTS])
    serve(folder).apply()
    blocker = database.connect()
    blocker.autocommit = False
    blocker.cursor().execute(
        "LOCK TABLE drizzle.__drizzle_migrations IN ROW EXCLUSIVE MODE")
    daemon = serve(folder, "--guard")
    got = daemon.apply(timeout=30)
    assert got.status == 200, repr(got)
    [warning] = got.json()["warnings"]
    assert "tries again" in warning, warning
    assert INDEX not in indexes(database)
    blocker.close()
    assert daemon.apply().json()["warnings"] == []
    assert INDEX in indexes(database)


def test_it_does_not_go_with_other_tables(serve, sequence, database):
    daemon = serve(sequence({"0001_a.sql": "CREATE TABLE a (id int);"}),
                   "--guard")
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert got.json()["warnings"] == []
    assert database.value("SELECT count(*) FROM pg_indexes"
                          " WHERE indexname LIKE '%%guard%%'") == 0


# -- and away with it ------------------------------------------------------------

def test_remove(serve, drizzle, database):
    folder = drizzle([EFFECTS])
    plain = serve(folder)
    plain.apply()
    dump = database.schema_dump()
    guarded = serve(folder, "--guard")
    guarded.apply()
    assert database.schema_dump() != dump

    problem = guarded.post("/repair", json={"action": "remove-guard"}
                           ).problem(409, "CONFIGURATION")
    assert "guard = off" in problem["hint"]
    assert INDEX in indexes(database)

    got = plain.post("/repair", json={"action": "remove-guard"})
    assert got.status == 200, repr(got)
    assert got.json()["operation"] == "repair"
    assert got.json()["action"] == "remove-guard"
    assert database.schema_dump() == dump
    problem = plain.post("/repair", json={"action": "remove-guard"}
                         ).problem(409)
    assert "no guard" in problem["detail"]
    assert plain.get("/livez").status == 200


def test_remove_leaves_an_index_of_others_alone(serve, drizzle, database):
    daemon = serve(drizzle([EFFECTS]))
    daemon.apply()
    database.execute('CREATE UNIQUE INDEX ours ON'
                     ' drizzle.__drizzle_migrations (created_at, hash)')
    got = daemon.post("/repair", json={"action": "remove-guard"})
    assert got.status == 422, repr(got)
    assert "ours" in indexes(database)


# -- races -----------------------------------------------------------------------

@pytest.fixture
def node():
    require_node()


def race(pool, database, folder, drivers):
    return [pool.submit(drizzle_migrate, database, folder, driver=driver)
            for driver in drivers]


DRIVERS = ["pg", "postgres", "pg"]


def race_to_the_end(database, folder, gate):
    """All of them stand in the migration before any is let through."""
    with concurrent.futures.ThreadPoolExecutor() as pool, gate:
        theirs = race(pool, database, folder, DRIVERS)
        gate.wait(len(DRIVERS), timeout=60)
        gate.open()
        return [f.result() for f in theirs]


def test_without_the_guard_drizzle_applies_twice(serve, drizzle, database,
                                                 node, gate):
    """The control: were this to fail, the tests below would show nothing."""
    folder = drizzle([EFFECTS])
    serve(folder).apply()
    drizzle_add(folder, "0001_counted", count_sql("one", gate))
    done = race_to_the_end(database, folder, gate)
    assert [d.returncode for d in done] == [0, 0, 0], done
    assert effects(database, "one") > 1
    assert len(database.drizzle_rows()) > 2


def test_drizzle_against_drizzle(serve, drizzle, database, node, gate):
    folder = drizzle([EFFECTS])
    serve(folder, "--guard").apply()
    drizzle_add(folder, "0001_counted", count_sql("one", gate))
    done = race_to_the_end(database, folder, gate)
    assert sorted(d.returncode for d in done) == [0, 1, 1], done
    assert all("23505" in d.stderr for d in done if d.returncode), done
    assert effects(database, "one") == 1
    assert len(database.drizzle_rows()) == 2
    # the losers find all in order when they start again
    assert drizzle_migrate(database, folder).returncode == 0


@pytest.mark.parametrize("first", ["drizzle", "migrationd"])
def test_drizzle_against_migrationd(serve, drizzle, database, node, first,
                                    gate):
    folder = drizzle([EFFECTS])
    daemon = serve(folder, "--guard")
    assert daemon.apply().status == 200
    drizzle_add(folder, "0001_counted", count_sql("one", gate))
    daemon.wait_verdict("pending")

    with concurrent.futures.ThreadPoolExecutor() as pool, gate:
        if first == "drizzle":
            theirs = race(pool, database, folder, DRIVERS[:1])
            [quick] = gate.wait(timeout=60)
            ours = pool.submit(daemon.apply, timeout=60)
        else:
            ours = pool.submit(daemon.apply, timeout=60)
            [quick] = gate.wait()
            theirs = race(pool, database, folder, DRIVERS)
        gate.wait(1 + len(theirs), timeout=60)
        gate.open(quick)
        wait_until(lambda: len(database.drizzle_rows()) == 2)
        gate.open()
        answer = ours.result()
        done = [f.result() for f in theirs]
    assert effects(database, "one") == 1
    assert len(database.drizzle_rows()) == 2
    # who was quicker is no matter to the caller
    assert answer.status == 200, repr(answer)
    if first == "drizzle":
        assert [d.returncode for d in done] == [0], done
        assert answer.json()["applied"] == []
    else:
        assert [d.returncode for d in done] == [1, 1, 1], done
        assert all("23505" in d.stderr for d in done), done
    daemon.wait_verdict("current")
    got = daemon.apply()
    assert got.status == 200, repr(got)
    assert got.json()["applied"] == []


@pytest.mark.parametrize("guard", [[], ["--guard"]], ids=["off", "on"])
@pytest.mark.parametrize("made", [
    "SELECT pg_sleep(0.1);",        # noticed when the row is written
    "CREATE TABLE made (id int);",  # and here when the table is made
])
def test_what_another_applied_meanwhile_is_no_failure(
        serve, drizzle, database, guard, made):
    folder = drizzle([EFFECTS])
    daemon = serve(folder, *guard)
    assert daemon.apply().status == 200
    drizzle_add(folder, "0001_made",
                f"SELECT pg_advisory_xact_lock_shared(42); {made}")
    drizzle_add(folder, "0002_next", "CREATE TABLE next (id int);")
    daemon.wait_verdict("pending")
    text = (folder / "0001_made.sql").read_bytes()

    other = database.connect()
    other.autocommit = False
    cursor = other.cursor()
    cursor.execute("SELECT pg_advisory_xact_lock(42)")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        ours = pool.submit(daemon.apply, timeout=60)
        wait_until(lambda: database.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
            " AND objid = 42 AND NOT granted"), 10)
        cursor.execute(made)
        cursor.execute(
            "INSERT INTO drizzle.__drizzle_migrations (hash, created_at)"
            " VALUES (%s, %s)",
            (hashlib.sha256(text).hexdigest(), T0 + 60_000))
        other.commit()
        answer = ours.result()
    other.close()
    assert answer.status == 200, repr(answer)
    assert [a["id"] for a in answer.json()["applied"]] == ["0002_next"]
    assert len(database.drizzle_rows()) == 3
    assert daemon.get("/current").status == 200


def test_what_is_there_without_its_row_is_a_failure(serve, drizzle, database):
    database.execute("CREATE TABLE effects (id int)")
    daemon = serve(drizzle([EFFECTS]), "--guard")
    problem = daemon.apply().problem(422, "SQL_ERROR")
    assert 'relation "effects" already exists' in problem["detail"], problem
    assert database.drizzle_rows() == []
