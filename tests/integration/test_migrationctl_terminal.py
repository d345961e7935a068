# SPDX-License-Identifier: PostgreSQL
"""migrationctl on a terminal: colours, the progress bar, Ctrl-C."""

import re
import socket

import pytest

from harness.ctl import Terminal, finish, spawn
from harness.wait import wait_until

CANCELLED, INTERRUPTED = 9, 130
GREEN, RED = "\x1b[32m", "\x1b[31m"
BAR = re.compile(r"\[[#-]{20}\] \d+/\d+  ")


@pytest.fixture
def slow(drizzle, gate):
    """The second of three stands at the gate."""
    return drizzle([("0000_a", "SELECT 1;"), ("0001_slow", gate.sql),
                    ("0002_c", "CREATE TABLE c (id int);")])


@pytest.fixture(params=["server", "local"])
def flags_of(request, serve, database):
    """flags_of(folder) -> what names the daemon, or the work to do here."""
    def begin(folder):
        if request.param == "server":
            daemon = serve(folder)
            daemon.wait_verdict("pending", "current")
            return ["--server", daemon.base_url]
        return ["--migrations", folder, "--database-url", database.url]
    return begin


def test_colours(flags_of, sample):
    terminal = Terminal(*flags_of(sample), "apply")
    assert terminal.finish() == 0
    assert f"{GREEN}applied" in terminal.screen
    assert f"{GREEN}succeeded" in terminal.screen
    status = Terminal(*flags_of(sample), "status")
    assert status.finish() == 0
    assert f"verdict   {GREEN}current" in status.screen


@pytest.mark.parametrize("args, env", [
    (["--no-color"], {}),
    ([], {"NO_COLOR": "1"}),
    ([], {"TERM": "dumb"}),
])
def test_no_colours(flags_of, sample, args, env):
    terminal = Terminal(*flags_of(sample), *args, "status", env=env)
    assert terminal.finish() == 0
    assert "\x1b" not in terminal.screen
    assert "verdict   pending" in terminal.screen


def test_empty_no_color_is_none(flags_of, sample):
    terminal = Terminal(*flags_of(sample), "status", env={"NO_COLOR": ""})
    assert terminal.finish() == 0
    assert "\x1b[33mpending" in terminal.screen


def test_json_has_no_colours(flags_of, sample):
    terminal = Terminal(*flags_of(sample), "--json", "apply")
    assert terminal.finish() == 0
    assert "\x1b" not in terminal.screen


def test_a_bar_shows_how_far_it_is(flags_of, slow, gate):
    terminal = Terminal(*flags_of(slow), "apply", columns=60)
    terminal.read_until("1/3", count=6)  # drawn anew while nothing happens
    gate.open()
    assert terminal.finish() == 0
    assert re.search(r"\[#{6}-{14}\] 1/3  ", terminal.text)
    assert re.search(r"1/3  (\x1b\[0m)?0001_slow  [\d.]+ m?s", terminal.screen)
    # it is drawn in place, never wider than the screen, and gone at the end
    drawn = [line for line in re.split(r"[\r\n]", terminal.text)
             if BAR.match(line)]
    assert len(drawn) > 5
    assert max(map(len, drawn)) < 60
    before, _, after = terminal.text.rpartition("succeeded")
    assert before.endswith(("\n", "\r")) and not BAR.search(after)


def test_a_dumb_terminal_has_no_bar(flags_of, slow, gate):
    terminal = Terminal(*flags_of(slow), "apply", env={"TERM": "dumb"})
    terminal.read_until("running   0001_slow")
    gate.open()
    assert terminal.finish() == 0
    assert "\x1b" not in terminal.screen and not BAR.search(terminal.screen)


def test_a_failure_is_red(flags_of, drizzle):
    terminal = Terminal(*flags_of(drizzle([("0000_a", "SELECT nix;")])),
                        "apply")
    assert terminal.finish() == 5
    assert f"{RED}failed" in terminal.screen
    assert f"error     {RED}A migration failed" in terminal.screen


def test_names_do_not_move_the_cursor(flags_of, drizzle):
    terminal = Terminal(*flags_of(drizzle(
        [("0000_a", "DO $$BEGIN RAISE EXCEPTION E'\\x1b[2Jboo'; END$$;")])),
        "apply")
    assert terminal.finish() == 5
    assert "\x1b[2J" not in terminal.screen
    assert "\\x1b[2Jboo" in terminal.screen


def test_watch(flags_of, sample):
    terminal = Terminal(*flags_of(sample), "status", "--watch")
    terminal.read_until("migrationctl apply runs them")
    terminal.press_ctrl_c()
    terminal.finish(10)
    assert "\x1b[H\x1b[J" in terminal.screen


# -- Ctrl-C ---------------------------------------------------------------

def test_ctrl_c_leaves_the_run_of_a_daemon_alone(serve, slow, gate):
    daemon = serve(slow)
    terminal = Terminal("--server", daemon.base_url, "apply")
    terminal.read_until("1/3")
    terminal.press_ctrl_c()
    assert terminal.finish(10) == INTERRUPTED
    run_id = daemon.status()["run"]["id"]
    assert (f"migrationctl --server {daemon.base_url} cancel {run_id} ends it"
            in terminal.text)
    gate.open()
    daemon.wait_verdict("current")


def test_ctrl_c_ends_a_run_of_our_own_after_the_migration_in_hand(
        slow, database, gate):
    terminal = Terminal("--migrations", slow, "--database-url",
                        database.url, "apply")
    terminal.read_until("1/3")
    terminal.press_ctrl_c()
    terminal.read_until("again to cancel it")
    gate.open()
    assert terminal.finish(20) == CANCELLED
    assert "applied   0001_slow" in terminal.text
    assert len(database.drizzle_rows()) == 2
    assert not database.has_table("c")


def test_ctrl_c_twice_cancels(drizzle, database):
    folder = drizzle([("0000_slow", "CREATE TABLE slow (id int);"
                                    "SELECT pg_sleep(60);")])
    terminal = Terminal("--migrations", folder, "--database-url",
                        database.url, "apply")
    terminal.read_until("0/1")
    wait_until(lambda: database.value(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE"
        " '%%pg_sleep(60)%%' AND pid <> pg_backend_pid()"), 10)
    terminal.press_ctrl_c()
    terminal.read_until("again to cancel it")
    terminal.press_ctrl_c()
    assert terminal.finish(20) == CANCELLED
    assert not database.has_table("slow")


@pytest.mark.parametrize("command", [["status"], ["wait"], ["apply"],
                                     ["apply", "--json"]])
@pytest.mark.parametrize("way", ["server", "local"])
def test_ctrl_c_while_nobody_answers(sample, way, command):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        flags = (["--server", f"127.0.0.1:{port}"] if way == "server" else
                 ["--migrations", sample, "--database-url",
                  f"postgresql://127.0.0.1:{port}/x"])
        terminal = Terminal(*flags, *command)
        silent.settimeout(20)
        connection, _ = silent.accept()
        with connection:
            terminal.press_ctrl_c()
            assert terminal.finish(20) == INTERRUPTED, terminal.screen


def test_a_pipe_gets_no_bar(flags_of, slow, gate, workdir):
    told = workdir / "told"
    with told.open("w", encoding="utf-8") as stdout:
        process = spawn(*flags_of(slow), "apply", stdout=stdout)
    wait_until(lambda: "running   0001_slow" in told.read_text(), 20)
    gate.open()
    done = finish(process)
    assert done.returncode == 0
    written = told.read_bytes().decode() + done.err
    assert not BAR.search(written)
    assert "\r" not in written
