/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/batch.h"
#include "core/run_wait.h"

static struct script *
script_of(const void *ctx, const char *text)
{
	struct migration *m = mem_zero(ctx, struct migration);

	m->id = "0001_a";
	m->file = "0001_a.sql";
	migration_set_text(m, m, text, strlen(text), NULL);
	return script_build(ctx, m, NULL);
}

#define BATCH "-- migrationd: batch\n"
#define SIZED "-- migrationd: batch size=70 pause=2s\n"

static void
test_statements(void **state)
{
	static const struct {
		const char *text;
		const char *table;
		unsigned size;
		bool adds;
	} rows[] = {
		{ BATCH "UPDATE t SET a = 1 WHERE id IN (SELECT id FROM t LIMIT 5);", "t",
		    0, false },
		{ SIZED "UPDATE ONLY public.t SET a = 1 WHERE b IN (SELECT 1 LIMIT $1)",
		    "public.t", 70, false },
		{ BATCH "DELETE FROM \"My\" . t1 WHERE ctid IN (SELECT 1 LIMIT $1)",
		    "\"My\" . t1", 1000, false },
		{ BATCH "delete from only t x using y where fetch = 1", "t", 0, false },
		{ BATCH "WITH x AS (DELETE FROM old WHERE id IN (SELECT 1 LIMIT $1)\n"
			"RETURNING *) INSERT INTO new SELECT * FROM x",
		    "new", 1000, true },
		{ BATCH "WITH x AS (SELECT 1 FETCH FIRST 3 ROWS ONLY) "
			"MERGE INTO a.b.c USING x ON true WHEN MATCHED THEN DELETE",
		    "a.b.c", 0, false },
		{ BATCH
		    "UPDATE t SET price = '$2' WHERE x = 'LIMIT' AND y IN (SELECT $1)",
		    "t", 1000, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct script *script = script_of(ctx, rows[i].text);

		if (script->problem != NULL)
			fail_msg("%s: %s", rows[i].text, script->problem->text);
		assert_false(script->plain);
		assert_int_equal(script->n_segments, 1);
		assert_int_equal(script->batch->size, rows[i].size);
		assert_int_equal(script->batch->adds, rows[i].adds);
		assert_int_equal(script->batch->table_len, strlen(rows[i].table));
		assert_memory_equal(
		    script->batch->table, rows[i].table, script->batch->table_len);
		assert_int_equal(
		    script->batch->pause_ms, rows[i].text[21] == 's' ? 2000 : 0);
		talloc_free(ctx);
	}
}

static void
test_count(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct script *script = script_of(
	    ctx, BATCH "-- migrationd: batch-count SELECT 7\nDELETE FROM t LIMIT $1");

	(void)state;
	assert_null(script->problem);
	assert_int_equal(script->batch->count_len, strlen("SELECT 7"));
	assert_memory_equal(script->batch->count, "SELECT 7", strlen("SELECT 7"));
	talloc_free(ctx);
}

static void
test_what_is_no_batch(void **state)
{
	static const struct {
		const char *text;
		const char *says;
		unsigned line;
	} rows[] = {
		{ BATCH, "one statement", 0 },
		{ BATCH "DELETE FROM t LIMIT 1;\nDELETE FROM u LIMIT 1;", "one statement",
		    3 },
		{ BATCH "SELECT 1 LIMIT 1", "cannot be run in batches", 2 },
		{ BATCH "WITH x AS (DELETE FROM t) SELECT count(*) FROM x LIMIT 1",
		    "cannot be run in batches", 2 },
		{ BATCH "EXPLAIN DELETE FROM t LIMIT 1", "cannot be run in batches", 2 },
		{ BATCH "VACUUM", "cannot be run in batches", 2 },
		{ BATCH "-- migrationd: no-transaction\nDELETE FROM t LIMIT 1",
		    "cannot be run in batches", 3 },
		{ BATCH "UPDATE t SET a = 1", "nothing bounds a batch", 2 },
		{ SIZED "UPDATE t SET a = 1 LIMIT 7", "nothing to fill", 2 },
		{ BATCH "UPDATE t SET a = $2 LIMIT $1", "no other parameter", 2 },
		{ BATCH "UPDATE t SET a = $12 LIMIT $1", "no other parameter", 2 },
		{ BATCH "UPDATE t SET a = $0 LIMIT $1", "no other parameter", 2 },
		{ BATCH "UPDATE t SET a = $9 LIMIT $1", "no other parameter", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		const struct err *err = script_of(ctx, rows[i].text)->problem;

		if (err == NULL || strstr(err->text, rows[i].says) == NULL)
			fail_msg("%s: %s", rows[i].text, err != NULL ? err->text : "");
		assert_int_equal(err->line, rows[i].line);
		assert_string_equal(err->file, "0001_a.sql");
		assert_string_equal(err->migration, "0001_a");
		assert_int_equal(err->exit_code, EXIT_REFUSED);
		assert_true(err->hint[0] != '\0');
		talloc_free(ctx);
	}
}

static void
test_measure(void **state)
{
	struct run run = { .batch = {
			       .on = true, .batches = 3, .rows = 300, .total = -1 } };
	struct run_batch *batch = &run.batch;
	char text[RUN_PROGRESS_TEXT];

	(void)state;
	/* just begun, and not known how many there are */
	batch_measure(batch, 300, 0, 0);
	assert_string_equal(run_progress_text(run_progress_now(&run), text, sizeof(text)),
	    "batches, 3 done");
	/* 100 of them in this run: what an earlier one did tells nothing of the pace */
	batch_measure(batch, 200, 1000000, 3000000);
	assert_string_equal(run_progress_text(&batch->progress, text, sizeof(text)),
	    "batches, 3 done, 50 rows/s");
	assert_true(batch->progress.eta_seconds < 0);
	batch->total = 1200;
	batch_measure(batch, 200, 1000000, 3000000);
	assert_string_equal(run_progress_text(&batch->progress, text, sizeof(text)),
	    "batches, 3 done, 25.0 %, 50 rows/s, 18.0 s left");
	/* more were added since they were counted */
	batch->total = 250;
	batch_measure(batch, 200, 1000000, 3000000);
	assert_true(batch->progress.percent >= 100);
	assert_true(batch->progress.eta_seconds <= 0);

	batch->on = false;
	assert_null(run_progress_now(&run));
	run.has_progress = true;
	assert_ptr_equal(run_progress_now(&run), &run.progress);
}

static void
test_end(void **state)
{
	struct run_batch batch = { .rows = 2000, .bound = 1000 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(batch_check_end(&batch, &err), 0);
	batch.rows++;
	assert_int_equal(batch_check_end(&batch, &err), -1);
	assert_string_equal(err.text,
	    "it has touched 2001 rows, and there cannot be more than 1000: it would "
	    "never end");
	batch.bound = 0; /* not known */
	assert_int_equal(batch_check_end(&batch, &err), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_what_is_no_batch),
		cmocka_unit_test(test_measure),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
