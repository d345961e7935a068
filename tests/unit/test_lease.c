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
#include "db/lease.h"
#include "pgresult.h"

static struct lock
lock_of(const char *token, int64_t key)
{
	struct lock lock = { .key = key,
		.can = ENGINE_SETTINGS | ENGINE_ROW_LOCKS,
		.holder = "migrationd o'pod, pid 1 on \\h" };

	(void)snprintf(lock.token, sizeof(lock.token), "%s", token);
	return lock;
}

/* Every statement is one transaction, and leaves nothing behind in a shared session. */
static void
test_statements(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct lock lock = lock_of("tok'en", -2);
	const struct {
		struct pgconn_statement statement;
		bool own_transaction;
		bool token;
	} rows[] = {
		{ lease_rows(ctx, &lock), true, false },
		{ lease_try(ctx, &lock), true, true },
		{ lease_renew(ctx, &lock), true, true },
		{ lease_release(ctx, &lock), true, true },
		{ lease_holder(ctx, &lock), false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *sql = rows[i].statement.sql;

		assert_int_equal(rows[i].statement.n_params, 0);
		assert_int_equal(strstr(sql,
				     "SET TRANSACTION ISOLATION LEVEL READ "
				     "COMMITTED; SET LOCAL ") == sql,
		    rows[i].own_transaction);
		assert_int_equal(strstr(sql, "'tok''en'") != NULL, rows[i].token);
		assert_non_null(strstr(sql, "'lease/fffffffffffffffe'"));
		assert_null(strstr(sql, "; SET lock_timeout"));
		/* no operator that a search_path could bend */
		assert_null(strstr(sql, "name = "));
	}
	/* a name in quotes that it brought itself */
	assert_non_null(
	    strstr(lease_try(ctx, &lock).sql, "E'migrationd o''pod, pid 1 on \\\\h'"));
	talloc_free(ctx);
}

/* The guard takes the fence, not the lease: the renewal must not wait for it. */
static void
test_guard(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct lock lock = lock_of("token", 1);
	struct text sql;

	(void)state;
	text_init(&sql, ctx, 1000);
	lease_add_guard(&sql, &lock);
	assert_string_equal(sql.data,
	    "SELECT (SELECT l.token OPERATOR(pg_catalog.=) 'token' "
	    "FROM migrationd.locks AS l "
	    "WHERE l.name OPERATOR(pg_catalog.=) 'fence/0000000000000001' FOR UPDATE)");
	assert_null(strstr(lease_renew(ctx, &lock).sql, "fence/"));
	assert_null(strstr(lease_release(ctx, &lock).sql, "fence/"));
	assert_non_null(strstr(lease_try(ctx, &lock).sql,
	    "'fence/0000000000000001' FOR UPDATE SKIP LOCKED"));
	talloc_free(ctx);
}

/* Nothing that an engine refuses which has no row locks, and takes no settings. */
static void
test_other_engines(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct lock lock = lock_of("token", 1);
	const char *sql = NULL;

	(void)state;
	lock.can = 0;
	sql = lease_try(ctx, &lock).sql;
	assert_ptr_equal(strstr(sql, "UPDATE migrationd.locks"), sql);
	assert_null(strstr(sql, "SKIP LOCKED"));
	assert_null(strstr(lease_renew(ctx, &lock).sql, "SET LOCAL"));
	assert_non_null(strstr(lease_look(ctx, &lock).sql, "'locks'"));
	sql = lease_create(ctx, false).sql;
	assert_ptr_equal(strstr(sql, "CREATE SCHEMA IF NOT EXISTS migrationd; "), sql);
	assert_null(strstr(sql, "DO "));
	sql = lease_create(ctx, true).sql;
	assert_ptr_equal(strstr(sql, "CREATE TABLE IF NOT EXISTS migrationd.locks"), sql);
	talloc_free(ctx);
}

static void
test_holder_read(void **state)
{
	static const char *const values[] = { "migrationd pod-1, pid 4711 on node-3",
		"2026-11-20T05:58:12Z", "17" };
	PGresult *row = pgresult_make(3, 1, values);
	PGresult *none = pgresult_make(3, 0, NULL);
	PGresult *narrow = pgresult_make(1, 1, values);
	char buf[256] = "x";

	(void)state;
	lease_holder_read(row, buf, sizeof(buf));
	assert_string_equal(buf,
	    "migrationd pod-1, pid 4711 on node-3, since 2026-11-20T05:58:12Z, "
	    "lease ends in 17 s unless renewed");
	lease_holder_read(none, buf, sizeof(buf));
	assert_string_equal(buf, "");
	lease_holder_read(row, buf, 10);
	assert_string_equal(buf, "");
	lease_holder_read(narrow, buf, sizeof(buf));
	assert_string_equal(buf, "");
	PQclear(row);
	PQclear(none);
	PQclear(narrow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_other_engines),
		cmocka_unit_test(test_holder_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
