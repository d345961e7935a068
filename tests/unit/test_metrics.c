/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include "http/metrics.h"

static const char *
render(struct fake *fake, bool openmetrics)
{
	struct text out;

	text_init(&out, fake, BOUND_REPLY_BYTES);
	metrics_render(&out, fake->api.metrics, &fake->status, openmetrics);
	assert_false(text_failed(&out));
	return out.data;
}

static bool
has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *p = strstr(text, line); p; p = strstr(p + 1, line)) {
		if ((p == text || p[-1] == '\n') && p[len] == '\n')
			return true;
	}
	print_error("no line \"%s\"\n", line);
	return false;
}

static unsigned
count_lines(const char *text, const char *start)
{
	size_t len = strlen(start);
	unsigned n = 0;

	for (const char *p = text; *p; p = strchr(p, '\n') + 1)
		n += strncmp(p, start, len) == 0;
	return n;
}

static void
test_at_the_start(void **state)
{
	static const char *const lines[] = {
		"migrationd_config_last_reload_successful 1",
		"migrationd_config_last_reload_success_timestamp_seconds 1763618292.123000",
		"migrationd_migrations{state=\"applied\"} 1",
		"migrationd_migrations{state=\"pending\"} 2",
		"migrationd_migrations{state=\"in_doubt\"} 0",
		"migrationd_schema_version_info{version=\"0000\",name=\"users\"} 1",
		"migrationd_last_applied_timestamp_seconds 1763618292.123000",
		"migrationd_runs_total{operation=\"apply\"} 0",
		"migrationd_runs_total{operation=\"baseline\"} 0",
		"migrationd_runs_total{operation=\"repair\"} 0",
		"migrationd_run_failures_total{operation=\"apply\"} 0",
		"migrationd_errors_total{category=\"SQL_ERROR\"} 0",
		"migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"0.01\"} 0",
		"migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"1.0\"} 0",
		"migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"14400.0\"} 0",
		"migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"+Inf\"} 0",
		"migrationd_run_duration_seconds_count{operation=\"apply\"} 0",
		"migrationd_migration_duration_seconds_count 0",
		"migrationd_lock_wait_seconds_bucket{le=\"900.0\"} 0",
		"migrationd_run_in_progress 0",
		"migrationd_run_blockers 0",
		"migrationd_run_queued_sessions 0",
		"migrationd_lock_held 0",
		"migrationd_database_up 1",
		"migrationd_directory_up 1",
		"migrationd_directory_scans_total{trigger=\"event\"} 0",
		"migrationd_directory_last_scan_timestamp_seconds 1763618292.123",
		"process_start_time_seconds 1763618292.123000",
	};
	struct fake *fake = fake_new();
	const char *text = render(fake, false);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		assert_true(has_line(text, lines[i]));
	assert_int_equal(
	    count_lines(text, "migrationd_migrations{"), MIGRATION_STATE_COUNT);
	assert_int_equal(count_lines(text, "migrationd_errors_total{"), CAT_COUNT - 1);
	assert_int_equal(count_lines(text, "migrationd_log_messages_total{"), 3);
	assert_true(has_line(text, "migrationd_log_messages_dropped_total 0"));
	assert_int_equal(count_lines(text, "process_open_fds "), 1);
	assert_int_equal(count_lines(text, "process_resident_memory_bytes "), 1);
	assert_int_equal(count_lines(text, "migrationd_build_info{version=\""), 1);
	assert_null(strstr(text, "# EOF"));
	talloc_free(fake);
}

/* Each family has its head before its samples, once. */
static void
test_heads(void **state)
{
	struct fake *fake = fake_new();
	const char *text = render(fake, false);
	unsigned n = count_lines(text, "# HELP ");

	(void)state;
	assert_true(n > 40);
	assert_int_equal(count_lines(text, "# TYPE "), n);
	assert_int_equal(count_lines(text, "#"), 2 * n);
	assert_true(has_line(text, "# TYPE migrationd_runs_total counter"));
	assert_true(has_line(text, "# TYPE migrationd_database_up gauge"));
	assert_true(has_line(text, "# TYPE migrationd_lock_wait_seconds histogram"));
	talloc_free(fake);
}

static void
test_openmetrics(void **state)
{
	struct fake *fake = fake_new();
	const char *text = render(fake, true);

	(void)state;
	assert_true(has_line(text, "# TYPE migrationd_runs counter"));
	assert_true(has_line(text, "migrationd_runs_total{operation=\"apply\"} 0"));
	assert_true(has_line(text, "# TYPE process_cpu_seconds counter"));
	assert_null(strstr(text, "_total counter"));
	assert_true(has_line(text,
	    "migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"1.0\"} 0"));
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	talloc_free(fake);
}

static void
test_runs_are_counted(void **state)
{
	struct fake *fake = fake_new();
	struct metrics *metrics = fake->api.metrics;
	struct err err = { .category = CAT_SQL_ERROR, .text = "it broke" };
	const char *text;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake->run->statements = 3;
	fake->run->lock_wait_us = 200000;
	fake_end_run(fake, NULL);
	metrics_count_run(metrics, fake->run);
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_runs_total{operation=\"apply\"} 1"));
	assert_true(has_line(text, "migrationd_migrations_applied_total 1"));
	assert_true(has_line(text, "migrationd_statements_executed_total 3"));
	assert_true(has_line(text, "migrationd_last_run_success 1"));
	assert_true(
	    has_line(text, "migrationd_last_run_timestamp_seconds 1763618294.723000"));
	assert_true(has_line(text, "migrationd_last_run_duration_seconds 2.600000"));
	assert_true(has_line(text, "migrationd_last_run_migrations 1"));
	assert_true(has_line(text,
	    "migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"1.0\"} 0"));
	assert_true(has_line(text,
	    "migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"5.0\"} 1"));
	assert_true(has_line(text,
	    "migrationd_run_duration_seconds_bucket{operation=\"apply\",le=\"+Inf\"} 1"));
	assert_true(has_line(
	    text, "migrationd_run_duration_seconds_sum{operation=\"apply\"} 2.600000"));
	assert_true(has_line(text, "migrationd_migration_duration_seconds_sum 0.412000"));
	assert_true(has_line(text, "migrationd_lock_wait_seconds_bucket{le=\"0.1\"} 0"));
	assert_true(has_line(text, "migrationd_lock_wait_seconds_bucket{le=\"0.5\"} 1"));

	/* a failure leaves the time of the last success alone */
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, &err);
	fake->run->finished_at_us += 60000000;
	metrics_count_run(metrics, fake->run);
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_runs_total{operation=\"apply\"} 2"));
	assert_true(
	    has_line(text, "migrationd_run_failures_total{operation=\"apply\"} 1"));
	assert_true(has_line(text, "migrationd_errors_total{category=\"SQL_ERROR\"} 1"));
	assert_true(has_line(text, "migrationd_last_run_success 0"));
	assert_true(
	    has_line(text, "migrationd_last_run_timestamp_seconds 1763618354.723000"));
	assert_true(has_line(
	    text, "migrationd_last_run_success_timestamp_seconds 1763618294.723000"));

	/* a baseline applies nothing */
	fake_start_run(fake, PLAN_BASELINE);
	fake_end_run(fake, NULL);
	metrics_count_run(metrics, fake->run);
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_runs_total{operation=\"baseline\"} 1"));
	assert_true(has_line(text, "migrationd_migrations_applied_total 1"));
	assert_true(has_line(
	    text, "migrationd_run_duration_seconds_count{operation=\"apply\"} 2"));
	talloc_free(fake);
}

static void
test_a_run_in_progress(void **state)
{
	struct fake *fake = fake_new();
	const char *text;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake->run->n_planned = 4;
	run_add_applied(fake->run, fake->folder.migrations[1], 1000);
	fake->status.lock = (struct lock_facts){ .held = true, .ours = true };
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_run_in_progress 1"));
	assert_true(
	    has_line(text, "migrationd_run_start_timestamp_seconds 1763618292.123"));
	assert_true(has_line(text, "migrationd_run_progress_ratio 0.25"));
	assert_true(has_line(text, "migrationd_run_blockers 0"));
	assert_true(has_line(text, "migrationd_lock_held 1"));
	assert_true(has_line(text, "migrationd_lock_held_elsewhere 0"));

	/* and half of the next */
	fake->run->has_progress = true;
	fake->run->progress.percent = 50;
	fake->run->n_blockers = 2;
	fake->run->n_queued = 9;
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_run_progress_ratio 0.375"));
	assert_true(has_line(text, "migrationd_run_blockers 2"));
	assert_true(has_line(text, "migrationd_run_queued_sessions 9"));
	fake->run->progress.percent = -1;
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_run_progress_ratio 0.25"));

	fake->run->callers = 7;
	run_set_state(fake->run, RUN_CONNECT);
	run_set_state(fake->run, RUN_PROBE);
	run_set_state(fake->run, RUN_LOCK);
	fake->status.lock.ours = false;
	text = render(fake, false);
	assert_true(has_line(text, "migrationd_lock_waiters 7"));
	assert_true(has_line(text, "migrationd_lock_held 0"));
	assert_true(has_line(text, "migrationd_lock_held_elsewhere 1"));
	talloc_free(fake);
}

static void
test_what_is_not_known_is_left_out(void **state)
{
	struct fake *fake = fake_new();
	const char *text;

	(void)state;
	fake_set_applied(fake, 0);
	text = render(fake, false);
	assert_int_equal(count_lines(text, "migrationd_schema_version_info{"), 0);
	assert_int_equal(
	    count_lines(text, "migrationd_last_applied_timestamp_seconds "), 0);

	/* drizzle's table does not say when */
	fake_set_applied(fake, 2);
	fake->history->rows[1].applied_at_us = 0;
	text = render(fake, false);
	assert_true(has_line(
	    text, "migrationd_schema_version_info{version=\"0001\",name=\"files\"} 1"));
	assert_int_equal(
	    count_lines(text, "migrationd_last_applied_timestamp_seconds "), 0);
	talloc_free(fake);
}

static void
test_label_values_are_escaped(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	fake->folder.migrations[0]->name = "a\"b\\c\nd";
	assert_true(has_line(render(fake, false),
	    "migrationd_schema_version_info{version=\"0000\",name=\"a\\\"b\\\\c\\nd\"} 1"));
	talloc_free(fake);
}

static void
test_requests(void **state)
{
	struct fake *fake = fake_new();
	struct metrics *metrics = fake->api.metrics;
	const char *text;

	(void)state;
	metrics_count_request(metrics, "/status", "GET", 200, 0.007);
	metrics_count_request(metrics, "/status", "GET", 200, 20);
	metrics_count_request(metrics, "/status", "HEAD", 200, 0.001);
	metrics_count_request(metrics, "/apply", "POST", 422, -1);
	metrics->requests_in_flight = 3;
	text = render(fake, false);
	assert_true(has_line(text,
	    "migrationd_http_requests_total{route=\"/status\",method=\"GET\",code=\"200\"} 2"));
	assert_true(has_line(text,
	    "migrationd_http_requests_total{route=\"/status\",method=\"HEAD\",code=\"200\"} 1"));
	assert_true(has_line(text,
	    "migrationd_http_requests_total{route=\"/apply\",method=\"POST\",code=\"422\"} 1"));
	assert_true(has_line(text,
	    "migrationd_http_request_duration_seconds_bucket{route=\"/status\",le=\"0.01\"} 2"));
	assert_true(has_line(text,
	    "migrationd_http_request_duration_seconds_bucket{route=\"/status\",le=\"10.0\"} 2"));
	assert_true(has_line(
	    text, "migrationd_http_request_duration_seconds_count{route=\"/status\"} 3"));
	assert_int_equal(
	    count_lines(
		text, "migrationd_http_request_duration_seconds_count{route=\"/apply\""),
	    0);
	assert_true(has_line(text, "migrationd_http_requests_in_flight 3"));
	talloc_free(fake);
}

/* What clients send never becomes a label, and codes cannot make series without end. */
static void
test_series_are_bounded(void **state)
{
	struct fake *fake = fake_new();
	char target[32];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct request *request;

		snprintf(target, sizeof(target), "/random-%u", i);
		request = fake_request(fake, i % 2 ? "GET" : "BREW", target);
		fake_send(request);
		request_finish(request);
		talloc_free(request);
	}
	assert_int_equal(fake->api.metrics->n_http, 2);
	for (unsigned i = 0; i < 2 * METRICS_HTTP_SERIES; i++)
		metrics_count_request(fake->api.metrics, "/x", "GET", i, -1);
	assert_true(fake->api.metrics->n_http <= METRICS_HTTP_SERIES + 1);
	assert_non_null(
	    strstr(render(fake, false), "{route=\"other\",method=\"other\","));
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_the_start),
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_runs_are_counted),
		cmocka_unit_test(test_a_run_in_progress),
		cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_label_values_are_escaped),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_series_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
