/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/lock.h"
#include "pgresult.h"

/* The key is a promise to the migrationds of other releases. */
static void
test_key(void **state)
{
	(void)state;
	assert_int_equal(lock_key("app", "drizzle", "t"), INT64_C(-5611457474260703244));
	assert_int_not_equal(
	    lock_key("app", "drizzle", "t"), lock_key("app", "drizzle", "u"));
	assert_int_not_equal(
	    lock_key("app", "drizzle", "t"), lock_key("app", "drizz", "let"));
	assert_int_not_equal(
	    lock_key("app", "drizzle", "t"), lock_key("appd", "rizzle", "t"));
}

static void
test_statements(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct pgconn_statement statement = lock_try(ctx, INT64_C(-5611457474260703244));
	struct text sql;

	(void)state;
	assert_string_equal(
	    statement.sql, "SELECT pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8)");
	assert_int_equal(statement.n_params, 1);
	assert_string_equal(statement.params[0], "-5611457474260703244");

	statement = lock_release(ctx, 7);
	assert_string_equal(
	    statement.sql, "SELECT pg_catalog.pg_advisory_unlock($1::pg_catalog.int8)");
	assert_int_equal(statement.n_params, 1);
	assert_string_equal(statement.params[0], "7");

	text_init(&sql, ctx, 1000);
	lock_add_xact_try(&sql, INT64_MIN);
	assert_string_equal(sql.data,
	    "SELECT pg_catalog.pg_try_advisory_xact_lock(-9223372036854775808)");
	talloc_free(ctx);
}

static void
test_holder(void **state)
{
	static const struct {
		int64_t key;
		const char *high;
		const char *low;
	} rows[] = {
		{ 0, "0", "0" },
		{ 1, "0", "1" },
		{ -1, "4294967295", "4294967295" },
		{ INT64_C(0x123456789abcdef0), "305419896", "2596069104" },
		{ INT64_MIN, "2147483648", "0" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pgconn_statement statement = lock_holder(ctx, rows[i].key);

		assert_int_equal(statement.n_params, 2);
		assert_string_equal(statement.params[0], rows[i].high);
		assert_string_equal(statement.params[1], rows[i].low);
		assert_non_null(strstr(statement.sql, "FROM pg_catalog.pg_locks AS l "));
		/* no operator that a search_path could bend */
		assert_null(strstr(statement.sql, " = "));
	}
	talloc_free(ctx);
}

static void
test_holder_read(void **state)
{
	static const struct {
		const char *values[4];
		size_t size;
		const char *text;
	} rows[] = {
		{ { "4711", "migrationd", "10.0.0.7", "2026-11-20T05:58:12Z" }, 256,
		    "pid 4711, migrationd from 10.0.0.7, since 2026-11-20T05:58:12Z" },
		{ { "4711", "psql", NULL, NULL }, 256, "pid 4711, psql" },
		{ { "4711", "", NULL, NULL }, 256, "pid 4711" },
		{ { "4711", NULL, "::1", NULL }, 256, "pid 4711 from ::1" },
		{ { "4711", "a name that does not fit", NULL, NULL }, 10, "" },
	};
	PGresult *none = pgresult_make(4, 0, NULL);
	PGresult *other = pgresult_make(1, 1, (const char *const[]){ "1" });
	char buf[256] = "x";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result = pgresult_make(4, 1, rows[i].values);

		lock_holder_read(result, buf, rows[i].size);
		assert_string_equal(buf, rows[i].text);
		PQclear(result);
	}
	lock_holder_read(none, buf, sizeof(buf));
	assert_string_equal(buf, "");
	lock_holder_read(other, buf, sizeof(buf));
	assert_string_equal(buf, "");
	PQclear(none);
	PQclear(other);
}

static void
test_answer(void **state)
{
	static const struct {
		int n_rows;
		const char *values[2];
		bool answer;
	} rows[] = {
		{ 1, { "t" }, true },
		{ 1, { "f" }, false },
		{ 1, { NULL }, false },
		{ 0, { NULL }, false },
		{ 2, { "t", "t" }, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result = pgresult_make(1, rows[i].n_rows, rows[i].values);

		assert_int_equal(lock_answer(result), rows[i].answer);
		PQclear(result);
	}
}

static void
test_pause(void **state)
{
	static const struct {
		unsigned attempt;
		uint64_t whole_ms;
	} rows[] = { { 0, 50 }, { 1, 100 }, { 2, 200 }, { 3, 400 }, { 4, 800 },
		{ 5, 1000 }, { 6, 1000 }, { 1000, 1000 }, { 4294967295u, 1000 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool differs = false;
		uint64_t first_ms = lock_pause_ms(rows[i].attempt);

		for (int k = 0; k < 200; k++) {
			uint64_t ms = lock_pause_ms(rows[i].attempt);

			assert_in_range(ms, rows[i].whole_ms / 2, rows[i].whole_ms);
			differs = differs || ms != first_ms;
		}
		assert_true(differs);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_holder_read),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
