# SPDX-License-Identifier: PostgreSQL
"""What runs beside the schema migrations: data migrations, repeatable files,
seeds; in that order, or alone."""

import pytest

from harness.daemon import applied_ids, migrations_of
from harness.folder import drizzle_add, write
from harness.wait import wait_until

QUICK = {"settle": "50ms", "rescan_interval": "1s", "refresh_interval": "1s"}
TABLES = [("0000_users", "CREATE TABLE users (id int PRIMARY KEY, name text, "
           "nick text); CREATE TABLE notes (n serial, what text);")]
NICK = "2024-03-15_populate_nicknames"


def note(what):
    return f"INSERT INTO notes (what) VALUES ('{what}');\n"


def fill(path, files):
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        write(path / f"{name}.sql", text)
    return path


@pytest.fixture
def phases(workdir, drizzle, serve):
    """phases(data={...}, repeatable={...}, seeds={...}) -> the daemon, and
    the folders by name."""
    def start(*args, options=None, schema=TABLES, **contents):
        folders = {name: fill(workdir / name, files)
                   for name, files in contents.items()}
        settings = {**QUICK, **folders, **(options or {})}
        folders["schema"] = drizzle(schema)
        return serve(folders["schema"], *args, options=settings), folders
    return start


def notes(database):
    return [what for what, in
            database.query("SELECT what FROM notes ORDER BY n")]


def phase(document, name):
    return next(p for p in document["phases"] if p["phase"] == name)


def data_row(database, name):
    return database.query(
        "SELECT description, success, error, executed_at IS NOT NULL "
        "FROM data_migrations WHERE id = %s", name)[0]


def test_they_run_in_order(phases, database):
    daemon, _ = phases(
        seeds={"a_seed": note("seed")},
        repeatable={"b_view": "CREATE OR REPLACE VIEW v AS SELECT 1 AS one;\n"
                    + note("repeatable b"), "a": note("repeatable a")},
        data={NICK: note("data")})
    daemon.wait_verdict("pending")
    planned = daemon.get("/plan").json()
    assert [(p["phase"], [s["id"] for s in p["steps"]])
            for p in planned["phases"]] == [
        ("data", [NICK]), ("repeatable", ["a", "b_view"]),
        ("seeds", ["a_seed"])]
    text = daemon.get("/plan?format=text").text
    assert "1 to apply" in text and "a_seed (seeds)" in text
    answer = daemon.apply()
    assert answer.status == 200
    run = answer.json()
    assert notes(database) == ["data", "repeatable a", "repeatable b", "seed"]
    assert [(m["phase"], m["id"]) for m in run["applied"]] == [
        ("schema", "0000_users"), ("data", NICK), ("repeatable", "a"),
        ("repeatable", "b_view"), ("seeds", "a_seed")]
    assert [(p["phase"], p["outcome"], p["planned"], p["applied"])
            for p in run["phases"]] == [
        ("schema", "succeeded", 1, 1), ("data", "succeeded", 1, 1),
        ("repeatable", "succeeded", 2, 2), ("seeds", "succeeded", 1, 1)]
    assert run["planned"] == 5 and run["failed"] == 0
    assert data_row(database, NICK) == ("populate nicknames", True, None,
                                        True)

    # again: nothing to do, and everything is current
    assert applied_ids(daemon.apply().json()) == []
    status = daemon.wait_verdict("current")
    assert status["counts"]["applied"] == 1
    assert phase(status, "data")["counts"]["applied"] == 1
    assert phase(status, "repeatable")["counts"]["applied"] == 2
    assert phase(status, "seeds")["table"] == "migrationd.seeds"
    # what belongs to the schema alone is as it was
    assert len(database.drizzle_rows()) == 1
    assert [m["id"] for m in migrations_of(daemon.get("/migrations"))] == [
        "0000_users"]
    listed = daemon.get("/migrations").json()["phases"]
    assert [[m["id"] for m in p["migrations"]] for p in listed] == [
        [NICK], ["a", "b_view"], ["a_seed"]]
    assert daemon.get(f"/migrations/{NICK}").json()["state"] == "applied"


def test_a_data_table_that_cannot_be_read_stops_nothing(phases, database):
    """Another's table of that name: the schema is what it is all the same."""
    database.execute("CREATE TABLE data_migrations (version int)")
    daemon, _ = phases(data={NICK: note("data")})
    assert daemon.apply().status == 200
    status = daemon.wait_verdict("incomplete")
    assert status["database"]["error"] is None
    wrong = phase(status, "data")["error"]
    assert wrong["category"] == "CONFIGURATION"
    assert "data_migrations" in wrong["detail"]
    assert status["sentence"].startswith(
        "the schema is current; data: the tracking table cannot be read: ")
    assert "rename it" in status["advice"]
    assert "data_migrations" in status["sentence"] and status["advice"]
    assert daemon.get("/current").status == 200
    found = daemon.get("/check").json()
    assert found["exit_code"] == 0
    assert [(f["kind"], f["severity"]) for f in found["findings"]][0] == (
        "unreachable", "warning")
    planned = daemon.get("/plan").json()
    assert planned["exit_code"] == 0
    assert phase(planned, "data")["error"] == wrong
    for path in ("/plan", "/status"):
        text = daemon.get(f"{path}?format=text").text
        assert "data_migrations has no column" in text
        assert "not been read yet" not in text

    database.execute("DROP TABLE data_migrations")
    assert daemon.apply().status == 200
    assert phase(daemon.wait_verdict("current"), "data")["error"] is None
    assert notes(database) == ["data"]


def test_a_failure_of_data_is_loud_and_stops_nothing(phases, database):
    broken = "2024-01-01_broken"
    daemon, folders = phases(
        data={broken: note("half") + "INSERT INTO nowhere VALUES (1);\n",
              NICK: note("data")},
        seeds={"seed": note("seed")})
    answer = daemon.apply()
    assert answer.status == 200, answer.text
    run = answer.json()
    # nothing of it stayed; those behind it ran
    assert notes(database) == ["data", "seed"]
    assert run["outcome"] == "succeeded" and run["failed"] == 1
    failed = phase(run, "data")
    assert (failed["outcome"], failed["applied"], failed["failed"]) == (
        "failed", 1, 1)
    assert failed["failures"][0]["sqlstate"] == "42P01"
    assert failed["failures"][0]["file"] == f"{broken}.sql"
    assert failed["failures"][0]["statement"]["line"] == 2
    assert "nowhere" in "".join(run["warnings"])
    description, success, error, _ = data_row(database, broken)
    assert (description, success) == ("broken", False)
    assert "nowhere" in error

    status = daemon.wait_verdict("incomplete")
    assert status["sentence"].startswith(
        f"the schema is current; data: {broken} failed: ")
    assert f"mend {broken}.sql, then POST /apply" in status["advice"]
    assert phase(status, "data")["failed"] == [broken]
    assert daemon.get("/current").status == 200
    assert any(line["level"] == "ERROR" and line.get("migration") == broken
               for line in daemon.log_lines())
    metrics = daemon.get("/metrics").text
    assert 'migrationd_phase_failures_total{phase="data"} 1' in metrics
    assert ('migrationd_phase_migrations{phase="data",state="failed"} 1'
            in metrics)
    text = daemon.get("/status?format=text").text
    assert broken in text and "incomplete" in text

    # who asks has it tried again; mended, it goes through
    assert phase(daemon.apply().json(), "data")["failed"] == 1
    write(folders["data"] / f"{broken}.sql", note("mended"))
    run = daemon.apply().json()
    assert applied_ids(run) == [broken]
    assert data_row(database, broken)[1:3] == (True, None)
    daemon.wait_verdict("current")


def test_failed_data_is_not_tried_by_itself(phases, postgres, database):
    broken = "INSERT INTO nowhere VALUES (1);"
    before = len(postgres.log())
    daemon, folders = phases("--apply-on-start", "--apply-on-change",
                             data={"2024-01-01_broken": broken})
    wait_until(lambda: phase(daemon.status(), "data")["failed"], 15)
    tries = postgres.log_count(f"statement: {broken}", after=before)
    assert tries == 1
    drizzle_add(folders["schema"], "0001_more", "CREATE TABLE more ();")
    wait_until(lambda: database.has_table("more"), 15)
    write(folders["data"] / "2024-02-02_good.sql", note("good"))
    wait_until(lambda: notes(database) == ["good"], 15)
    assert postgres.log_count(f"statement: {broken}", after=before) == 1
    # a daemon that has just been started knows it from the table
    other, _ = phases("--apply-on-start", data={})
    other.wait_verdict("incomplete")
    assert postgres.log_count(f"statement: {broken}", after=before) == 1
    assert phase(other.apply().json(), "data")["failed"] == 1
    assert postgres.log_count(f"statement: {broken}", after=before) == 2


def test_a_repeatable_runs_again_when_it_changes(phases, database):
    view = "CREATE OR REPLACE VIEW v AS SELECT {} AS n;\n"
    daemon, folders = phases(repeatable={"v": view.format(1),
                                         "w": note("w")})
    assert daemon.apply().status == 200
    write(folders["repeatable"] / "v.sql", view.format(2))
    status = daemon.wait_verdict("pending")
    assert status["sentence"].startswith("repeatable: 1 migration pending")
    assert phase(status, "repeatable")["pending"] == ["v"]
    assert daemon.get("/current").status == 503
    assert applied_ids(daemon.apply().json()) == ["v"]
    assert database.value("SELECT n FROM v") == 2
    assert notes(database) == ["w"]
    assert database.query("SELECT id, runs FROM migrationd.repeatable "
                          "ORDER BY id") == [("v", 2), ("w", 1)]
    daemon.wait_verdict("current")


def test_a_failure_of_a_repeatable_fails_the_run(phases, database):
    daemon, folders = phases(repeatable={"v": "SELECT nothing;\n"},
                             seeds={"seed": note("seed")})
    answer = daemon.apply()
    problem = answer.problem(422)
    assert problem["migration"] == "v" and problem["exit_code"] == 5
    assert [(p["phase"], p["outcome"]) for p in problem["phases"]] == [
        ("schema", "succeeded"), ("repeatable", "failed")]
    assert notes(database) == []
    status = daemon.wait_verdict("failed")
    assert status["sentence"].startswith("repeatable: v failed: v.sql:1:")
    write(folders["repeatable"] / "v.sql", "SELECT 1;\n")
    daemon.wait_verdict("pending")
    assert applied_ids(daemon.apply().json()) == ["v", "seed"]


@pytest.mark.parametrize("when, times", [("change", 1), ("always", 3)])
def test_seeds(phases, database, when, times):
    daemon, _ = phases(options={"seeds_when": when},
                       seeds={"seed": note("seed")})
    for _ in range(3):
        assert daemon.apply().status == 200
        # what runs every time is no reason to wait for
        daemon.wait_verdict("current")
    assert notes(database) == ["seed"] * times


def test_one_phase_alone(phases, database):
    daemon, _ = phases(data={NICK: note("data")},
                       seeds={"seed": note("seed")})
    daemon.post("/apply", json={"phases": ["schema"]})
    assert notes(database) == []
    daemon.post("/apply", json={"target": "0000"})
    assert notes(database) == []
    run = daemon.post("/apply", json={"phases": ["seeds"]}).json()
    assert [p["phase"] for p in run["phases"]] == ["seeds"]
    assert notes(database) == ["seed"]
    run = daemon.post("/apply", json={"phases": ["data"],
                                      "target": NICK}).json()
    assert applied_ids(run) == [NICK]
    daemon.post("/apply", json={"phases": ["repeatable"]}).problem(
        409, "CONFIGURATION")
    for wrong in ["seeds", [], ["seed"], [1],]:
        daemon.post("/apply", json={"phases": wrong}).problem(
            400, "CONFIGURATION")
    daemon.post("/apply", json={"phases": ["data", "seeds"],
                                "target": NICK}).problem(400)


def test_baseline_of_data(phases, database):
    daemon, _ = phases(data={NICK: note("data")})
    daemon.post("/apply", json={"phases": ["schema"]})
    run = daemon.post("/baseline", json={"all": True,
                                         "phases": ["data"]}).json()
    assert applied_ids(run) == [NICK]
    assert data_row(database, NICK)[1]
    assert notes(database) == []


def test_their_own_row_is_taken_as_it_is(phases, database):
    """What the team's own script has recorded, well or not."""
    database.query("""
        CREATE TABLE data_migrations (
          id TEXT PRIMARY KEY, description TEXT,
          executed_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
          success BOOLEAN NOT NULL DEFAULT true, error TEXT)""")
    database.query("INSERT INTO data_migrations VALUES "
                   "(%s, 'by hand', now(), true, NULL), "
                   "('2024-05-05_b', 'b', now(), false, 'boom')", NICK)
    daemon, _ = phases(data={NICK: note("never"), "2024-05-05_b": note("b")})
    status = daemon.status()
    assert applied_ids(daemon.apply().json()) == ["0000_users",
                                                  "2024-05-05_b"]
    assert notes(database) == ["b"]
    assert data_row(database, NICK)[0] == "by hand"
    assert data_row(database, "2024-05-05_b")[:3] == ("b", True, None)


def test_a_folder_that_is_not_there(phases, drizzle, serve, workdir, database):
    folder = drizzle(TABLES)
    daemon = serve(folder, options={**QUICK, "data": workdir / "no-data"})
    # the data migrations are not to be had: loud, and no more
    run = daemon.apply()
    assert run.status == 200
    assert phase(run.json(), "data")["outcome"] == "failed"
    assert "no-data" in "".join(run.json()["warnings"])
    daemon.wait_verdict("incomplete")
    other = serve(folder, options={**QUICK, "seeds": workdir / "no-seeds"})
    problem = other.apply().problem(422, "RESOURCE_NOT_FOUND")
    assert "no-seeds" in problem["detail"]


def test_once_runs_all_of_them(workdir, drizzle, once, database):
    data = fill(workdir / "data", {NICK: note("data"),
                                   "2024-01-01_x": "SELECT nothing;"})
    done = once(drizzle(TABLES), "--data", data)
    assert done.returncode == 0, done.stderr
    assert notes(database) == ["data"]
    assert "failed" in done.stdout


def test_one_folder_for_two_phases_is_refused(drizzle, once):
    folder = drizzle(TABLES)
    done = once(folder, "--seeds", folder)
    assert done.returncode == 4
    assert "--seeds: seeds has the folder of another phase" in done.stderr


def test_connection_made_anew_between_phases_and_behind_a_failure(
        phases, database):
    session = "INSERT INTO notes (what) VALUES (pg_backend_pid());\n"
    late = "SELECT pg_sleep(1.1);\n"
    daemon, _ = phases(
        options={"connection_max_age": "1s"},
        schema=[(TABLES[0][0], TABLES[0][1] + session + late)],
        data={"2024-03-15_a": session,
              "2024-03-16_b": late + "SELECT nosuchcolumn;\n",
              "2024-03-17_c": session})
    assert daemon.apply().status == 200
    assert len(notes(database)) == len(set(notes(database))) == 3


def test_a_dry_run_is_about_the_phases_that_are_asked_for(phases, database):
    daemon, _ = phases(data={NICK: note("data")}, seeds={"a_seed": note("s")},
                       options={"seeds_when": "always"})
    daemon.wait_verdict("pending")

    def shown(path, **body):
        got = daemon.post(path, json={"dry_run": True, **body}).json()
        return ([s["id"] for s in got["steps"]],
                [(p["phase"], p["known"], [s["id"] for s in p["steps"]])
                 for p in got["phases"]])

    assert shown("/baseline", all=True, phases=["data"]) == (
        [], [("data", True, [NICK])])
    assert shown("/apply", phases=["data"], target=NICK) == (
        [], [("data", True, [NICK])])
    assert shown("/apply", phases=["schema"]) == (["0000_users"], [])
    text = daemon.post("/baseline?format=text", json={
        "dry_run": True, "all": True, "phases": ["data"]}).text
    assert f"{NICK} (data)" in text and "0000_users" not in text
    daemon.post("/apply", json={"dry_run": True, "phases": ["repeatable"]}
                ).problem(409, "CONFIGURATION")
    assert daemon.apply().status == 200
    # as a run would, not as the status has it: the seed runs every time
    wait_until(lambda: shown("/apply") == (
        [], [("data", True, []), ("seeds", True, ["a_seed"])]))
    assert daemon.verdict() == "current"


def test_what_failed_in_one_phase_did_not_fail_in_another(phases):
    bad = "SELECT nosuchcolumn;\n"
    daemon, _ = phases(schema=[("0000_users", bad)],
                       repeatable={"0000_users": bad})
    daemon.wait_verdict("pending")
    daemon.post("/apply", json={"phases": ["repeatable"]}).problem(422)
    assert daemon.states() == {"0000_users": "pending"}
    document = daemon.get("/migrations").json()
    [item] = phase(document, "repeatable")["migrations"]
    assert item["state"] == "failed"


def failed(daemon):
    """How many of each phase are parked."""
    status = daemon.status()
    return {"schema": status["counts"]["failed"],
            **{p["phase"]: p["counts"]["failed"] for p in status["phases"]}}


def test_what_failed_is_a_file_of_its_phase(phases, start_daemon, database):
    """The schema gets a file of the same name and text as one that failed."""
    late = "INSERT INTO late DEFAULT VALUES;\n"
    daemon, folders = phases(repeatable={"0001_late": late})
    daemon.apply().problem(422, "SQL_ERROR")
    assert failed(daemon) == {"schema": 0, "repeatable": 1}
    drizzle_add(folders["schema"], "0001_late", late)
    wait_until(lambda: daemon.status()["counts"]["pending"] == 1, 10)
    assert failed(daemon) == {"schema": 0, "repeatable": 1}

    # one that is started later has it from the journal
    later = start_daemon("--migrations", folders["schema"], "--database-url",
                         database.url, options={
                             **QUICK, "repeatable": folders["repeatable"]})
    wait_until(lambda: failed(later) == {"schema": 0, "repeatable": 1}, 10)
    runs = later.get("/runs").json()["runs"]
    assert [(m["phase"], m["id"]) for m in runs[0]["applied"]] == [
        ("schema", "0000_users")]


def test_a_baseline_is_of_its_phase(workdir, sequence, serve, database):
    """A repeatable file is baselined, and is called as a migration that was run."""
    folder = sequence({"0001_notes.sql": TABLES[0][1],
                       "0001_notes.down.sql": "DROP TABLE users, notes;"})
    daemon = serve(folder, options={
        **QUICK, "rollback": True, "layout": "sequence", "tracking": "migration_log",
        "repeatable": fill(workdir / "repeatable", {"0001_notes": note("again")})})
    assert daemon.post("/apply", json={"phases": ["schema"]}).status == 200
    got = daemon.post("/baseline", json={"all": True, "phases": ["repeatable"]})
    assert got.status == 200, repr(got)
    assert migrations_of(daemon.get("/migrations"))[0]["state"] == "applied"
    got = daemon.post("/rollback", json={"steps": 1})
    assert got.status == 200, repr(got)
    assert not database.has_table("notes")


ASKS = ("DO $$ BEGIN INSERT INTO notes (what) VALUES ('half'); COMMIT; "
        "PERFORM 1/0; END $$;\n")


def asked(daemon):
    """What it says is to be sent: the bodies, by their actions."""
    status = daemon.status()
    assert {r["path"] for r in status["requests"]} == {"/repair"}, status
    return {r["body"]["action"]: r["body"] for r in status["requests"]}


def test_the_answer_goes_to_the_phase_that_asks(phases, database):
    """The schema has a file of the same name, which is applied."""
    daemon, _ = phases(seeds={"0000_users": ASKS})
    daemon.apply().problem(422)
    problem = daemon.apply().problem(409)
    assert [r["body"]["phase"] for r in problem["requests"]] == ["seeds"] * 3
    daemon.wait_verdict("in_doubt")
    answers = asked(daemon)
    assert answers["pending"] == {"migration": "0000_users",
                                  "action": "pending", "phase": "seeds"}
    # one is in doubt, so it is that one even where nobody says so
    run = daemon.post("/repair", json={"migration": "0000_users",
                                       "action": "pending"}).json()
    assert [p["phase"] for p in run["phases"]] == ["seeds"]
    assert len(database.drizzle_rows()) == 1
    assert daemon.states() == {"0000_users": "applied"}

    daemon.apply().problem(422)
    daemon.apply().problem(409)
    daemon.wait_verdict("in_doubt")
    assert daemon.post("/repair", json=asked(daemon)["applied"]).status == 200
    assert daemon.apply().status == 200
    daemon.wait_verdict("current")

    # now nothing tells which is meant
    problem = daemon.post("/repair", json={
        "migration": "0000_users",
        "action": "pending"}).problem(409, "CONFIGURATION")
    assert "schema, seeds" in problem["detail"]
    assert len(database.drizzle_rows()) == 1
    run = daemon.post("/repair", json={"migration": "0000_users",
                                       "action": "pending",
                                       "phase": "schema"}).json()
    assert (run["before"], run["after"]) == ("applied", "pending")
    assert database.drizzle_rows() == []


def test_a_question_of_data_is_answered(phases, database):
    """To apply again would ask again: it is the answers that are named."""
    name = "2024-01-01_half"
    daemon, _ = phases(data={name: ASKS})
    assert daemon.apply().status == 200
    run = daemon.apply().json()
    [failure] = phase(run, "data")["failures"]
    status = daemon.wait_verdict("incomplete")
    assert status["advice"] == failure["hint"]
    assert status["requests"] == failure["requests"]
    assert set(asked(daemon)) == {"applied", "retry", "pending"}
    [found] = [f for f in daemon.get("/check").json()["findings"]
               if f["kind"] == "failed"]
    assert found["remedy"] == failure["hint"]

    body = asked(daemon)["applied"]
    assert body["phase"] == "data"
    assert daemon.post("/repair", json=body).status == 200
    [apply] = daemon.status()["requests"]
    assert apply["path"] == "/apply"
    assert applied_ids(daemon.apply().json()) == [name]
    daemon.wait_verdict("current")
