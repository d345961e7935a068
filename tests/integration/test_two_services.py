# SPDX-License-Identifier: PostgreSQL
"""Two services with a daemon and a tracking table each, in one database. Their files
have the same names and nothing else in common: neither is told anything of the other."""

import pytest

from harness.daemon import applied_ids, runs_of
from harness.folder import write
from harness.wait import wait_until

INIT = "0001_init"
REFRESH = {"refresh_interval": "1s", "layout": "sequence", "rollback": True}


def files(name, sql="CREATE TABLE {0} (id int);"):
    return {"0001_init.sql": sql.format(name),
            "0001_init.down.sql": f"DROP TABLE {name};"}


@pytest.fixture
def service(sequence, start_daemon, database):
    """service("a", ...) -> its daemon, of folder a and tracking table svc_a."""
    def start(name, content=None, url=None, **options):
        folder = sequence(content or files(name), name=f"folder_{name}")
        daemon = start_daemon(
            "--migrations", folder, "--database-url", url or database.url,
            options={**REFRESH, "tracking_table": f"svc_{name}", **options})
        daemon.folder = folder
        return daemon
    return start


@pytest.mark.parametrize("policy", ["refuse", "warn"])
def test_no_file_is_modified_by_the_others_run(service, database, policy):
    first = service("a", on_modified=policy)
    assert applied_ids(first.apply().json()) == [INIT]
    second = service("b", on_modified=policy)
    assert applied_ids(second.apply().json()) == [INIT]

    for daemon in (first, second):
        got = daemon.apply()
        assert got.status == 200, repr(got)
        assert got.json()["applied"] == []
        assert daemon.states() == {INIT: "applied"}
        assert daemon.get("/check").json()["exit_code"] == 0
    assert database.query("SELECT tracking, operation FROM migrationd.runs"
                          " ORDER BY id") == [("public.svc_a", "apply"),
                                              ("public.svc_b", "apply")]

    # but what each did itself is known, also to one that is started later
    later = service("a", files("a", "CREATE TABLE {0} (id bigint);"),
                    on_modified=policy)
    wait_until(lambda: later.states() == {INIT: "modified"}, 10)
    assert later.apply().status == (409 if policy == "refuse" else 200)


def test_what_one_baselined_the_other_can_roll_back(service, database):
    database.execute("CREATE TABLE b (id int)")
    service("a").apply()
    second = service("b")
    assert second.post("/baseline", {"all": True}).status == 200

    for daemon, state in ((service("a"), "applied"), (second, "baseline")):
        wait_until(lambda d=daemon, s=state: d.states() == {INIT: s}, 10)
    got = second.post("/rollback", {"steps": 1})
    assert got.status == 409, "nothing is undone that was never run: " + repr(got)
    got = service("a").post("/rollback", {"steps": 1})
    assert got.status == 200, repr(got)
    assert not database.has_table("a")
    assert database.has_table("b")


def test_what_failed_for_one_is_not_parked_for_the_other(service, database):
    """Each file is as the other's: only the table that they are for is not there yet."""
    shared = files("late", "CREATE TABLE IF NOT EXISTS {0} (LIKE wanted);")
    service("a", shared).apply().problem(422, "SQL_ERROR")
    database.execute("CREATE TABLE wanted (id int)")

    again = service("a", shared, apply_on_start=True)
    wait_until(lambda: "not applied: a migration" in again.stderr(), 10)
    assert again.verdict() == "failed"
    assert [r["id"] for r in runs_of(again.get("/runs"))] == [
        str(r[0]) for r in database.query("SELECT id FROM migrationd.runs")]

    second = service("b", shared, apply_on_start=True)
    second.wait_verdict("current")
    assert [r["outcome"] for r in runs_of(second.get("/runs"))] == ["succeeded"]


def test_what_is_half_done_of_one_is_not_of_the_other(service, database, workdir):
    """A repeatable file of each, of one name, whose statements are noted one by one."""
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS {0}_i ON {0} (id);\n"
    for name, rest in (("a", "SELECT 1/0;"), ("b", "SELECT 1;")):
        write(workdir / f"again_{name}" / "index.sql", index.format(name) + rest)
    first = service("a", repeatable=workdir / "again_a")
    first.apply().problem(422, "SQL_ERROR")
    assert database.value("SELECT count(*) FROM migrationd.statements") == 1
    second = service("b", repeatable=workdir / "again_b")
    got = second.apply()
    assert got.status == 200, repr(got)
    assert database.has_table("b_i")

    # and the first one goes on where it was
    write(workdir / "again_a" / "index.sql", index.format("a") + "SELECT 2;")
    wait_until(lambda: second.verdict() == "current", 10)
    assert wait_until(lambda: first.apply().status == 200, 10)
    assert database.value("SELECT count(*) FROM migrationd.statements") == 0


def test_they_make_the_journal_at_the_same_time(service, database):
    """Each has a lock of its own, so nothing keeps the two apart."""
    daemon = service("a")
    other = database.connect()
    other.autocommit = False
    cursor = other.cursor()
    cursor.execute("CREATE SCHEMA migrationd")
    run = daemon.post("/apply", Prefer="respond-async").json()["id"]
    wait_until(lambda: database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND query LIKE '%%CREATE SCHEMA IF NOT EXISTS migrationd%%'"), 10)
    other.commit()
    other.close()
    wait_until(lambda: daemon.get(f"/runs/{run}").json()["state"] == "done", 10)
    assert str(database.value("SELECT id FROM migrationd.runs")) == run


def older_journal(database):
    """The journal as it was before it said whose a run is."""
    database.execute("ALTER TABLE migrationd.runs DROP COLUMN tracking")


def test_a_journal_of_an_older_release_counts_as_before(service, database):
    daemon = service("a")
    daemon.apply()
    older_journal(database)

    changed = files("a", "CREATE TABLE {0} (id bigint);")
    later = service("a", changed)
    wait_until(lambda: later.states() == {INIT: "modified"}, 10)
    assert [r["operation"] for r in runs_of(later.get("/runs"))] == ["apply"]

    # the next run that has something to say brings it up to date
    write(later.folder / "0002_more.sql", "CREATE TABLE more (id int);")
    wait_until(lambda: "0002_more" in later.states(), 10)
    assert later.apply().status == 200
    assert database.query("SELECT tracking FROM migrationd.runs ORDER BY id") == [
        (None,), ("public.svc_a",)]


def test_the_journal_of_another_role_is_used_as_it_is(service, database,
                                                     postgres):
    """Only its owner can add a column: what is noted goes without."""
    service("a").apply()
    older_journal(database)
    role = f"guest_{database.name}"
    database.execute(f'CREATE ROLE "{role}" LOGIN;'
                     f'GRANT CREATE ON SCHEMA public TO "{role}";'
                     f'GRANT USAGE ON SCHEMA migrationd TO "{role}";'
                     f'GRANT SELECT, INSERT ON migrationd.runs TO "{role}"')
    guest = service("b", url=database.url_as(role))
    before = len(postgres.log())
    got = guest.apply()
    assert got.status == 200
    assert database.value("SELECT count(*) FROM migrationd.runs") == 2
    assert postgres.log_count("must be owner of", after=before) == 0

    # and it says what the owner has to run
    [warning] = got.json()["warnings"]
    assert "migrationd.runs is of an older release" in warning
    database.execute(warning.split("let its owner run: ")[1])
    write(guest.folder / "0002_more.sql", "CREATE TABLE more (id int);")
    got = wait_until(lambda: (r := guest.apply().json())["applied"] and r, 10)
    assert got["warnings"] == []
    assert database.query("SELECT tracking FROM migrationd.runs ORDER BY id") == [
        (None,), (None,), ("public.svc_b",)]


def test_a_journal_that_cannot_be_read_is_said(service, database, postgres):
    """Once, and again when it could be read in between."""
    odd = "ffffffff-ffff-7fff-bfff-ffffffffffff"
    said = "the journal cannot be read"
    daemon = service("a")
    assert daemon.apply().status == 200
    daemon.wait_verdict("current")
    for times in (1, 2):
        before = len(postgres.log())
        database.execute(
            "INSERT INTO migrationd.runs SELECT %s, target, operation, outcome,"
            " requested_by, instance, started_at, finished_at, duration_seconds,"
            " lock_wait_seconds, '{}', error, tracking FROM migrationd.runs"
            " LIMIT 1", odd)
        wait_until(lambda b=before: postgres.log_count("jsonb_to_recordset", after=b)
                   > 5, 30)
        assert daemon.stderr().count(said + ": what") == times
        assert daemon.verdict() == "current"
        assert said in daemon.post("/rollback", {"steps": 1}).problem()["detail"]
        database.execute("DELETE FROM migrationd.runs WHERE id = %s", odd)
        before = len(postgres.log())
        wait_until(lambda b=before: postgres.log_count("string_agg(n.id", after=b)
                   > 2, 30)


def test_a_journal_that_does_not_take_the_run_is_said(service, database):
    """The migrations are applied all the same."""
    daemon = service("a")
    assert daemon.apply().status == 200
    database.execute("ALTER TABLE migrationd.runs ADD CHECK (id IS NULL) NOT VALID")
    write(daemon.folder / "0002_more.sql", "CREATE TABLE more (id int);")
    wait_until(lambda: daemon.apply().json()["applied"], 10)
    assert "the run could not be noted in the journal" in daemon.stderr()
    assert database.value("SELECT count(*) FROM migrationd.runs") == 1
