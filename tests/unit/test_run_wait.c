/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/run_wait.h"

#define SECOND INT64_C(1000000)

/* ---- progress ---- */

/* One look after the other at one statement, and what is reckoned from each. */
static void
test_measure(void **state)
{
	static const struct {
		const char *phase;
		const char *unit;
		uint64_t done;
		uint64_t total;
		int64_t at_s;
		double percent;
		double rate;
		double eta;
	} looks[] = {
		/* the first look of a phase knows no rate */
		{ "scan", "blocks", 100, 1100, 10, 100.0 / 11, -1, -1 },
		{ "scan", "blocks", 300, 1100, 12, 300.0 / 11, 100, 8 },
		/* the mean since the first look */
		{ "scan", "blocks", 300, 1100, 14, 300.0 / 11, 50, 16 },
		{ "scan", "blocks", 1100, 1100, 20, 100, 100, 0 },
		/* the table grew */
		{ "scan", "blocks", 1200, 1100, 21, 100, 100, 0 },
		{ "sort", "", 0, 0, 22, -1, -1, -1 },
		{ "sort", "", 0, 0, 23, -1, -1, -1 },
		{ "load", "tuples", 5, 10, 24, 50, -1, -1 },
		/* in the same instant, and without getting on */
		{ "load", "tuples", 6, 10, 24, 60, -1, -1 },
		{ "load", "tuples", 5, 10, 25, 50, 0, -1 },
		/* the next partition: the same phase begins again */
		{ "load", "tuples", 1, 10, 26, 10, -1, -1 },
		{ "load", "tuples", 2, 10, 27, 20, 1, 8 },
		/* the same phase counts something else */
		{ "load", "blocks", 7, 10, 28, 70, -1, -1 },
	};
	struct run_progress_start start = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		struct run_progress progress = { .command = "CREATE INDEX",
			.done = looks[i].done,
			.total = looks[i].total };

		(void)snprintf(
		    progress.phase, sizeof(progress.phase), "%s", looks[i].phase);
		(void)snprintf(progress.unit, sizeof(progress.unit), "%s", looks[i].unit);
		run_progress_measure(&progress, &start, looks[i].at_s * SECOND);
		assert_float_equal(progress.percent, looks[i].percent, 1e-9);
		assert_float_equal(progress.rate_per_second, looks[i].rate, 1e-9);
		assert_float_equal(progress.eta_seconds, looks[i].eta, 1e-9);
	}
}

static void
test_another_command_begins_anew(void **state)
{
	struct run_progress_start start = { 0 };
	struct run_progress analyze = {
		.command = "ANALYZE", .phase = "initializing", .done = 1, .total = 9
	};
	struct run_progress vacuum = {
		.command = "VACUUM", .phase = "initializing", .done = 2, .total = 9
	};

	(void)state;
	run_progress_measure(&vacuum, &start, SECOND);
	run_progress_measure(&analyze, &start, 2 * SECOND);
	assert_float_equal(analyze.rate_per_second, -1, 0);
}

static void
test_progress_text(void **state)
{
	static const struct {
		struct run_progress progress;
		const char *text;
	} rows[] = {
		{ { "CREATE INDEX", "scanning", "blocks", 25, 10, 12.4, 1, 4 },
		    "CREATE INDEX, scanning, 25.0 %, 10 blocks/s, 12.4 s left" },
		{ { "CREATE INDEX", "scanning", "blocks", 99.96, 0.4, 0, 1, 4 },
		    "CREATE INDEX, scanning, 100.0 %, 0 ms left" },
		{ { "VACUUM", "truncating heap", "", -1, -1, -1, 0, 0 },
		    "VACUUM, truncating heap" },
		{ { "COPY FROM", "", "bytes", 7, -1, -1, 1, 4 }, "COPY FROM, 7.0 %" },
		/* hardly anything done yet */
		{ { "COPY FROM", "", "bytes", 0, 1e-9, 1e18, 1, 4 }, "COPY FROM, 0.0 %" },
	};
	char buf[RUN_PROGRESS_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(
		    run_progress_text(&rows[i].progress, buf, sizeof(buf)), rows[i].text);
}

/* ---- blockers ---- */

static void
test_blocker_text(void **state)
{
	static const struct {
		struct run_blocker blocker;
		const char *text;
		const char *remedy;
	} rows[] = {
		{ { 4711, "psql", "app", "idle in transaction", "SELECT 1",
		      185 * SECOND },
		    "pid 4711 (psql as app, idle in transaction for 3 min)",
		    "SELECT pg_terminate_backend(4711)" },
		{ { 4711, "", "app", "active", "SELECT 1", 1500000 },
		    "pid 4711 (app, active for 1.5 s)",
		    "SELECT pg_terminate_backend(4711)" },
		{ { 4711, "psql", "app", "", "", -1 }, "pid 4711 (psql as app)",
		    "SELECT pg_terminate_backend(4711)" },
		{ { 4711, "psql", "", "active", "", -1 }, "pid 4711 (psql, active)",
		    "SELECT pg_terminate_backend(4711)" },
		{ { 12, "", "", "", "", -1 }, "pid 12",
		    "SELECT pg_terminate_backend(12)" },
		{ { 0, "", "", "", "", -1 }, "a prepared transaction",
		    "SELECT gid, owner, prepared FROM pg_prepared_xacts, then "
		    "ROLLBACK PREPARED 'gid'" },
	};
	char buf[RUN_BLOCKER_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(
		    run_blocker_text(&rows[i].blocker, buf, sizeof(buf)), rows[i].text);
		assert_string_equal(
		    run_blocker_remedy(&rows[i].blocker, buf, sizeof(buf)),
		    rows[i].remedy);
	}
}

static void
test_blocked_text(void **state)
{
	struct run run = { .blockers = { { .pid = 4711 }, { .pid = 4712 } } };
	char buf[RUN_BLOCKED_TEXT];

	(void)state;
	assert_false(run_is_blocked(&run));
	run.n_blockers = 1;
	assert_true(run_is_blocked(&run));
	(void)snprintf(run.wait_event, sizeof(run.wait_event), "%s", "Lock:relation");
	assert_string_equal(run_blocked_text(&run, buf, sizeof(buf)),
	    "waiting for a lock that pid 4711 holds");
	(void)snprintf(run.wait_event, sizeof(run.wait_event), "%s", "Lock:virtualxid");
	assert_string_equal(run_blocked_text(&run, buf, sizeof(buf)),
	    "waiting for the transaction of pid 4711 to end");
	run.n_blockers = 3;
	assert_string_equal(run_blocked_text(&run, buf, sizeof(buf)),
	    "waiting for the transaction of pid 4711 and 2 more to end");
	(void)snprintf(run.wait_event, sizeof(run.wait_event), "%s", "Lock:relation");
	assert_string_equal(run_blocked_text(&run, buf, sizeof(buf)),
	    "waiting for a lock that pid 4711 and 2 more hold");

	run.has_progress = true;
	run.n_queued = 7;
	run_wait_clear(&run);
	assert_false(run_is_blocked(&run));
	assert_false(run.has_progress);
	assert_int_equal(run.n_queued, 0);
	assert_string_equal(run.wait_event, "");
}

/* Names of the greatest length that the server lets through. */
static void
test_long_names(void **state)
{
	struct run run = { .n_blockers = 8 };
	struct run_blocker *blocker = &run.blockers[0];
	struct run_progress progress = {
		.percent = 12.5, .rate_per_second = 9e17, .eta_seconds = 3e7
	};
	char blocked[RUN_BLOCKED_TEXT];
	char text[RUN_PROGRESS_TEXT];

	(void)state;
	blocker->pid = 4194304;
	blocker->age_us = INT64_MAX / 2;
	memset(blocker->application, 'a', sizeof(blocker->application) - 1);
	memset(blocker->user, 'u', sizeof(blocker->user) - 1);
	memset(blocker->state, 's', sizeof(blocker->state) - 1);
	assert_non_null(
	    strstr(run_blocked_text(&run, blocked, sizeof(blocked)), "and 7 more hold"));

	memset(progress.command, 'c', sizeof(progress.command) - 1);
	memset(progress.phase, 'p', sizeof(progress.phase) - 1);
	memset(progress.unit, 'u', sizeof(progress.unit) - 1);
	assert_non_null(
	    strstr(run_progress_text(&progress, text, sizeof(text)), " left"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_measure),
		cmocka_unit_test(test_another_command_begins_anew),
		cmocka_unit_test(test_progress_text),
		cmocka_unit_test(test_blocker_text),
		cmocka_unit_test(test_blocked_text),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
