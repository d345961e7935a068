# SPDX-License-Identifier: PostgreSQL
"""GET /metrics: well-formed, the families that dashboards use, and no more
series however odd the requests are."""

import re
import shutil
import subprocess

import pytest

from harness.folder import tables
from harness.process import CHECKOUT
from harness.wait import wait_until

FAMILIES = """
migrationd_build_info migrationd_config_last_reload_successful
migrationd_config_last_reload_success_timestamp_seconds migrationd_migrations
migrationd_runs_total migrationd_run_failures_total migrationd_errors_total
migrationd_migrations_applied_total migrationd_statements_executed_total
migrationd_run_duration_seconds migrationd_migration_duration_seconds
migrationd_last_run_success migrationd_last_run_timestamp_seconds
migrationd_last_run_success_timestamp_seconds
migrationd_last_run_duration_seconds migrationd_last_run_migrations
migrationd_run_in_progress migrationd_run_start_timestamp_seconds
migrationd_run_progress_ratio migrationd_lock_held
migrationd_lock_wait_seconds migrationd_database_up
migrationd_database_connects_total
migrationd_database_connect_failures_total
migrationd_database_last_refresh_timestamp_seconds migrationd_directory_up
migrationd_directory_scans_total
migrationd_directory_last_scan_timestamp_seconds
migrationd_directory_last_scan_duration_seconds
migrationd_http_requests_total migrationd_http_request_duration_seconds
migrationd_http_requests_in_flight migrationd_event_loop_lag_seconds
migrationd_hooks_total migrationd_hook_failures_total
migrationd_notifications_total migrationd_notification_failures_total
migrationd_notifications_waiting
process_cpu_seconds_total process_open_fds process_max_fds
process_virtual_memory_bytes process_resident_memory_bytes
process_start_time_seconds
""".split()
CATEGORIES = """SECURITY_VIOLATION RESOURCE_NOT_FOUND SQL_SYNTAX_ERROR
PERMISSION_DENIED NETWORK_ERROR SQL_ERROR CHECKSUM_MISMATCH OUT_OF_ORDER
LOCK_TIMEOUT STATEMENT_TIMEOUT CANCELLED CONFIGURATION INTERNAL""".split()
STATES = """applied baseline pending running failed in_doubt modified missing
out_of_order unregistered invalid""".split()

_SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')


def samples(daemon):
    """{series as written: value}"""
    got = daemon.get("/metrics")
    assert got.status == 200
    found = {}
    for line in got.text.splitlines():
        if line.startswith("#") or not line:
            continue
        assert _SAMPLE.match(line), line
        series, _, value = line.rpartition(" ")
        assert series not in found, f"twice: {series}"
        found[series] = float(value)
    return found


def promtool():
    found = shutil.which("promtool") or CHECKOUT / "build/tools/promtool"
    if not shutil.which(str(found)):
        pytest.fail("promtool is not installed: ./bootstrap check fetches it")
    return found


def lint(text):
    return subprocess.run([promtool(), "check", "metrics"], input=text,
                          capture_output=True, text=True, timeout=30,
                          check=False)


def test_promtool_is_content(serve, sample, drizzle):
    daemon = serve(sample)
    for step in ("fresh", "applied"):
        checked = lint(daemon.get("/metrics").text)
        assert checked.returncode == 0, (step, checked)
        assert checked.stdout + checked.stderr == ""
        assert daemon.apply().status == 200


def test_promtool_after_a_failure(serve, drizzle):
    daemon = serve(drizzle([("0000_bad", "CRATE;")]))
    daemon.apply()
    daemon.get("/nosuch")
    assert lint(daemon.get("/metrics").text).returncode == 0


def test_families(serve, drizzle):
    text = serve(drizzle(tables(1))).get("/metrics").text
    typed = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    helped = set(re.findall(r"^# HELP (\S+) ", text, re.M))
    assert typed == helped
    assert not set(FAMILIES) - typed


def test_every_label_value_is_there_from_the_start(serve, drizzle):
    found = samples(serve(drizzle(tables(1))))
    for category in CATEGORIES:
        assert found[f'migrationd_errors_total{{category="{category}"}}'] == 0
    for state in STATES:
        assert f'migrationd_migrations{{state="{state}"}}' in found
    assert found['migrationd_runs_total{operation="apply"}'] == 0
    assert found['migrationd_runs_total{operation="baseline"}'] == 0


def test_counters_move(serve, drizzle):
    daemon = serve(drizzle(tables(3)))
    daemon.wait_verdict("pending")
    before = samples(daemon)
    assert before['migrationd_migrations{state="pending"}'] == 3
    assert before["migrationd_database_up"] == 1
    assert before["migrationd_directory_up"] == 1
    daemon.apply()
    daemon.apply()
    after = samples(daemon)
    assert after['migrationd_runs_total{operation="apply"}'] == 2
    assert after['migrationd_run_failures_total{operation="apply"}'] == 0
    assert after["migrationd_migrations_applied_total"] == 3
    assert after["migrationd_statements_executed_total"] >= 3
    assert after['migrationd_migrations{state="pending"}'] == 0
    assert after['migrationd_migrations{state="applied"}'] == 3
    assert after["migrationd_last_run_success"] == 1
    assert after["migrationd_last_run_migrations"] == 0
    assert after["migrationd_last_run_timestamp_seconds"] > 1.7e9
    assert after["migrationd_migration_duration_seconds_count"] == 3
    assert after['migrationd_run_duration_seconds_count{operation="apply"}'] \
        == 2
    route = 'migrationd_http_requests_total{route="/apply",method="POST"' \
            ',code="200"}'
    assert after.get(route) == 2, [s for s in after if "http_requests" in s]
    assert after["process_resident_memory_bytes"] > 1e6


def test_failures_are_counted_by_category(serve, drizzle):
    daemon = serve(drizzle([("0000_bad", "CRATE;")]))
    daemon.apply()
    found = samples(daemon)
    assert found['migrationd_errors_total{category="SQL_SYNTAX_ERROR"}'] == 1
    assert found['migrationd_run_failures_total{operation="apply"}'] == 1
    assert found["migrationd_last_run_success"] == 0
    assert found['migrationd_migrations{state="failed"}'] == 1


def test_a_run_in_progress(serve, drizzle, gate):
    daemon = serve(drizzle([("0000_slow", gate.sql),
                            ("0001_b", "SELECT 1;")]))
    daemon.apply(Prefer="respond-async")
    gate.wait()
    found = samples(daemon)
    assert found["migrationd_lock_held"] == 1
    assert found["migrationd_run_in_progress"] == 1
    assert found["migrationd_run_start_timestamp_seconds"] > 1.7e9
    gate.open()
    daemon.wait_verdict("current")
    found = wait_until(
        lambda: (s := samples(daemon))["migrationd_run_in_progress"] == 0 and s)
    assert found["migrationd_lock_held"] == 0
    assert found["migrationd_run_start_timestamp_seconds"] == 0


def test_database_away(serve, drizzle, start_daemon):
    daemon = start_daemon("--migrations", drizzle(tables(1)),
                          "--database-url", "postgresql://127.0.0.1:1/x")
    wait_until(lambda: samples(daemon)[
        "migrationd_database_connect_failures_total"] > 0, 10)
    assert samples(daemon)["migrationd_database_up"] == 0


def test_cardinality_is_bounded(serve, drizzle):
    daemon = serve(drizzle(tables(2)))
    daemon.apply()
    paths = ["/nosuch", "/status?x=1", "/migrations/0000_t0", "/runs/x"]

    def visit(suffix):
        for path in paths:
            daemon.get(path + suffix)
        daemon.request("BREW", "/pot" + suffix)
        daemon.request("POST", "/nosuch" + suffix)
        daemon.request("DELETE", "/runs/" + suffix.strip("/") + "x")

    visit("/a")
    visit("a")
    samples(daemon)     # is a request too
    before = set(samples(daemon))
    for index in range(100):
        visit(f"/{index}")
        visit(str(index))
    assert set(samples(daemon)) == before
    assert len(before) < 400


def test_no_series_for_each_migration(serve, drizzle):
    few = set(samples(serve(drizzle(tables(2), "few"))))
    many = set(samples(serve(drizzle(tables(300), "many"))))
    assert len(many) == len(few)


def test_openmetrics_where_the_scraper_prefers_it(serve, drizzle):
    daemon = serve(drizzle(tables(1)))
    accept = ("application/openmetrics-text;version=1.0.0,"
              "application/openmetrics-text;version=0.0.1;q=0.75,"
              "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
    got = daemon.get("/metrics", Accept=accept)
    assert got.type == "application/openmetrics-text"
    assert got.text.endswith("# EOF\n")
    assert "# TYPE migrationd_runs counter" in got.text
    plain = daemon.get("/metrics")
    assert plain.type == "text/plain"
    assert "version=0.0.4" in plain.headers["Content-Type"]
    assert "# EOF" not in plain.text
