/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/journal_statements.h"
#include "pgresult.h"

#define RUN "01900000-0000-7000-8000-000000000001"

static const struct tracking_table table = {
	.kind = &tracking_drizzle, .schema = "drizzle", .table = "__drizzle_migrations"
};

struct world {
	void *ctx;
	struct migration m;
	struct script *script;
	struct script_segment both; /* statements 1 and 2 in one transaction */
};

static struct world
make(void)
{
	static const char text[] = "CREATE TABLE a ();\nCREATE TABLE b ();\nVACUUM a;\n";
	void *ctx = mem_context(NULL, "test");
	struct world world = { .ctx = ctx, .m = { .id = "7", .file = "7.sql" } };

	migration_set_text(&world.m, ctx, text, strlen(text), NULL);
	world.script = script_build(ctx, &world.m, NULL);
	world.both = world.script->segments[0];
	assert_int_equal(world.both.n, 2);
	return world;
}

/* All that is said about a migration names it in the same way. */
static void
test_of_migration(void **state UNUSED)
{
	struct world world = make();
	const struct script_statement *st = world.script->statements;
	const struct pgconn_statement statements[] = {
		journal_statements_read(world.ctx, &table, "17"),
		journal_statements_start(world.ctx, &table, "17", &st[2], RUN),
		journal_statements_finish(world.ctx, &table, "17", 3),
		journal_statements_segment(
		    world.ctx, &table, "17", world.script, &world.both, RUN),
		journal_statements_forget(world.ctx, &table, "17"),
		journal_statements_repair(world.ctx, &table, "17", "retry"),
		journal_statements_repair(world.ctx, &table, "17", "applied"),
		journal_statements_repair(world.ctx, &table, "17", "pending"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		print_message("%s\n", statements[i].sql);
		assert_string_equal(
		    statements[i].params[0], "drizzle.__drizzle_migrations");
		assert_string_equal(statements[i].params[1], "17");
		assert_in_range(statements[i].n_params, 2, 5);
		for (int p = 0; p < statements[i].n_params; p++)
			assert_non_null(statements[i].params[p]);
		/* of another migration no row is touched, and nothing depends on a path */
		assert_null(strstr(statements[i].sql, " OR "));
		assert_null(strstr(statements[i].sql, "::text"));
		assert_null(strstr(statements[i].sql, " statements"));
		if (!strstr(statements[i].sql, "INSERT"))
			assert_non_null(strstr(statements[i].sql,
			    "WHERE s.tracking OPERATOR(pg_catalog.=) $1::pg_catalog.text "
			    "AND s.version OPERATOR(pg_catalog.=) "));
	}
	/* the way back has rows of its own, and both go together */
	assert_string_equal(journal_statements_key_back(world.ctx, "17"), "17/down");
	assert_non_null(strstr(statements[4].sql,
	    "ANY (ARRAY[$2::pg_catalog.text, pg_catalog.concat($2::pg_catalog.text, '/down')])"));
	talloc_free(world.ctx);
}

static void
test_versions(void **state UNUSED)
{
	struct world world = make();
	struct pgconn_statement statement =
	    journal_statements_versions(world.ctx, &table);

	assert_string_equal(statement.sql,
	    "SELECT DISTINCT s.version FROM migrationd.statements s "
	    "WHERE s.tracking OPERATOR(pg_catalog.=) $1::pg_catalog.text");
	assert_int_equal(statement.n_params, 1);
	assert_string_equal(statement.params[0], "drizzle.__drizzle_migrations");
	talloc_free(world.ctx);
}

static void
test_alone(void **state UNUSED)
{
	struct world world = make();
	const struct script_statement *st = &world.script->statements[2];
	char digest[DIGEST_HEX];
	struct pgconn_statement start =
	    journal_statements_start(world.ctx, &table, "17", st, RUN);
	struct pgconn_statement finish =
	    journal_statements_finish(world.ctx, &table, "17", st->number);

	script_digest(st, digest);
	assert_int_equal(start.n_params, 5);
	assert_string_equal(start.params[2], "3");
	assert_string_equal(start.params[3], digest);
	assert_string_equal(start.params[4], RUN);
	assert_non_null(strstr(start.sql, "NULL) ON CONFLICT"));
	/* begun again, it is not done any more, and began now */
	assert_non_null(strstr(start.sql, "finished_at = excluded.finished_at"));
	assert_non_null(strstr(start.sql, "started_at = excluded.started_at"));
	assert_int_equal(finish.n_params, 3);
	assert_string_equal(finish.params[2], "3");
	assert_non_null(
	    strstr(finish.sql, "s.number OPERATOR(pg_catalog.=) $3::pg_catalog.int4"));
	talloc_free(world.ctx);
}

/* One row for each statement, all done. */
static void
test_segment(void **state UNUSED)
{
	struct world world = make();
	char digests[2][DIGEST_HEX];
	char rows[512];
	struct pgconn_statement done = journal_statements_segment(
	    world.ctx, &table, "17", world.script, &world.both, RUN);

	for (size_t i = 0; i < 2; i++)
		script_digest(&world.script->statements[i], digests[i]);
	snprintf(rows, sizeof(rows),
	    "VALUES ($1, $2, 1, '%s', $3::pg_catalog.uuid, pg_catalog.clock_timestamp()), "
	    "($1, $2, 2, '%s', $3::pg_catalog.uuid, pg_catalog.clock_timestamp()) "
	    "ON CONFLICT",
	    digests[0], digests[1]);
	assert_non_null(strstr(done.sql, rows));
	assert_int_equal(done.n_params, 3);
	assert_string_equal(done.params[2], RUN);
	talloc_free(world.ctx);
}

/* What a person may answer: about what was begun alone, or about all of it. */
static void
test_repair(void **state UNUSED)
{
	static const struct {
		const char *action;
		const char *verb;
		bool begun_only;
	} rows[] = {
		{ "retry", "DELETE", true },
		{ "applied", "UPDATE", true },
		{ "pending", "DELETE", false },
	};
	void *ctx = mem_context(NULL, "test");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *sql =
		    journal_statements_repair(ctx, &table, "17", rows[i].action).sql;

		assert_memory_equal(sql, rows[i].verb, strlen(rows[i].verb));
		assert_int_equal(strstr(sql, " AND s.finished_at IS NULL") != NULL,
		    rows[i].begun_only);
	}
	talloc_free(ctx);
}

static void
test_rows(void **state UNUSED)
{
	static const char *const values[] = { "1", "aa", "t", "12", "bb", "f" };
	void *ctx = mem_context(NULL, "test");
	PGresult *result = pgresult_make(3, 2, values);
	size_t n = 0;
	struct resume_row *rows = journal_statements_rows(ctx, result, &n);

	PQclear(result);
	assert_int_equal(n, 2);
	assert_int_equal(rows[0].number, 1);
	assert_string_equal(rows[0].digest, "aa");
	assert_true(rows[0].finished);
	assert_int_equal(rows[1].number, 12);
	assert_false(rows[1].finished);

	result = pgresult_make(3, 0, NULL);
	assert_non_null(journal_statements_rows(ctx, result, &n));
	assert_int_equal(n, 0);
	PQclear(result);
	talloc_free(ctx);
}

/* Schema and table are made only where they are not: no right is needed where all is there. */
static void
test_create(void **state UNUSED)
{
	void *ctx = mem_context(NULL, "test");
	const char *sql = journal_statements_create(ctx, false).sql;

	assert_ptr_equal(strstr(sql, "CREATE SCHEMA IF NOT EXISTS migrationd; "), sql);
	assert_null(strstr(journal_statements_create(ctx, true).sql, "CREATE SCHEMA"));
	assert_non_null(
	    strstr(sql, "CREATE TABLE IF NOT EXISTS migrationd.statements ("));
	assert_non_null(strstr(sql, "PRIMARY KEY (tracking, version, number)"));
	assert_int_equal(journal_statements_create(ctx, true).n_params, 0);
	assert_int_equal(journal_statements_look()->n_params, 0);
	assert_null(strstr(journal_statements_look()->sql, " = "));
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_of_migration),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_segment),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
