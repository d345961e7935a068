/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/macros.h"
#include "base/mem.h"
#include "db/session.h"

#define COMMON_1                     \
	"SET statement_timeout = 0;" \
	"SET lock_timeout = 0;"
#define COMMON_2                                                \
	"SET synchronous_commit = on;"                          \
	"SET default_transaction_isolation = 'read committed';" \
	"SET default_transaction_deferrable = off;"             \
	"SET standard_conforming_strings = on;"                 \
	"SET client_min_messages = notice;"                     \
	"SET DateStyle = 'ISO';"                                \
	"SET bytea_output = 'hex';"                             \
	"SET tcp_keepalives_idle = 5;"                          \
	"SET tcp_keepalives_interval = 2;"                      \
	"SET tcp_keepalives_count = 3;"
#define IN_TRANSACTION "SET idle_in_transaction_session_timeout = 0;"
#define IDLE           "SET idle_session_timeout = 0;"
#define USER_TIMEOUT   "SET tcp_user_timeout = 10000;"
#define CHECK                                                                            \
	"SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false) " \
	"WHERE pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0;"
#define TRANSACTION "SET transaction_timeout = 0;"
#define ON_15       COMMON_1 IN_TRANSACTION IDLE COMMON_2 USER_TIMEOUT CHECK
#define ON_17       COMMON_1 IN_TRANSACTION IDLE TRANSACTION COMMON_2 USER_TIMEOUT CHECK
#define RESET       "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;"

static void
test_settings(void **state)
{
	static const struct {
		int version;
		const char *sql;
	} rows[] = {
		{ 90500, COMMON_1 COMMON_2 },
		{ 90600, COMMON_1 IN_TRANSACTION COMMON_2 },
		{ 110000, COMMON_1 IN_TRANSACTION COMMON_2 },
		{ 120000, COMMON_1 IN_TRANSACTION COMMON_2 USER_TIMEOUT },
		{ 130010, COMMON_1 IN_TRANSACTION COMMON_2 USER_TIMEOUT },
		{ 140000, ON_15 },
		{ 150020, ON_15 },
		{ 160009, ON_15 },
		{ 170000, ON_17 },
		{ 180001, ON_17 },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text sql;

		text_init(&sql, ctx, BOUND_SQL);
		struct engine engine = { .can = ENGINE_SETTINGS | ENGINE_TIMEOUTS,
			.version = rows[i].version };

		session_add_settings(&sql, &engine);
		assert_string_equal(sql.data, rows[i].sql);
	}
	talloc_free(ctx);
}

/* Inside a transaction nothing may begin or end one. */
static void
test_fresh_start(void **state)
{
	const struct engine engine = { .can = ENGINE_SETTINGS, .version = 150020 };
	void *ctx = mem_context(NULL, "test");
	struct text sql;

	(void)state;
	text_init(&sql, ctx, BOUND_SQL);
	session_add_fresh_start(&sql, &engine, true);
	assert_string_equal(sql.data, "BEGIN;" RESET ON_15 "COMMIT;BEGIN;");
	text_reset(&sql);
	session_add_fresh_start(&sql, &engine, false);
	assert_string_equal(sql.data, RESET ON_15);
	talloc_free(ctx);
}

/* Where a server refuses to be told, nothing is said. */
static void
test_other_engines(void **state)
{
	static const struct {
		unsigned can;
		const char *settings;
	} rows[] = {
		{ 0, "" },
		{ ENGINE_TIMEOUTS, "SET statement_timeout = 0;SET lock_timeout = 0;" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct engine engine = { .can = rows[i].can, .version = 160015 };
		struct text sql;

		text_init(&sql, ctx, BOUND_SQL);
		session_add_settings(&sql, &engine);
		session_add_unwatched(&sql, &engine);
		assert_string_equal(sql.data, rows[i].settings);
		text_reset(&sql);
		session_add_fresh_start(&sql, &engine, false);
		assert_int_equal(sql.len, 0);
		session_add_fresh_start(&sql, &engine, true);
		assert_string_equal(sql.data, "BEGIN;");
	}
	talloc_free(ctx);
}

/* Nothing but what ends with the transaction, but for what undoes. */
static void
test_pooled(void **state)
{
	static const char undo[] = RESET "SET client_encoding = 'UTF8';";
	void *ctx = mem_context(NULL, "test");
	struct text sql;

	(void)state;
	text_init(&sql, ctx, BOUND_SQL);
	session_add_pooled_start(&sql, true);
	assert_ptr_equal(
	    strstr(sql.data, "BEGIN ISOLATION LEVEL READ COMMITTED;"), sql.data);
	const char *rest = strstr(sql.data, undo);
	assert_non_null(rest);
	for (rest += strlen(undo); *rest != '\0'; rest = strchr(rest, ';') + 1)
		assert_int_equal(strncmp(rest, "SET LOCAL ", 10), 0);
	text_reset(&sql);
	session_add_pooled_start(&sql, false);
	assert_null(strstr(sql.data, "BEGIN"));
	text_reset(&sql);
	session_add_pooled_end(&sql);
	assert_string_equal(sql.data,
	    RESET "SET client_encoding = 'UTF8';SET LOCAL synchronous_commit = on;");
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_fresh_start),
		cmocka_unit_test(test_other_engines),
		cmocka_unit_test(test_pooled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
