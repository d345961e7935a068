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
#include "db/index_lookup.h"
#include "pgresult.h"

/* The names go as parameters, the schema for index and table. */
static void
test_question(void **state UNUSED)
{
	static const struct {
		const char *sql;
		const char *params[3];
	} rows[] = {
		{ "CREATE INDEX CONCURRENTLY i ON s.a (x)", { "i", "s", "a" } },
		{ "CREATE INDEX CONCURRENTLY i ON a (x)", { "i", "", "a" } },
		{ "CREATE INDEX CONCURRENTLY \"I's\" ON a (x)", { "I's", "", "a" } },
		{ "DROP INDEX CONCURRENTLY s.I", { "i", "s", "" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct sqlclass class;

		sqlclass_of(rows[i].sql, strlen(rows[i].sql), &class);
		struct pgconn_statement lookup = index_lookup(ctx, &class);
		/* what was asked about may be gone by the time it is sent */
		class = (struct sqlclass){ 0 };
		assert_int_equal(lookup.n_params, 3);
		for (size_t k = 0; k < 3; k++)
			assert_string_equal(lookup.params[k], rows[i].params[k]);
		talloc_free(ctx);
	}
}

/* No operator, function or table that a search_path could bend. */
static void
test_qualified(void **state UNUSED)
{
	const struct sqlclass class = { .name = "i" };
	void *ctx = mem_context(NULL, "test");
	const char *sql = index_lookup(ctx, &class).sql;

	assert_null(strstr(sql, " = "));
	assert_null(strstr(sql, "::text"));
	assert_null(strstr(sql, " pg_class"));
	assert_null(strstr(sql, " pg_index"));
	talloc_free(ctx);
}

static void
test_answer(void **state UNUSED)
{
	static const struct {
		int n_rows;
		const char *values[3];
		enum index_state state;
	} rows[] = {
		{ 0, { NULL }, INDEX_ABSENT },
		{ 1, { "t", "public", "i" }, INDEX_VALID },
		{ 1, { "f", "public", "i" }, INDEX_INVALID },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result = pgresult_make(3, rows[i].n_rows, rows[i].values);

		assert_int_equal(index_lookup_read(result), rows[i].state);
		PQclear(result);
	}
}

/* Exactly the index that was found, however it is written. */
static void
test_drop(void **state UNUSED)
{
	static const char *const values[] = { "f", "my \"schema\"", "I" };
	PGresult *found = pgresult_make(3, 1, values);
	void *ctx = mem_context(NULL, "test");
	struct pgconn_statement drop = index_drop(ctx, found, true);

	assert_string_equal(
	    index_drop(ctx, found, false).sql, "DROP INDEX \"my \"\"schema\"\"\".\"I\"");

	PQclear(found);
	assert_string_equal(
	    drop.sql, "DROP INDEX CONCURRENTLY \"my \"\"schema\"\"\".\"I\"");
	assert_int_equal(drop.n_params, 0);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_qualified),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
