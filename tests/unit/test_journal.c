/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/journal.h"
#include "pgresult.h"

static void
test_look(void **state)
{
	static const struct {
		int n_rows;
		const char *values[5];
		bool exists;
		bool may_create;
		bool schema_exists;
		bool says_whose;
		bool may_widen;
		int n_columns; /* 3: of another table than that of runs */
	} rows[] = {
		{ 1, { "t", "f", "t", "t", "f" }, true, false, true, true, false, 5 },
		{ 1, { "t", "f", "t", "f", "t" }, true, false, true, false, true, 5 },
		{ 1, { "f", "t", "f", "f", NULL }, false, true, false, false, false, 5 },
		{ 1, { "t", "f", "t" }, true, false, true, false, false, 3 },
		{ 1, { "f", "t", "f" }, false, true, false, false, false, 3 },
		{ 1, { "f", "f", "t" }, false, false, true, false, false, 3 },
		{ 1, { NULL, NULL, NULL }, false, false, false, false, false, 3 },
		{ 0, { NULL }, false, false, false, false, false, 3 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result =
		    pgresult_make(rows[i].n_columns, rows[i].n_rows, rows[i].values);
		struct journal_look look = journal_read_look(result);

		assert_int_equal(look.exists, rows[i].exists);
		assert_int_equal(look.may_create, rows[i].may_create);
		assert_int_equal(look.schema_exists, rows[i].schema_exists);
		assert_int_equal(look.says_whose, rows[i].says_whose);
		assert_int_equal(look.may_widen, rows[i].may_widen);
		PQclear(result);
	}
}

static struct run *
new_run(enum plan_operation operation)
{
	const struct run_request request = { .operation = operation,
		.requested_by = "once" };
	struct run *run = run_new(&request, "default", INT64_C(1700000000000007), 0);

	run->state = RUN_DONE;
	run->finished_at_us = INT64_C(1700000003500007);
	run->duration_us = 3500000;
	run->lock_wait_us = 17;
	return run;
}

/* Of the table that cannot say whose a run is, and of the one that can. */
static const struct journal_owner anyone = { "default", NULL };
static const struct journal_owner ours = { "default", "public.svc_a" };

/* No operator, function or table that a search_path could bend. */
static void
test_qualified(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run(PLAN_APPLY);
	const char *const statements[] = {
		journal_look()->sql,
		journal_create(ctx, false).sql,
		journal_create(ctx, true).sql,
		journal_widen(ctx, false).sql,
		journal_baselined(ctx, &ours).sql,
		journal_recent(ctx, &ours, 5).sql,
		journal_checksums(ctx, &ours).sql,
		journal_news(ctx, &ours).sql,
		journal_insert(ctx, run, &ours, NULL).sql,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		assert_null(strstr(statements[i], " = "));
		assert_null(strstr(statements[i], " * "));
		assert_null(strstr(statements[i], "->"));
		assert_null(strstr(statements[i], "::text"));
		assert_null(strstr(statements[i], " runs"));
	}
	assert_non_null(strstr(journal_recent(ctx, &ours, 5).sql, " LIMIT 5"));
	run_unref(run);
	talloc_free(ctx);
}

static void
test_owner(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct pgconn_statement (*const questions[])(
	    const void *ctx, const struct journal_owner *owner) = {
		journal_baselined,
		journal_checksums,
		journal_news,
	};
	const struct tracking_table table = { .schema = "migrationd",
		.table = "seeds",
		.of_schema = "public",
		.of_table = "svc_a" };
	struct journal_look look = { .exists = true };
	struct journal_owner owner;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct pgconn_statement all = questions[i](ctx, &anyone);
		struct pgconn_statement some = questions[i](ctx, &ours);

		assert_int_equal(all.n_params, 1);
		assert_string_equal(all.params[0], "default");
		assert_null(strstr(all.sql, "tracking"));
		assert_int_equal(some.n_params, 2);
		assert_string_equal(some.params[0], "default");
		assert_string_equal(some.params[1], "public.svc_a");
		/* what older releases wrote is everyone's */
		assert_non_null(strstr(some.sql, "r.tracking IS NULL OR"));
	}
	owner = journal_owner_of(ctx, &look, "default", &table);
	assert_string_equal(owner.target, "default");
	assert_null(owner.tracking);
	look.says_whose = true;
	owner = journal_owner_of(ctx, &look, "default", &table);
	assert_string_equal(owner.tracking, "public.svc_a");
	assert_non_null(strstr(journal_widen(ctx, true).sql, "SET LOCAL lock_timeout"));
	talloc_free(ctx);
}

static void
test_words(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct history *history = history_new(ctx, HISTORY_BY_FILE);
	PGresult *result =
	    pgresult_make(2, 2, (const char *const[]){ "001-a", "abc", "002-b", "def" });

	(void)state;
	struct journal_words *words = journal_words_new(ctx);

	journal_read_checksums(words, result);
	PQclear(result);
	result = pgresult_make(1, 1, (const char *const[]){ "002-b.sql" });
	journal_read_baselined(words, result);
	PQclear(result);
	history_add(history, &(struct history_row){ .key = "001-a.sql" });
	history_add(history, &(struct history_row){ .key = "002-b.sql" });
	/* to as many histories as there are */
	journal_tell(words, history_new(ctx, HISTORY_BY_FILE));
	journal_tell(words, history);
	assert_false(history->rows[0].baseline);
	assert_true(history->rows[1].baseline);
	assert_string_equal(history_noted_checksum(history, "001-a"), "abc");
	assert_string_equal(history_noted_checksum(history, "002-b"), "def");
	talloc_free(ctx);
}

static void
test_insert(void **state)
{
	static const struct migration first = { .id = "0001_a", .version = "0001" };
	static const struct migration second = { .id = "0002_b", .version = "0002" };
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run(PLAN_BASELINE);
	struct pgconn_statement statement;

	(void)state;
	run->outcome = RUN_SUCCEEDED;
	run_add_applied(run, &first, 1234567);
	run_add_applied(run, &second, 0);
	statement = journal_insert(ctx, run, &ours, "pod-1");
	assert_int_equal(statement.n_params, 13);
	assert_string_equal(statement.params[12], "public.svc_a");
	assert_string_equal(statement.params[0], run->id);
	assert_string_equal(statement.params[1], "default");
	assert_string_equal(statement.params[2], "baseline");
	assert_string_equal(statement.params[3], "succeeded");
	assert_string_equal(statement.params[4], "once");
	assert_string_equal(statement.params[5], "pod-1");
	assert_string_equal(statement.params[6], "1700000000.000007");
	assert_string_equal(statement.params[7], "1700000003.500007");
	assert_string_equal(statement.params[8], "3.500000");
	assert_string_equal(statement.params[9], "0.000017");
	assert_string_equal(statement.params[10],
	    "[{\"id\":\"0001_a\",\"version\":\"0001\",\"duration_seconds\":1.234567},"
	    "{\"id\":\"0002_b\",\"version\":\"0002\",\"duration_seconds\":0.000000}]");
	assert_null(statement.params[11]);
	assert_int_equal(journal_insert(ctx, run, &anyone, "pod-1").n_params, 12);
	run_unref(run);
	talloc_free(ctx);
}

/* What is no migration of the schema says so. */
static void
test_insert_phase(void **state)
{
	static const struct migration m = {
		.id = "a", .version = "a", .checksum = "abc"
	};
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run(PLAN_APPLY);
	struct pgconn_statement statement;

	(void)state;
	run->phase = PHASE_SEEDS;
	run_add_applied(run, &m, 0);
	err_set(&run->err, CAT_SQL_ERROR, "no");
	statement = journal_insert(ctx, run, &ours, NULL);
	assert_string_equal(statement.params[10],
	    "[{\"id\":\"a\",\"version\":\"a\",\"phase\":\"seeds\","
	    "\"duration_seconds\":0.000000}]");
	assert_non_null(strstr(statement.params[11], ",\"phase\":\"seeds\"}"));
	run_unref(run);
	talloc_free(ctx);
}

/* What was rolled back waits until it has another content. */
static void
test_insert_rollback(void **state)
{
	static const struct migration m = {
		.id = "0001_a", .version = "0001", .checksum = "abc"
	};
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run(PLAN_ROLLBACK);

	(void)state;
	run_add_applied(run, &m, 0);
	assert_string_equal(journal_insert(ctx, run, &anyone, NULL).params[10],
	    "[{\"id\":\"0001_a\",\"version\":\"0001\",\"checksum\":\"abc\","
	    "\"duration_seconds\":0.000000}]");
	run->reason = "too early";
	assert_string_equal(journal_insert(ctx, run, &anyone, NULL).params[10],
	    "[{\"id\":\"0001_a\",\"version\":\"0001\",\"checksum\":\"abc\","
	    "\"duration_seconds\":0.000000,\"reason\":\"too early\"}]");
	run_unref(run);
	talloc_free(ctx);
}

/* What was decided, and whether it makes the migration a baseline. */
static void
test_insert_repair(void **state)
{
	static const struct migration m = { .id = "0001_a", .version = "0001" };
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run(PLAN_REPAIR);

	(void)state;
	run->up_to = "0001_a";
	run->action = "retry";
	assert_string_equal(journal_insert(ctx, run, &anyone, NULL).params[10], "[]");
	run->outcome = RUN_SUCCEEDED;
	assert_string_equal(journal_insert(ctx, run, &anyone, NULL).params[10],
	    "[{\"id\":\"0001_a\",\"action\":\"retry\",\"baseline\":false}]");
	run->action = "applied";
	run->reason = "by \"hand\"";
	run->after = "baseline";
	run_add_applied(run, &m, 5);
	assert_string_equal(journal_insert(ctx, run, &anyone, NULL).params[10],
	    "[{\"id\":\"0001_a\",\"version\":\"0001\",\"action\":\"applied\","
	    "\"reason\":\"by \\\"hand\\\"\",\"baseline\":true}]");
	/* the guard is of no migration */
	run->up_to = NULL;
	run->n_applied = 0;
	run->action = "remove-guard";
	assert_string_equal(journal_insert(ctx, run, &anyone, NULL).params[10], "[]");
	run_unref(run);
	talloc_free(ctx);
}

static void
test_insert_error(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run(PLAN_APPLY);
	struct pgconn_statement statement;

	(void)state;
	run->outcome = RUN_FAILED;
	err_set(&run->err, CAT_SQL_ERROR, "no table \"x\"");
	err_where(&run->err, "0001_a.sql", 7);
	err_hint(&run->err, "make one");
	memcpy(run->err.sqlstate, "42P01", 6);
	memcpy(run->err.answers, "applied retry", sizeof("applied retry"));
	run->err.exit_code = EXIT_REFUSED;
	run->err.column = 3;
	run->err.statement = 2;
	memcpy(run->failed_checksum, "abc", 4);
	statement = journal_insert(ctx, run, &anyone, NULL);
	assert_string_equal(statement.params[2], "apply");
	assert_string_equal(statement.params[3], "failed");
	assert_null(statement.params[5]);
	assert_string_equal(statement.params[10], "[]");
	assert_string_equal(statement.params[11],
	    "{\"category\":\"SQL_ERROR\",\"http_status\":0,\"exit_code\":8,"
	    "\"line\":7,\"column\":3,\"statement\":2,\"sqlstate\":\"42P01\","
	    "\"text\":\"no table \\\"x\\\"\",\"detail\":\"\",\"hint\":\"make one\","
	    "\"context\":\"\",\"migration\":\"\",\"file\":\"0001_a.sql\",\"excerpt\":\"\","
	    "\"answers\":\"applied retry\",\"checksum\":\"abc\"}");
	run_unref(run);
	talloc_free(ctx);
}

/* What journal_recent asks for, in its order. */
#define N_COLUMNS 27

static void
test_read_run(void **state)
{
	static char refused[] = "refused";
	PGresult *result = pgresult_make(N_COLUMNS, 2,
	    (const char *const[]){
		"01a1f7e6-4004-7fce-a028-7618529a0a55",
		"default",
		"baseline",
		"succeeded",
		"once",
		"1700000000000007",
		"1700000003500007",
		"3500000",
		"17",
		"0001_a\t0001\t1234567\t\tabc\n0002 b\t0002\t0\tseeds\t\nhalf-a\tline",
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,
		NULL,

		"01a1f7e6-4001-7f4d-875b-9a01ac87dea2",
		"default",
		"apply",
		"failed",
		NULL,
		"1700000000000000",
		"1700000001000000",
		"1000000",
		"0",
		NULL,
		"SQL_ERROR",
		"0",
		"8",
		"7",
		"3",
		"2",
		"42P01",
		"no table",
		"the detail",
		"make one",
		"the context",
		"0001_a",
		"0001_a.sql",
		"SELECT",
		"applied retry",
		"abc",
		"repeatable",
	    });
	struct run *run = journal_read_run(result, 0);

	(void)state;
	assert_string_equal(run->id, "01a1f7e6-4004-7fce-a028-7618529a0a55");
	assert_string_equal(run->target, "default");
	assert_int_equal(run->operation, PLAN_BASELINE);
	assert_int_equal(run->outcome, RUN_SUCCEEDED);
	assert_true(run_is_done(run));
	assert_string_equal(run->requested_by, "once");
	assert_int_equal(run->started_at_us, INT64_C(1700000000000007));
	assert_int_equal(run->finished_at_us, INT64_C(1700000003500007));
	assert_int_equal(run->duration_us, 3500000);
	assert_int_equal(run->lock_wait_us, 17);
	assert_int_equal(run->n_applied, 2);
	assert_string_equal(run->applied[0].id, "0001_a");
	assert_string_equal(run->applied[0].version, "0001");
	assert_int_equal(run->applied[0].duration_us, 1234567);
	assert_string_equal(run->applied[0].checksum, "abc");
	assert_int_equal(run->applied[0].phase, PHASE_SCHEMA);
	assert_string_equal(run->applied[1].id, "0002 b");
	assert_int_equal(run->applied[1].duration_us, 0);
	assert_int_equal(run->applied[1].phase, PHASE_SEEDS);
	assert_int_equal(run->phase, PHASE_SCHEMA);
	assert_false(err_is_set(&run->err));
	assert_string_equal(run->failed_checksum, "");
	run_unref(run);

	run = journal_read_run(result, 1);
	assert_int_equal(run->operation, PLAN_APPLY);
	assert_string_equal(run->failed_checksum, "abc");
	assert_int_equal(run->phase, PHASE_REPEATABLE);
	assert_int_equal(run->outcome, RUN_FAILED);
	assert_false(run->in_doubt);
	assert_null(run->requested_by);
	assert_int_equal(run->n_applied, 0);
	assert_int_equal(run->err.category, CAT_SQL_ERROR);
	assert_int_equal(run->err.http_status, 0);
	assert_int_equal(run->err.exit_code, EXIT_REFUSED);
	assert_int_equal(run->err.line, 7);
	assert_int_equal(run->err.column, 3);
	assert_int_equal(run->err.statement, 2);
	assert_string_equal(run->err.answers, "applied retry");
	assert_string_equal(run->err.phase, "repeatable");
	assert_string_equal(run->err.sqlstate, "42P01");
	assert_string_equal(run->err.text, "no table");
	assert_string_equal(run->err.detail, "the detail");
	assert_string_equal(run->err.hint, "make one");
	assert_string_equal(run->err.context, "the context");
	assert_string_equal(run->err.migration, "0001_a");
	assert_string_equal(run->err.file, "0001_a.sql");
	assert_string_equal(run->err.excerpt, "SELECT");
	run_unref(run);

	/* a refusal that parks a migration is a question about it */
	PQsetvalue(result, 1, 3, refused, (int)strlen(refused));
	run = journal_read_run(result, 1);
	assert_int_equal(run->outcome, RUN_REFUSED);
	assert_true(run->in_doubt);
	run_unref(run);
	PQclear(result);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_qualified),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_insert),
		cmocka_unit_test(test_insert_phase),
		cmocka_unit_test(test_insert_error),
		cmocka_unit_test(test_insert_rollback),
		cmocka_unit_test(test_insert_repair),
		cmocka_unit_test(test_read_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
