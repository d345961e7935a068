# SPDX-License-Identifier: PostgreSQL
"""The manual names the members of the documents, all of them and no others;
and what the README promises has the tests that it names."""

import re
import subprocess

import pytest
from harness.process import CHECKOUT
from harness.wait import wait_until

PAGE = CHECKOUT / "man" / "migrationd.8"


def section(title):
    """The lines of one .Ss of the page."""
    text = PAGE.read_text(encoding="utf-8")
    return re.split(r"^\.S[sh] .*$", text.split(f".Ss {title}\n")[1],
                    maxsplit=1, flags=re.M)[0].splitlines()


def names(lines, macro):
    """The words of `.It Va a , b` or `.Va a :`."""
    return {word for line in lines if line.startswith(macro)
            for word in re.findall(r"[a-z_]+", line.removeprefix(macro))}


def items(title):
    return names(section(title), ".It Va ")


def words(title):
    """Those within the text, too; `.Pq Va table ,` among them."""
    lines = section(title)
    return (names(lines, ".It Va ") | names(lines, ".Va ")
            | names(lines, ".Pq Va "))


def test_readme_names_tests_that_are_there():
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    table = text.split("## Promises")[1].split("\n## ")[0]
    tests = CHECKOUT / "tests" / "integration"
    file, found = None, 0
    for name, function in re.findall(r"`(test_\w+\.py)?(?:::(test_\w+))?`",
                                     table):
        file = tests / name if name else file
        source = file.read_text(encoding="utf-8")
        assert not function or f"\ndef {function}(" in source, (file, function)
        found += 1
    assert found > 20, table


def renaming():
    """What the page says to do for a tracking table that gets another name."""
    text = (CHECKOUT / "man" / "migrationd.conf.5").read_text(encoding="utf-8")
    return re.search(r"BEGIN;\n.*COMMIT;\n", text, re.S)[0]


@pytest.mark.parametrize("done", [True, False], ids=["as told", "renamed alone"])
def test_a_tracking_table_is_renamed(start_daemon, sequence, workdir, database, done):
    """With what the journal knows of it; and without, that is forgotten."""
    folder = sequence({"0001_a.sql": "CREATE TABLE a (n int);",
                       "0002_b.sql": "CREATE TABLE b (n int);",
                       "0003_c.sql": "CREATE TABLE c (n int);"})
    for name, sql in (("seeds", "INSERT INTO a VALUES (1);"),
                      ("repeatable", "CREATE OR REPLACE VIEW v AS SELECT 1;")):
        (workdir / name).mkdir()
        (workdir / name / "it.sql").write_text(sql, encoding="ascii")

    def start(**options):
        return start_daemon(
            "--migrations", folder, "--database-url", database.url, options={
                "layout": "sequence", "tracking": "schema_migrations",
                "refresh_interval": "1s", "settle": "50ms",
                "seeds": workdir / "seeds", "repeatable": workdir / "repeatable",
                "on_modified": "warn", **options})
    daemon = start()
    daemon.wait_verdict("pending")
    database.execute("CREATE TABLE a (n int)")
    assert daemon.post("/baseline", json={"target": "0001_a"}).status == 200
    assert daemon.apply(json={"target": "0002_b"}).status == 200
    (folder / "0003_c.sql").write_text("SELECT nonsense;", encoding="ascii")
    daemon.apply().problem(422)
    assert daemon.apply(json={"phases": ["repeatable", "seeds"]}).status == 200
    daemon.wait_verdict("failed")
    daemon.stop()

    said = renaming()
    database.execute(said if done else said.splitlines()[1])
    (folder / "0002_b.sql").write_text("CREATE TABLE b (m int);", encoding="ascii")
    daemon = start(tracking_table="app_migrations")
    if done:
        daemon.wait_verdict("failed")
        states = ["baseline", "modified", "failed"]
    else:
        daemon.wait_verdict("pending")
        states = ["applied", "applied", "pending"]
    assert [daemon.states()[i] for i in ("0001_a", "0002_b", "0003_c")] == states
    got = daemon.apply(json={"phases": ["repeatable", "seeds"]})
    assert got.status == 200, repr(got)
    assert len(got.json()["applied"]) == (0 if done else 2)
    assert database.value("SELECT count(*) FROM a") == (1 if done else 2)


def init_container(path):
    """The command of the container that calls curl, a list in either form."""
    text = path.read_text(encoding="utf-8")
    flow = re.search(r"command: \[(curl,[^]]*)\]", text)
    block = re.search(r"command:\n((?: +- .*\n)+)", text)
    words = flow[1].split(",") if flow else block[1].split("\n")
    return [word.strip().removeprefix("- ").strip('"')
            for word in words if word.strip()]


@pytest.mark.parametrize("file", ["README.md",
                                  "etc/kubernetes/init-container.yaml"])
def test_init_container(serve, drizzle, workdir, file):
    """Word for word, but for the address and where the header lies."""
    token = "0123456789abcdef0123456789abcdef"
    (workdir / "token").write_text(token, encoding="ascii")
    (workdir / "token").chmod(0o600)
    (workdir / "header").write_text(f"Authorization: Bearer {token}",
                                    encoding="ascii")
    daemon = serve(drizzle([("0000_t", "CREATE TABLE t (id int);")]),
                   options={"token_file": workdir / "token"})
    words = [word.replace("http://migrationd:8432", daemon.base_url).replace(
        "/run/secrets/migrationd/header", str(workdir / "header"))
        for word in init_container(CHECKOUT / file)]
    assert words[0] == "curl" and words[-1].endswith("/apply"), words
    done = subprocess.run(words, capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, (words, done)
    assert daemon.verdict() == "current"


@pytest.fixture
def documents(serve, drizzle, database):
    """The status with a run that waits, and the problem that it ends with."""
    folder = drizzle([("0000_t", "CREATE TABLE t (id int);")])
    daemon = serve(folder)
    assert daemon.apply().status == 200
    drizzle([("0000_t", "CREATE TABLE t (id int);"),
             ("0001_alter", "ALTER TABLE t ADD COLUMN name text;"),
             ("0002_index", "CREATE INDEX ON t (nme);")])
    (folder / "0003_stray.sql").write_text("SELECT 1;\n", encoding="utf-8")
    holder = database.hold_lock("SELECT count(*) FROM t")
    where = daemon.apply(Prefer="respond-async").headers["Location"]
    status = wait_until(
        lambda: (s := daemon.status())["run"]["blockers"] and s,
        what="a blocker is named")
    holder.close()
    problem = wait_until(
        lambda: (run := daemon.get(where).json())["outcome"] and run["error"],
        what="the run has failed")
    return daemon, status, problem


def test_manual_names_the_members_of_the_status(documents):
    _, status, _ = documents
    assert items("The status document") == set(status)
    told = words("The status document")
    for name in ("database", "folder", "tracking", "lock"):
        assert set(status[name]) <= told, name
    counted = {word for line in section("The status document")
               if line.startswith((".Cm", "or"))
               for word in re.findall(r"[a-z_]+", line)}
    assert set(status["counts"]) <= counted
    assert status["folder"]["problems"], "no problem to compare"
    for line in status["folder"]["problems"]:
        assert set(line) <= told | words("The problem document")


def test_manual_names_the_members_of_a_run(documents):
    _, status, _ = documents
    of_others = {"action", "migration", "before", "after", "rolled_back", "to",
                 "steps"}
    assert items("The run document") == set(status["run"]) | of_others
    told = words("The run document")
    assert set(status["run"]["applied"][0] if status["run"]["applied"]
               else status["last_run"]["applied"][0]) <= told
    assert set(status["run"]["blockers"][0]) <= told
    # progress is null while the statement waits
    assert {"command", "phase", "unit", "done", "total", "percent",
            "rate_per_second", "eta_seconds"} <= told


def test_manual_names_the_members_of_a_problem(documents):
    daemon, _, problem = documents
    told = words("The problem document")
    assert set(problem) <= told
    assert set(problem["statement"]) <= told
    # what a repair's answer has besides
    answer = daemon.post("/repair", json={"migration": "0002_index",
                                          "action": "retry"}).json()
    assert {"action", "migration"} <= set(answer)
    assert set(answer) <= told | words("The run document")
