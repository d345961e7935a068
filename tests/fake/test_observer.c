/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "blow.h"
#include "watcher.h"

/* ---- one look ---- */

#define FIRST  "probe look rows holder journal? news? baselined runs"
#define SECOND " probe look rows holder journal? news?"

static void
test_look(void **state)
{
	struct watcher watcher;
	const struct observation *seen = &watcher.seen;

	(void)state;
	watcher_begin(&watcher);
	script_rows(watcher.folder, 2);
	fakepq_rows(fakepq_on("jsonb_to_recordset"), 1, 2,
	    (const char *const[]){ "1700000000001", "0001_one.sql" });
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_string_equal(watcher.sent, FIRST);
	assert_true(seen->database.reachable);
	assert_string_equal(seen->database.server_version, "15.2");
	assert_true(seen->database.refreshed_at_us > 0);
	assert_true(seen->tracking[PHASE_SCHEMA].exists);
	assert_string_equal(seen->tracking[PHASE_SCHEMA].kind, "drizzle");
	assert_string_equal(
	    seen->tracking[PHASE_SCHEMA].table, "drizzle.__drizzle_migrations");
	assert_true(watcher.had_history);
	assert_true(watcher.table_existed);
	assert_int_equal(watcher.n_rows, 2);
	assert_int_equal(watcher.n_baselines, 1);
	assert_false(seen->lock.held);

	/* the runs are read, and what they say of migrations is known */
	script_lock_held(true);
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, FIRST SECOND);
	assert_int_equal(watcher.n_baselines, 1);
	assert_string_equal(seen->lock.holder,
	    "pid 4712, migrationd two from 192.0.2.9, since 2026-01-02T03:04:05Z");

	/* until there is another run */
	script_news("one,two");
	fakepq_rows(fakepq_on("jsonb_to_recordset"), 1, 0, NULL);
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, FIRST SECOND SECOND " baselined runs");
	assert_int_equal(watcher.n_baselines, 0);
	watcher_end(&watcher);
}

#define WORDS "probe look rows holder journal? news? baselined checksums"

/* Where the rows keep no checksums, our journal is asked for them. */
static void
test_checksums(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher.params.tracking = "schema_migrations";
	script_table("version,name,applied_at");
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_string_equal(watcher.sent,
	    "probe look rows holder journal? news? baselined checksums runs");
	assert_true(watcher.seen.database.reachable);

	/* each time where they cannot be read; the runs are heard of all the same */
	script_news("one,two");
	script_error("w.checksum", "42501", "permission denied");
	watcher_look(&watcher);
	assert_true(watcher.seen.database.reachable);
	assert_true(watcher.had_history);
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, WORDS " runs " WORDS " runs " WORDS);
	watcher_end(&watcher);
}

static void
test_no_table(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	script_table(NULL);
	watcher.params.journal = false;
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_string_equal(watcher.sent, "probe look holder");
	assert_false(watcher.seen.tracking[PHASE_SCHEMA].exists);
	assert_true(watcher.had_history);
	assert_false(watcher.table_existed);
	assert_int_equal(watcher.n_rows, 0);

	/* a table of somebody else */
	script_table("id,hash,created_at,name");
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, "probe look holder probe look holder");
	assert_true(watcher.seen.tracking[PHASE_SCHEMA].exists);
	assert_false(watcher.had_history);
	assert_int_equal(watcher.seen.database.err.category, CAT_CONFIGURATION);
	watcher_end(&watcher);
}

#define BEHIND " holder journal? news?"

/* Where ours has no rows: what cannot be read is another's, unless nobody could look. */
static void
test_others(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher.params.heed_others = true;
	script_others("17");
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_string_equal(
	    watcher.sent, "probe look rows others? theirs" BEHIND " baselined runs");
	assert_true(watcher.had_history);

	fakepq_forget_sent();
	script_error("\"other\".", "42501", "permission denied");
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, "probe look rows others? theirs" BEHIND);
	assert_false(err_is_set(&watcher.seen.database.err));

	fakepq_forget_sent();
	script_error("\"other\".", "57014", "canceling statement");
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, "probe look rows others? theirs" BEHIND);
	assert_int_equal(watcher.seen.database.err.category, CAT_STATEMENT_TIMEOUT);
	assert_true(watcher.seen.database.reachable);

	fakepq_forget_sent();
	script_error("$5::pg_catalog.bool", "42501", "permission denied");
	watcher_look(&watcher);
	assert_string_equal(watcher.sent, "probe look rows others?" BEHIND);
	assert_int_equal(watcher.seen.database.err.category, CAT_PERMISSION_DENIED);

	script_others(NULL);
	script_lose("\"other\".");
	watcher_look(&watcher);
	assert_false(watcher.seen.database.reachable);
	watcher_end(&watcher);
}

static void
test_runs(void **state)
{
	static const char *const run[27] = { "01900000-0000-7000-8000-000000000001",
		"default", "apply", "odd", NULL, "1700000000000000", "1700000001000000",
		"1000000", "5", "0001_one\t1700000000001\t7\t\t\nodd", "SQL_ERROR", "422",
		"5", "4", "8", "3", "42P01", "no such table", NULL, NULL, NULL,
		"0002_two", "0002_two.sql", NULL, NULL, NULL, "seeds" };
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	script_journal(false, true);
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_string_equal(watcher.sent, "probe look rows holder journal?");
	assert_int_equal(watcher.seen.n_runs, 0);

	/* once there is a journal its runs are read, although it is not the first look */
	script_journal(true, true);
	fakepq_rows(fakepq_on("jsonb_array_elements"), 27, 1, run);
	watcher_look(&watcher);
	assert_int_equal(watcher.seen.n_runs, 1);
	/* an outcome of a release to come is no success */
	assert_int_equal(watcher.last_run, RUN_FAILED);
	watcher_look(&watcher);
	assert_int_equal(watcher.seen.n_runs, 0);

	/* and read again when there are others, as another daemon's */
	script_news("one,two");
	watcher_look(&watcher);
	assert_int_equal(watcher.seen.n_runs, 1);
	watcher_end(&watcher);
}

/* What a question is answered with, and what becomes of the look. */
static void
test_denied(void **state)
{
	static const struct {
		const char *pattern;
		const char *sent;
		bool about_history;
	} rows[] = {
		{ "a.attname", "probe look holder journal? news? baselined runs", true },
		{ "SELECT created_at",
		    "probe look rows holder journal? news? baselined runs", true },
		{ "pg_locks", "probe look rows holder journal? news? baselined runs",
		    false },
		{ "has_table_privilege", "probe look rows holder journal?", false },
		{ "jsonb_to_recordset", "probe look rows holder journal? news? baselined",
		    false },
		{ "jsonb_array_elements", FIRST, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct watcher watcher;
		const struct err *err = &watcher.seen.database.err;

		watcher_begin(&watcher);
		script_error(rows[i].pattern, "42501", "permission denied");
		watcher_start(&watcher);
		watcher_await(&watcher, 1);
		assert_string_equal(watcher.sent, rows[i].sent);
		assert_true(watcher.seen.database.reachable);
		assert_int_equal(watcher.had_history, !rows[i].about_history);
		assert_string_equal(err->sqlstate, rows[i].about_history ? "42501" : "");
		watcher_end(&watcher);
	}
}

/* Of a phase beside the schema: that is what it is all the same. */
static void
test_denied_beside(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher.params.phases |= PHASE_BIT(PHASE_DATA);
	script_table("id,hash,created_at,description,executed_at,success,error");
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_true(watcher.had_history);
	assert_string_equal(watcher.unread, "");

	script_error("SELECT id, description", "42501", "permission denied");
	watcher_look(&watcher);
	assert_true(watcher.had_history);
	assert_false(err_is_set(&watcher.seen.database.err));
	assert_string_equal(watcher.unread, "42501");
	watcher_end(&watcher);
}

static void
test_probe_fails(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	script_error("server_version_num", "XX000", "no");
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_string_equal(watcher.sent, "probe");
	assert_false(watcher.seen.database.reachable);
	assert_string_equal(watcher.seen.database.err.sqlstate, "XX000");

	/* on the same connection */
	script_tag("server_version_num", "SET");
	watcher_look(&watcher);
	assert_false(watcher.seen.database.reachable);
	assert_int_equal(watcher.seen.database.err.category, CAT_INTERNAL);
	assert_int_equal(fakepq_live(), 1);
	watcher_end(&watcher);
}

/* ---- the server is away ---- */

static void
test_away_and_back(void **state)
{
	struct watcher watcher;
	int64_t began_us = 0;

	(void)state;
	watcher_begin(&watcher);
	fakepq_connection("f", "connection refused\n");
	fakepq_connection("f", "connection refused\n");
	began_us = clock_mono_us();
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	assert_false(watcher.seen.database.reachable);
	assert_int_equal(watcher.seen.database.err.category, CAT_NETWORK_ERROR);
	assert_false(watcher.had_history);
	watcher_await(&watcher, 2);
	assert_false(watcher.seen.database.reachable);
	/* the pauses grow, and are far from the interval */
	watcher_await(&watcher, 3);
	assert_in_range(watcher.reported_us - began_us, 250000, 10000000);
	assert_true(watcher.seen.database.reachable);
	assert_string_equal(watcher.sent, FIRST);
	watcher_end(&watcher);
}

static void
test_interval(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher.interval_ms = 20;
	watcher_start(&watcher);
	watcher_await(&watcher, 3);
	assert_string_equal(watcher.sent, FIRST SECOND SECOND);
	/* also when it is away: not less often than asked for */
	fakepq_connection("f", NULL);
	fakepq_hang_up(NULL, NULL);
	watcher_await(&watcher, 5);
	assert_true(watcher.seen.database.reachable);
	watcher_end(&watcher);
}

static void
test_lost_idle(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	fakepq_hang_up("57P01", "terminating connection due to administrator command");
	watcher_await(&watcher, 2);
	assert_true(watcher.seen.database.reachable);
	assert_string_equal(watcher.sent, FIRST SECOND " baselined");

	fakepq_connection("f", "connection refused\n");
	fakepq_hang_up(NULL, NULL);
	watcher_await(&watcher, 3);
	assert_false(watcher.seen.database.reachable);
	watcher_await(&watcher, 4);
	assert_true(watcher.seen.database.reachable);
	watcher_end(&watcher);
}

static void
test_lost_in_look(void **state)
{
	static const char *const patterns[] = { "server_version_num", "a.attname",
		"SELECT created_at", "pg_locks", "has_table_privilege",
		"jsonb_to_recordset", "jsonb_array_elements" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		struct watcher watcher;

		watcher_begin(&watcher);
		fakepq_lose(fakepq_once(patterns[i]));
		watcher_start(&watcher);
		watcher_await(&watcher, 1);
		assert_false(watcher.seen.database.reachable);
		assert_int_equal(watcher.seen.database.err.category, CAT_NETWORK_ERROR);
		watcher_await(&watcher, 2);
		assert_true(watcher.seen.database.reachable);
		watcher_end(&watcher);
	}
}

static void
test_password_file(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher.params.password_file = "/nonexistent/password";
	watcher.look_in_report = true;
	watcher_start(&watcher);
	watcher_await_at_least(&watcher, 1);
	assert_false(watcher.seen.database.reachable);
	assert_int_equal(watcher.seen.database.err.category, CAT_CONFIGURATION);
	/* The look that was asked for in the report, then one by itself; on a busy machine more
	 * than one falls into a turn of the loop. */
	watcher_await_at_least(&watcher, 3);
	watcher.params.password_file = NULL;
	watcher_await_at_least(&watcher, watcher.n_reports + 1);
	assert_true(watcher.seen.database.reachable);
	watcher_end(&watcher);
}

/* ---- asking ---- */

static void
test_look_during_look(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	watcher_start(&watcher);
	watcher_turn(&watcher);
	for (int i = 0; i < 3; i++)
		observer_look(watcher.observer);
	/* one more look answers all three */
	watcher_await(&watcher, 2);
	assert_string_equal(watcher.sent, FIRST SECOND);
	for (int i = 0; i < 20; i++)
		watcher_turn(&watcher);
	assert_int_equal(watcher.n_reports, 2);
	watcher_end(&watcher);
}

static void
test_look_in_report(void **state)
{
	struct watcher watcher;

	(void)state;
	watcher_begin(&watcher);
	script_rows(watcher.folder, 2);
	watcher.look_in_report = true;
	watcher_start(&watcher);
	watcher_await(&watcher, 2);
	assert_string_equal(watcher.sent, FIRST SECOND);
	assert_int_equal(watcher.n_rows, 2);
	watcher_end(&watcher);
}

/* ---- closing ---- */

static void
test_close(void **state)
{
	struct watcher watcher;
	unsigned n = 0;

	(void)state;
	observer_close(NULL);
	watcher_begin(&watcher);
	watcher_start(&watcher);
	watcher_end(&watcher);

	/* in each turn of two looks */
	for (unsigned k = 1; n == 0 || k <= n; k++) {
		watcher_begin(&watcher);
		watcher_start(&watcher);
		while (watcher.n_turns < k && watcher.n_reports < 2) {
			watcher_turn(&watcher);
			if (watcher.n_reports == 1 && watcher.n_turns < k)
				observer_look(watcher.observer);
		}
		if (watcher.n_reports == 2)
			n = watcher.n_turns;
		watcher_end(&watcher);
	}
	assert_true(n > 20);
}

static void
test_close_in_report(void **state)
{
	struct watcher watcher;

	(void)state;
	for (int away = 0; away < 2; away++)
		for (int asked = 0; asked < 2; asked++) {
			watcher_begin(&watcher);
			if (away)
				fakepq_connection("f", NULL);
			watcher.close_in_report = true;
			watcher_start(&watcher);
			watcher_turn(&watcher);
			if (asked && watcher.observer)
				observer_look(watcher.observer);
			watcher_await(&watcher, 1);
			watcher_end(&watcher);
		}
}

/* ---- torture ---- */

/* Two looks. Each gives one report, whatever happens. Then the observer is well again. */
static unsigned
torture(enum blow blow, unsigned k)
{
	struct watcher watcher;
	unsigned n = 0;

	watcher_begin(&watcher);
	script_rows(watcher.folder, 2);
	blow_deal(blow, k, "42501");
	watcher_start(&watcher);
	watcher_await(&watcher, 1);
	watcher_look(&watcher);
	n = blow_places(blow);
	if (blow == BLOW_NONE)
		assert_string_equal(watcher.sent, FIRST SECOND);
	blow_deal(BLOW_NONE, 0, "");
	watcher_look(&watcher);
	/* the loss may have come with the very last call, and is seen only now */
	if (!watcher.seen.database.reachable)
		watcher_await(&watcher, watcher.n_reports + 1);
	assert_true(watcher.seen.database.reachable);
	assert_int_equal(watcher.n_rows, 2);
	watcher_end(&watcher);
	return n;
}

static void
test_torture(void **state)
{
	(void)state;
	blow_everywhere(torture, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_no_table),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_denied_beside),
		cmocka_unit_test(test_probe_fails),
		cmocka_unit_test(test_away_and_back),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_lost_idle),
		cmocka_unit_test(test_lost_in_look),
		cmocka_unit_test(test_password_file),
		cmocka_unit_test(test_look_during_look),
		cmocka_unit_test(test_look_in_report),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_close_in_report),
		cmocka_unit_test(test_torture),
	};

	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
