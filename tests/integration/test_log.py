# SPDX-License-Identifier: PostgreSQL
"""The log: one line for each event, in the words that dashboards query."""

import json

import pytest

from harness.folder import tables
from harness.wait import wait_until


def test_json_words(serve, drizzle):
    daemon = serve(drizzle([*tables(2), ("0002_bad", "CRATE;")]))
    daemon.apply()
    lines = daemon.log_lines()
    assert len(lines) == len(daemon.stderr().splitlines()), "all are JSON"
    for line in lines:
        assert line["level"] in ("ERROR", "WARNING", "WARN", "INFO", "DEBUG")
        assert line["timestamp"].endswith("Z")
        assert line["message"]
    applied = [line for line in lines if "migrationDuration" in line
               and line["level"] == "INFO"]
    assert [line["migration"] for line in applied] == ["0000_t0", "0001_t1"]
    assert all(isinstance(line["migrationDuration"], int)
               for line in applied)
    errors = [line for line in lines if line["level"] == "ERROR"]
    assert len(errors) == 1, "logged once"
    assert errors[0]["category"] == "SQL_SYNTAX_ERROR"
    assert "CRATE" in json.dumps(errors[0])
    assert "0002_bad" in json.dumps(errors[0])


def test_end_of_a_run(serve, drizzle):
    daemon = serve(drizzle(tables(3)))
    run = daemon.apply().json()
    ended = [line for line in daemon.log_lines()
             if line.get("run") == run["id"] and "totalDuration" in line]
    assert len(ended) == 1
    assert ended[0]["filesProcessed"] == 3


def test_hostile_text_stays_one_line(serve, drizzle):
    hostile = r"""DO $$ BEGIN RAISE EXCEPTION
E'one\ntwo\r\x1b[31m{"level":"INFO"}'; END $$;"""
    daemon = serve(drizzle([("0000_bad", hostile)]))
    daemon.apply()
    text = daemon.stderr()
    assert "\x1b" not in text
    for line in text.splitlines():
        assert json.loads(line)["timestamp"]


def test_text_format(serve, drizzle):
    daemon = serve(drizzle(tables(1)), log_format="text")
    daemon.apply()
    lines = daemon.stderr().splitlines()
    assert all(line[:4].isdigit() and line[10] == "T" for line in lines)
    assert any("0000_t0" in line and "INFO" in line for line in lines)


@pytest.mark.parametrize("level, seen", [("error", False), ("info", True)])
def test_level(serve, drizzle, level, seen):
    daemon = serve(drizzle(tables(1)), "--log-level", level)
    daemon.apply()
    assert ("0000_t0" in daemon.stderr()) is seen


def test_level_is_changed_by_reload(serve, drizzle):
    daemon = serve(drizzle(tables(1)), options={"log_level": "error"})
    assert daemon.stderr() == ""
    daemon.config_path.write_text("log_level = 'debug'\n")
    daemon.post("/reload")
    daemon.apply()
    wait_until(lambda: "0000_t0" in daemon.stderr(), 5)


def test_database_that_comes_and_goes_is_told_once(start_daemon, drizzle):
    daemon = start_daemon("--migrations", drizzle(tables(1)),
                          "--database-url", "postgresql://127.0.0.1:1/x",
                          options={"refresh_interval": "1s"})
    daemon.wait_verdict("unreachable")

    def attempts():
        text = daemon.get("/metrics").text
        return float([line.split()[1] for line in text.splitlines()
                      if line.startswith("migrationd_database_connect"
                                         "_failures_total")][0])
    wait_until(lambda: attempts() >= 4, 20)
    told = [line for line in daemon.log_lines()
            if line["level"] in ("ERROR", "WARNING", "WARN")]
    assert 1 <= len(told) <= 2
