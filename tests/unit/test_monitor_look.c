/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/monitor_look.h"
#include "pgresult.h"

static void
test_sql(void **state)
{
	static const struct {
		int version;
		const char *view; /* the newest that it has */
		const char *not_yet;
	} rows[] = {
		{ 110000, "pg_stat_progress_vacuum", "pg_stat_progress_create_index" },
		{ 120000, "pg_stat_progress_cluster", "pg_stat_progress_analyze" },
		{ 130023, "pg_stat_progress_analyze", "pg_stat_progress_copy" },
		{ 140000, "pg_stat_progress_copy", "no such view" },
		{ 180004, "pg_stat_progress_create_index", "no such view" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *sql = monitor_look_sql(ctx, rows[i].version, 4711);

		assert_non_null(strstr(sql, rows[i].view));
		assert_null(strstr(sql, rows[i].not_yet));
		assert_non_null(strstr(sql, "OPERATOR(pg_catalog.=) 4711 ORDER BY"));
		/* no operator, function or view that a search_path could bend */
		assert_null(strstr(sql, " = "));
		assert_null(strstr(sql, " || "));
		assert_null(strstr(sql, " pg_stat"));
		assert_null(strstr(sql, "(pg_blocking_pids"));
	}
	talloc_free(ctx);
}

#define NO_PROGRESS NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
#define NOBODY      NULL, NULL, NULL, NULL, NULL, NULL
#define COLUMNS     18

static void
read_row(struct run *run, int n_rows, const char *const *values)
{
	PGresult *result = pgresult_make(COLUMNS, n_rows, values);

	monitor_look_read(result, run);
	PQclear(result);
}

static void
test_blockers(void **state)
{
	static const char *const rows[] = {
		/* clang-format off */
		"Lock:relation", "3", NO_PROGRESS,
		"4711", "psql", "app", "idle in transaction", "SELECT 1", "185000000",
		"Lock:relation", "3", NO_PROGRESS,
		"4712", "hidden", NULL, NULL, NULL, NULL,
		"Lock:relation", "3", NO_PROGRESS,
		"0", NULL, NULL, NULL, NULL, NULL,
	}; /* clang-format on */
	static const char *const none[] = { NULL, "0", NO_PROGRESS, NOBODY };
	struct run run = { 0 };

	(void)state;
	read_row(&run, 3, rows);
	assert_string_equal(run.wait_event, "Lock:relation");
	assert_int_equal(run.n_queued, 3);
	assert_false(run.has_progress);
	assert_int_equal(run.n_blockers, 3);
	assert_int_equal(run.blockers[0].pid, 4711);
	assert_string_equal(run.blockers[0].application, "psql");
	assert_string_equal(run.blockers[0].user, "app");
	assert_string_equal(run.blockers[0].state, "idle in transaction");
	assert_string_equal(run.blockers[0].query, "SELECT 1");
	assert_int_equal(run.blockers[0].age_us, 185000000);
	assert_int_equal(run.blockers[1].pid, 4712);
	assert_string_equal(run.blockers[1].user, "");
	assert_int_equal(run.blockers[1].age_us, -1);
	assert_int_equal(run.blockers[2].pid, 0);

	/* it got what it waited for */
	read_row(&run, 1, none);
	assert_int_equal(run.n_blockers, 0);
	assert_int_equal(run.n_queued, 0);
	assert_string_equal(run.wait_event, "");

	/* the backend is gone; an answer to something else */
	read_row(&run, 3, rows);
	read_row(&run, 0, NULL);
	assert_int_equal(run.n_blockers, 0);
	read_row(&run, 3, rows);
	PGresult *other = pgresult_make(1, 1, (const char *const[]){ "1" });
	monitor_look_read(other, &run);
	PQclear(other);
	assert_int_equal(run.n_blockers, 0);
}

/* More than there is room for, and names that are too long. */
static void
test_bounds(void **state)
{
	const char *values[COLUMNS * (RUN_BLOCKERS + 2)];
	static const char *const row[] = { "Lock:relation", "200", NO_PROGRESS, "1",
		"0123456789012345678901234567890123456789012345678901234567890123456789",
		/* the character on the border is left out as a whole */
		"a\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
		"idle in transaction (aborted)", "q", "1" };
	struct run run = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		values[i] = row[i % COLUMNS];
	read_row(&run, RUN_BLOCKERS + 2, values);
	assert_int_equal(run.n_blockers, RUN_BLOCKERS);
	assert_int_equal(strlen(run.blockers[0].application), 63);
	assert_int_equal(strlen(run.blockers[0].user), 63);
	assert_string_equal(run.blockers[0].user + 61, "\xc3\xa4");
	assert_string_equal(run.blockers[0].state, "idle in transaction (aborted)");
}

/* Which of the counts belongs to the phase. */
static void
test_progress(void **state)
{
	static const struct {
		const char *values[COLUMNS];
		const char *unit;
		uint64_t done;
		uint64_t total;
	} rows[] = {
		{ { NULL, "0", "CREATE INDEX", "building index: scanning table", "0", "0",
		      "300", "1200", "0", "0", "0", "0", NOBODY },
		    "blocks", 300, 1200 },
		{ { NULL, "0", "CREATE INDEX", "building index: loading tuples in tree",
		      "0", "0", "0", "0", "5", "70", "0", "0", NOBODY },
		    "tuples", 5, 70 },
		/* the total is held back: it was of the scan before */
		{ { NULL, "0", "CREATE INDEX", "building index: sorting live tuples", "0",
		      "0", "1200", NULL, "0", "0", "0", "0", NOBODY },
		    "", 0, 0 },
		{ { "Lock:virtualxid", "0", "CREATE INDEX CONCURRENTLY",
		      "waiting for old snapshots", "1", "2", "1199", "1200", "0", "0",
		      "0", "0", NOBODY },
		    "sessions", 1, 2 },
		{ { NULL, "0", "COPY FROM", "", "0", "0", "0", "0", "0", "0", "77",
		      "10000000000", NOBODY },
		    "bytes", 77, 10000000000 },
		{ { NULL, "0", "ANALYZE", "initializing", "0", "0", "0", "0", "0", "-1",
		      "0", "0", NOBODY },
		    "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct run run = { 0 };

		read_row(&run, 1, rows[i].values);
		assert_true(run.has_progress);
		assert_int_equal(run.n_blockers, 0);
		assert_string_equal(run.progress.command, rows[i].values[2]);
		assert_string_equal(run.progress.phase, rows[i].values[3]);
		assert_string_equal(run.progress.unit, rows[i].unit);
		assert_int_equal(run.progress.done, rows[i].done);
		assert_int_equal(run.progress.total, rows[i].total);
		assert_float_equal(run.progress.percent, -1, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sql),
		cmocka_unit_test(test_blockers),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
