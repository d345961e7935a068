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
#include "db/engine.h"
#include "pgresult.h"

/* As a server answers both questions. */
static struct engine
read_as(const char *const said[2], const char *forced, const char *const values[10],
    struct err *err)
{
	uv_loop_t loop;
	struct pgconn *conn = NULL;
	PGresult *first = pgresult_make(2, 1, said);
	PGresult *second = pgresult_make(10, 1, values);
	struct engine engine = { 0 };

	assert_int_equal(uv_loop_init(&loop), 0);
	conn = pgconn_new(&loop);
	assert_int_equal(engine_identify(&engine, forced, conn, first, err), 0);
	assert_int_equal(engine_read(&engine, conn, second, err), 0);
	pgconn_close(conn);
	assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&loop), 0);
	PQclear(first);
	PQclear(second);
	return engine;
}

#define POSTGRESQL "PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu"

static struct engine
read_row(const char *const values[10], struct err *err)
{
	return read_as((const char *const[]){ POSTGRESQL, "f" }, NULL, values, err);
}

static void
test_read(void **state)
{
	struct err err = { 0 };
	/* a connection that is not open has the process id 0 */
	struct engine engine =
	    read_row((const char *const[10]){ "150020", "15.20 (Debian)", "0", "app",
			 "public", "f", "off", "" },
		&err);
	struct database_facts facts = { 0 };

	(void)state;
	assert_string_equal(engine.profile->name, "postgresql");
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
	assert_string_equal(facts.engine_note, "");
	assert_null(facts.dialect);
	assert_false(facts.in_recovery);
	assert_false(facts.pooled);
}

static void
test_inherited(void **state)
{
	struct err err = { 0 };
	struct engine engine =
	    read_row((const char *const[10]){ "150020", "15.20", "0", "app", "public",
			 "f", "off", "lock_timeout = 5000ms" },
		&err);

	(void)state;
	assert_string_equal(engine.inherited, "lock_timeout = 5000ms");
	/* names of operators would be looked up in a search_path that is not ours */
	assert_null(strstr(engine_query(&engine)->sql, " IN "));
	assert_null(strstr(engine_query(&engine)->sql, " <> "));
	assert_null(strstr(engine_ask()->sql, " = "));
}

/* What they are recorded to say, and what follows from it. */
static void
test_engines(void **state)
{
	static const struct {
		const char *said[2];
		const char *forced;
		const char *kind;
		const char *yb_ddl;
		const char *name;
		const struct dialect *dialect;
		unsigned can;
		unsigned cannot;
		const char *note;
	} rows[] = {
		{ { POSTGRESQL, "f" }, NULL, NULL, NULL, "postgresql", NULL,
		    ENGINE_ADVISORY | ENGINE_WITNESS | ENGINE_MANY_DDL, ENGINE_JOBS, "" },
		{ { POSTGRESQL, "f" }, NULL, "citus", NULL, "citus", NULL,
		    ENGINE_ADVISORY, 0, "coordinator" },
		{ { POSTGRESQL, "f" }, NULL, "aurora-postgresql", NULL,
		    "aurora-postgresql", NULL, ENGINE_ADVISORY, 0, "" },
		{ { POSTGRESQL, "f" }, NULL, "neon", NULL, "neon", NULL, ENGINE_ADVISORY,
		    0, "" },
		{ { POSTGRESQL, "f" }, NULL, "alloydb", NULL, "alloydb", NULL,
		    ENGINE_ADVISORY, 0, "" },
		{ { "PostgreSQL 16", "t" }, NULL, NULL, NULL, "aurora-dsql",
		    &dialect_dsql, ENGINE_JOBS,
		    ENGINE_ADVISORY | ENGINE_SETTINGS | ENGINE_SERIAL, "lease" },
		/* a schema sys with jobs is not enough, nor is the bare version */
		{ { POSTGRESQL, "t" }, NULL, NULL, NULL, "postgresql", NULL, 0, 0, "" },
		{ { "PostgreSQL 16", "f" }, NULL, NULL, NULL, "postgresql", NULL, 0, 0,
		    "" },
		{ { "PostgreSQL ", "t" }, NULL, NULL, NULL, "postgresql", NULL, 0, 0,
		    "" },
		{ { "PostgreSQL 15.12-YB-2025.1.0.0-b0 on x86_64", "f" }, NULL, NULL,
		    "off", "yugabytedb", &dialect_yugabytedb,
		    ENGINE_ADVISORY | ENGINE_SETTINGS, ENGINE_MANY_DDL,
		    "statement by statement" },
		{ { "PostgreSQL 15.12-YB-2025.2.0.0-b1 on x86_64", "f" }, NULL, NULL,
		    "on", "yugabytedb", NULL, ENGINE_ADVISORY | ENGINE_MANY_DDL, 0,
		    "yb_ddl_transaction_block_enabled is on" },
		{ { "PostgreSQL 11.2-YB-2024.2.1.0-b0 on x86_64", "f" }, NULL, NULL, NULL,
		    "yugabytedb", &dialect_yugabytedb, ENGINE_SETTINGS, ENGINE_ADVISORY,
		    "lease" },
		{ { "CockroachDB CCL v26.3.0 (x86_64-pc-linux-gnu)", "f" }, NULL, NULL,
		    NULL, "cockroachdb", &dialect_cockroachdb, ENGINE_TIMEOUTS,
		    ENGINE_ADVISORY | ENGINE_ACTIVITY, "lease" },
		{ { "PostgreSQL 8.0.2 ... Redshift 1.0.1", "f" }, NULL, NULL, NULL,
		    "postgresql", NULL, ENGINE_ADVISORY, 0,
		    "Redshift is not known here" },
		/* what the operator says counts */
		{ { "PostgreSQL 8.0.2 ... Redshift 1.0.1", "f" }, "cockroachdb", NULL,
		    NULL, "cockroachdb", &dialect_cockroachdb, 0, ENGINE_ADVISORY,
		    "lease" },
		{ { POSTGRESQL, "f" }, "aurora-dsql", NULL, NULL, "aurora-dsql",
		    &dialect_dsql, ENGINE_JOBS, ENGINE_ADVISORY, "lease" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const values[10] = { "160015", "16.15", "0", "app", "public",
			"f", "off", "", rows[i].kind, rows[i].yb_ddl };
		struct err err = { 0 };
		struct engine engine =
		    read_as(rows[i].said, rows[i].forced, values, &err);

		assert_string_equal(engine.profile->name, rows[i].name);
		assert_ptr_equal(engine.dialect, rows[i].dialect);
		assert_int_equal(engine.can & rows[i].can, rows[i].can);
		assert_int_equal(engine.can & rows[i].cannot, 0);
		assert_non_null(strstr(engine.note, rows[i].note));
		assert_string_equal(rows[i].note[0] ? "" : engine.note, "");
		/* those that lack catalogs are asked for nothing of them */
		assert_int_equal(
		    strstr(engine_query(&engine)->sql, "pg_settings") != NULL,
		    engine_can(&engine, ENGINE_CATALOG));
	}
}

static void
test_names(void **state)
{
	size_t n = 0;

	(void)state;
	while (engine_name(n) != NULL)
		n++;
	assert_int_equal(n, 9);
	assert_string_equal(engine_name(0), "postgresql");
}

static void
test_conflict(void **state)
{
	static const struct {
		const char *sqlstate;
		bool conflict;
	} rows[] = { { "40001", true }, { "OC000", true }, { "OC001", true },
		{ "40P01", false }, { "", false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", rows[i].sqlstate);
		assert_int_equal(engine_is_conflict(&err), rows[i].conflict);
	}
}

static void
test_not_an_answer(void **state)
{
	PGresult *none = pgresult_make(10, 0, NULL);
	PGresult *narrow = pgresult_make(1, 1, (const char *const[]){ "150020" });
	struct engine engine = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(engine_read(&engine, NULL, none, &err), -1);
	assert_int_equal(err.category, CAT_INTERNAL);
	assert_int_equal(engine_read(&engine, NULL, narrow, &err), -1);
	assert_int_equal(engine_identify(&engine, NULL, NULL, none, &err), -1);
	assert_int_equal(engine_identify(&engine, NULL, NULL, narrow, &err), -1);
	PQclear(none);
	PQclear(narrow);
}

static void
test_check_writable(void **state)
{
	static const struct {
		const char *values[10];
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
		cmocka_unit_test(test_engines),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_not_an_answer),
		cmocka_unit_test(test_check_writable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
