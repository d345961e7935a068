/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "db/lock.h"
#include "pgresult.h"

static const struct engine direct_engine = {
	.can = ENGINE_ADVISORY | ENGINE_SETTINGS | ENGINE_ROW_LOCKS,
};
static const struct engine pooled_engine = {
	.can = ENGINE_ADVISORY | ENGINE_SETTINGS | ENGINE_ROW_LOCKS,
	.pooled = true,
};
static const struct engine lockless_engine = { .can = 0 };

/* The advisory lock of that key. */
static struct lock
advisory(int64_t key)
{
	struct lock lock;

	lock_init(&lock, LOCK_MODE_ADVISORY, &direct_engine, key, NULL);
	return lock;
}

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
	struct lock seven = advisory(7), last = advisory(INT64_MIN);
	struct pgconn_statement statement = seven.ops->release(ctx, &seven);
	struct text sql;

	(void)state;
	assert_string_equal(
	    statement.sql, "SELECT pg_catalog.pg_advisory_unlock($1::pg_catalog.int8)");
	assert_int_equal(statement.n_params, 1);
	assert_string_equal(statement.params[0], "7");

	text_init(&sql, ctx, 1000);
	last.ops->add_guard(&sql, &last);
	assert_memory_equal(sql.data, "SELECT CASE WHEN EXISTS", 23);
	assert_non_null(strstr(sql.data, "l.classid OPERATOR(pg_catalog.=) 2147483648:"));
	assert_non_null(strstr(sql.data, "l.objid OPERATOR(pg_catalog.=) 0:"));
	assert_non_null(
	    strstr(sql.data, "pg_catalog.pg_try_advisory_lock(-9223372036854775808)"));
	assert_non_null(strstr(
	    sql.data, "pg_catalog.pg_try_advisory_xact_lock(-9223372036854775808)"));
	assert_null(strstr(sql.data, " = "));
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
		struct lock lock = advisory(rows[i].key);
		struct pgconn_statement statement = lock.ops->holder(ctx, &lock);

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
	const struct lock_ops *ops = advisory(7).ops;
	PGresult *none = pgresult_make(4, 0, NULL);
	PGresult *other = pgresult_make(1, 1, (const char *const[]){ "1" });
	char buf[256] = "x";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result = pgresult_make(4, 1, rows[i].values);

		ops->read_holder(result, buf, rows[i].size);
		assert_string_equal(buf, rows[i].text);
		PQclear(result);
	}
	ops->read_holder(none, buf, sizeof(buf));
	assert_string_equal(buf, "");
	ops->read_holder(other, buf, sizeof(buf));
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

/* Which of the two, and what only one of them has. */
static void
test_init(void **state)
{
	static const struct {
		enum target_lock_mode mode;
		const struct engine *engine;
		const char *name;
	} rows[] = {
		{ LOCK_MODE_AUTO, &direct_engine, "advisory" },
		{ LOCK_MODE_AUTO, &pooled_engine, "lease" },
		{ LOCK_MODE_AUTO, &lockless_engine, "lease" },
		{ LOCK_MODE_ADVISORY, &direct_engine, "advisory" },
		{ LOCK_MODE_ADVISORY, &pooled_engine, "advisory" },
		{ LOCK_MODE_ADVISORY, &lockless_engine, "lease" },
		{ LOCK_MODE_LEASE, &direct_engine, "lease" },
		{ LOCK_MODE_LEASE, &pooled_engine, "lease" },
	};
	struct lock first, second;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool lease = strcmp(rows[i].name, "lease") == 0;

		lock_init(&first, rows[i].mode, rows[i].engine, 7, "pod-1");
		assert_string_equal(first.ops->name, rows[i].name);
		assert_int_equal(first.ops->look != NULL, lease);
		assert_int_equal(first.ops->prepare_hint != NULL, lease);
		assert_int_equal(first.ops->renew != NULL, lease);
		assert_int_equal(first.ops->renew_ms > 0, lease);
		assert_non_null(strstr(first.holder, "migrationd pod-1, pid "));
	}
	lock_init(&second, LOCK_MODE_LEASE, &pooled_engine, 7, NULL);
	assert_non_null(strstr(second.holder, "migrationd, pid "));
	assert_string_not_equal(first.token, second.token);
}

/* A name that is too long is cut between two letters. */
static void
test_long_name(void **state)
{
	char name[400] = "";
	struct lock lock;

	(void)state;
	for (size_t first = 0; first < 2; first++) {
		memset(name, 'x', first);
		for (size_t i = first; i + 2 < sizeof(name); i += 2)
			memcpy(name + i, "\xD0\xB6", 3);
		lock_init(&lock, LOCK_MODE_LEASE, &pooled_engine, 7, name);
		assert_true(strlen(lock.holder) + 2 >= sizeof(lock.holder));
		assert_true(utf8_is_valid(lock.holder, strlen(lock.holder), NULL));
	}
}

/* A lease is held by a run; another of its process may take it, and it alone use it. */
static void
test_token(void **state)
{
	static const char process[] = "018f0000-0000-7000-8000-00000000000a";
	static const char run[] = "018f0000-0000-7000-8000-00000000000b";
	void *ctx = mem_context(NULL, "test");
	struct lock lock;
	struct text sql;

	(void)state;
	lock_init(&lock, LOCK_MODE_LEASE, &pooled_engine, 7, NULL);
	lock_name(&lock, "", run);
	assert_string_equal(lock.process, run);
	lock_name(&lock, process, run);
	assert_string_equal(lock.process, process);
	assert_true(strncmp(lock.token, process, strlen(process)) == 0);
	assert_int_equal(lock.token[strlen(process)], '/');

	text_init(&sql, ctx, 4000);
	text_addf(&sql,
	    "(pg_catalog.split_part(l.token, '/', 1) OPERATOR(pg_catalog.=) '%s' "
	    "AND l.token OPERATOR(pg_catalog.<=) '%s')",
	    process, lock.token);
	assert_non_null(strstr(lock.ops->try(ctx, &lock).sql, sql.data));
	assert_null(strstr(lock.ops->renew(ctx, &lock).sql, "split_part"));
	assert_null(strstr(lock.ops->release(ctx, &lock).sql, "split_part"));
	text_init(&sql, ctx, 4000);
	lock.ops->add_guard(&sql, &lock);
	assert_null(strstr(sql.data, "split_part"));
	assert_non_null(strstr(sql.data, lock.token));
	talloc_free(ctx);
}

/*
 * The later run's token is the greater one, whatever the clock did between them, and in any
 * collation: they differ in digits alone, and have as many.
 */
static void
test_tokens_ascend(void **state)
{
	static const char process[] = "018f0000-0000-7000-8000-00000000000a";
	static const char later[] = "018f0000-0000-7000-8000-00000000000b";
	static const char earlier[] = "018e9999-0000-7000-8000-00000000000a";
	struct lock first, second;
	size_t head = strlen(process) + 1;

	(void)state;
	lock_init(&first, LOCK_MODE_LEASE, &pooled_engine, 7, NULL);
	second = first;
	lock_name(&first, process, later);
	lock_name(&second, process, earlier);
	assert_true(strcmp(first.token, second.token) < 0);
	assert_int_equal(strlen(first.token), strlen(second.token));
	assert_int_equal(strspn(first.token + head, "0123456789"), 20);
	assert_int_equal(strspn(second.token + head, "0123456789"), 20);
}

static void
test_advisory(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct lock direct, pooled;
	struct pgconn_statement statement;
	struct text sql;

	(void)state;
	lock_init(
	    &direct, LOCK_MODE_AUTO, &direct_engine, INT64_C(0x123456789abcdef0), NULL);
	lock_init(&pooled, LOCK_MODE_ADVISORY, &pooled_engine, direct.key, NULL);
	statement = direct.ops->try(ctx, &direct);
	assert_string_equal(
	    statement.sql, "SELECT pg_catalog.pg_try_advisory_lock(1311768467463790320)");
	assert_int_equal(statement.n_params, 0);

	/* one that is held by the same session already is not granted once more */
	statement = pooled.ops->try(ctx, &pooled);
	assert_non_null(
	    strstr(statement.sql, "l.classid OPERATOR(pg_catalog.=) 305419896:"));
	assert_non_null(
	    strstr(statement.sql, "l.objid OPERATOR(pg_catalog.=) 2596069104:"));
	assert_non_null(
	    strstr(statement.sql, "pg_try_advisory_lock(1311768467463790320)"));
	assert_null(strstr(statement.sql, " = "));

	text_init(&sql, ctx, 1000);
	direct.ops->add_guard(&sql, &direct);
	assert_non_null(strstr(
	    sql.data, "pg_catalog.pg_try_advisory_xact_lock(1311768467463790320)"));
	talloc_free(ctx);
}

static bool
try_answered(struct lock *lock, const char *value, int64_t sent_mono_us, struct err *err)
{
	PGresult *result = pgresult_make(1, 1, &value);
	bool ours = false;
	int rc = lock_tried(lock, result, sent_mono_us, &ours, err);

	PQclear(result);
	assert_int_equal(rc, err_is_set(err) ? -1 : 0);
	return ours;
}

static void
test_sure(void **state)
{
	struct lock lock;
	struct err err = { 0 };
	const char *const yes = "t";
	PGresult *kept = pgresult_make(1, 1, &yes);
	PGresult *lost = pgresult_make(1, 0, NULL);
	const int64_t second = 1000000;

	(void)state;
	lock_init(&lock, LOCK_MODE_AUTO, &direct_engine, 7, NULL);
	assert_false(lock_is_sure(&lock, 100 * second));
	assert_false(try_answered(&lock, "f", 100 * second, &err));
	assert_false(lock_is_sure(&lock, 100 * second));
	assert_true(try_answered(&lock, "t", 100 * second, &err));
	assert_true(lock_is_sure(&lock, 1000000 * second));

	lock_init(&lock, LOCK_MODE_LEASE, &direct_engine, 7, NULL);
	assert_false(try_answered(&lock, "f", 100 * second, &err));
	assert_false(lock_is_sure(&lock, 100 * second));
	assert_true(try_answered(&lock, "t", 100 * second, &err));
	assert_true(lock_is_sure(&lock, 125 * second - 1));
	assert_false(lock_is_sure(&lock, 125 * second));
	assert_true(lock_renewed(&lock, kept, 110 * second));
	assert_true(lock_is_sure(&lock, 135 * second - 1));
	assert_false(lock_renewed(&lock, lost, 120 * second));
	assert_false(lock_is_sure(&lock, 121 * second));
	PQclear(kept);
	PQclear(lost);

	lock_init(&lock, LOCK_MODE_ADVISORY, &pooled_engine, 7, NULL);
	assert_false(try_answered(&lock, NULL, second, &err));
	assert_int_equal(err.category, CAT_CONFIGURATION);
	assert_non_null(strstr(err.hint, "lock = lease"));
	assert_false(lock_is_sure(&lock, second));
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
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_tokens_ascend),
		cmocka_unit_test(test_advisory),
		cmocka_unit_test(test_sure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
