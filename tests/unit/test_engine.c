/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/engine.h"
#include "pgresult.h"

static struct engine
read_row(const char *const values[8], struct err *err)
{
	uv_loop_t loop;
	struct pgconn *conn = NULL;
	PGresult *result = pgresult_make(8, 1, values);
	struct engine engine = { 0 };

	assert_int_equal(uv_loop_init(&loop), 0);
	conn = pgconn_new(&loop);
	assert_int_equal(engine_read(&engine, conn, result, err), 0);
	pgconn_close(conn);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	PQclear(result);
	return engine;
}

static void
test_read(void **state)
{
	struct err err = { 0 };
	/* a connection that is not open has the process id 0 */
	struct engine engine = read_row((const char *const[]){ "150020", "15.20 (Debian)",
					    "0", "app", "public", "f", "off", "" },
	    &err);
	struct database_facts facts = { 0 };

	(void)state;
	assert_string_equal(engine.name, "postgresql");
	assert_int_equal(engine.version, 150020);
	assert_string_equal(engine.version_text, "15.20 (Debian)");
	assert_string_equal(engine.database, "app");
	assert_string_equal(engine.current_schema, "public");
	assert_false(engine.in_recovery);
	assert_false(engine.read_only);
	assert_false(engine.pooled);
	assert_string_equal(engine.inherited, "");
	assert_int_equal(engine_check_writable(&engine, &err), 0);

	engine_to_facts(&engine, &facts);
	assert_string_equal(facts.name, "app");
	assert_string_equal(facts.server_version, "15.20 (Debian)");
	assert_string_equal(facts.engine, "postgresql");
	assert_false(facts.in_recovery);
	assert_false(facts.pooled);
}

static void
test_inherited(void **state)
{
	struct err err = { 0 };
	struct engine engine =
	    read_row((const char *const[]){ "150020", "15.20", "0", "app", "public", "f",
			 "off", "lock_timeout = 5000ms" },
		&err);

	(void)state;
	assert_string_equal(engine.inherited, "lock_timeout = 5000ms");
	/* names of operators would be looked up in a search_path that is not ours */
	assert_null(strstr(engine_query()->sql, " IN "));
	assert_null(strstr(engine_query()->sql, " <> "));
}

static void
test_not_an_answer(void **state)
{
	PGresult *none = pgresult_make(8, 0, NULL);
	PGresult *narrow = pgresult_make(1, 1, (const char *const[]){ "150020" });
	struct engine engine;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(engine_read(&engine, NULL, none, &err), -1);
	assert_int_equal(err.category, CAT_INTERNAL);
	assert_int_equal(engine_read(&engine, NULL, narrow, &err), -1);
	PQclear(none);
	PQclear(narrow);
}

static void
test_check_writable(void **state)
{
	static const struct {
		const char *values[8];
		enum category category;
		const char *sqlstate;
		const char *text;
		const char *hint;
	} rows[] = {
		{ { "150020", "15.20", "0", "app", "", "t", "on", "" }, CAT_NETWORK_ERROR,
		    "25006", "standby", "target_session_attrs=read-write" },
		{ { "150020", "15.20", "0", "app", "", "f", "on", "" }, CAT_NETWORK_ERROR,
		    "25006", "read only", "default_transaction_read_only" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		struct engine engine = read_row(rows[i].values, &err);

		assert_int_equal(engine_check_writable(&engine, &err), -1);
		assert_int_equal(err.category, rows[i].category);
		assert_string_equal(err.sqlstate, rows[i].sqlstate);
		assert_non_null(strstr(err.text, rows[i].text));
		assert_non_null(strstr(err.hint, rows[i].hint));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_inherited),
		cmocka_unit_test(test_not_an_answer),
		cmocka_unit_test(test_check_writable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
