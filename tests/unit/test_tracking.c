/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/macros.h"
#include "base/mem.h"
#include "db/tracking.h"
#include "pgresult.h"

#define NAME "\"my schema\".\"a \"\"table\"\"\""

static const struct migration migration = {
	.id = "0001_init",
	.version = "1700000000001",
	.name = "init",
	.file = "0001_init.sql",
	.checksum = "abc",
};

static struct tracking_table
table_of(const struct tracking *kind)
{
	return (struct tracking_table){ kind, "my schema", "a \"table\"" };
}

static void
test_find(void **state)
{
	(void)state;
	assert_ptr_equal(tracking_find("drizzle"), &tracking_drizzle);
	assert_ptr_equal(tracking_find("schema_migrations"), &tracking_schema_migrations);
	assert_ptr_equal(tracking_find("migration_log"), &tracking_migration_log);
	assert_null(tracking_find("auto"));
	assert_null(tracking_find(""));
	assert_string_equal(
	    tracking_names(), "drizzle, schema_migrations, migration_log");
	assert_string_equal(
	    tracking_names(), "drizzle, schema_migrations, migration_log");
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_string_equal(tracking_drizzle.default_schema, "drizzle");
	assert_string_equal(tracking_drizzle.default_table, "__drizzle_migrations");
	assert_string_equal(tracking_drizzle.needs_layout, "drizzle");
	assert_null(tracking_drizzle.record_failure);
	assert_null(tracking_schema_migrations.default_schema);
	assert_string_equal(
	    tracking_schema_migrations.default_table, "schema_migrations");
	assert_null(tracking_schema_migrations.needs_layout);
	assert_null(tracking_migration_log.default_schema);
	assert_string_equal(tracking_migration_log.default_table, "migration_log");
	assert_int_equal(tracking_migration_log.key, HISTORY_BY_FILE);
}

/* ---- statements ---- */

#define SCHEMA "CREATE SCHEMA IF NOT EXISTS \"my schema\";"
#define DRIZZLE                                                        \
	"CREATE TABLE IF NOT EXISTS " NAME " (id SERIAL PRIMARY KEY, " \
	"hash pg_catalog.text NOT NULL, created_at bigint)"
#define SCHEMA_MIGRATIONS                                                              \
	"CREATE TABLE IF NOT EXISTS " NAME " (version pg_catalog.text PRIMARY KEY, "   \
	"name pg_catalog.text NOT NULL, applied_at TIMESTAMP WITH TIME ZONE NOT NULL " \
	"DEFAULT pg_catalog.now())"
#define MIGRATION_LOG                                                          \
	"CREATE TABLE IF NOT EXISTS " NAME " (id SERIAL PRIMARY KEY, "         \
	"step_number INTEGER NOT NULL, description pg_catalog.text NOT NULL, " \
	"sql_executed pg_catalog.text, status VARCHAR(20) DEFAULT 'pending', " \
	"error_message pg_catalog.text, executed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"

static void
test_create(void **state)
{
	static const struct {
		const struct tracking *kind;
		bool schema_exists;
		bool table_exists;
		const char *sql;
	} rows[] = {
		{ &tracking_drizzle, false, false, SCHEMA DRIZZLE },
		{ &tracking_drizzle, true, false, DRIZZLE },
		{ &tracking_drizzle, true, true, "" },
		{ &tracking_schema_migrations, false, false, SCHEMA SCHEMA_MIGRATIONS },
		{ &tracking_schema_migrations, true, false, SCHEMA_MIGRATIONS },
		{ &tracking_schema_migrations, true, true, "" },
		{ &tracking_migration_log, false, false, SCHEMA MIGRATION_LOG },
		{ &tracking_migration_log, true, false, MIGRATION_LOG },
		{ &tracking_migration_log, true, true, "" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tracking_table table = table_of(rows[i].kind);
		const struct tracking_look look = { rows[i].schema_exists,
			rows[i].table_exists, "", false };
		struct pgconn_statement statement =
		    rows[i].kind->create(ctx, &table, &look);

		assert_string_equal(statement.sql, rows[i].sql);
		assert_int_equal(statement.n_params, 0);
	}
	talloc_free(ctx);
}

#define EPOCH(column)                                              \
	"(EXTRACT(EPOCH FROM " column "::pg_catalog.timestamptz) " \
	"OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8"

static void
test_read(void **state)
{
	static const struct {
		const struct tracking *kind;
		const char *sql;
	} rows[] = {
		{ &tracking_drizzle,
		    "SELECT created_at, hash FROM " NAME " ORDER BY id LIMIT 200001" },
		{ &tracking_schema_migrations,
		    "SELECT version, name, " EPOCH(
			"applied_at") " FROM " NAME " ORDER BY version LIMIT 200001" },
		{ &tracking_migration_log,
		    "SELECT description, status, error_message, " EPOCH(
			"executed_at") " FROM " NAME
				       " ORDER BY step_number LIMIT 200001" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tracking_table table = table_of(rows[i].kind);

		assert_string_equal(rows[i].kind->read(ctx, &table).sql, rows[i].sql);
	}
	talloc_free(ctx);
}

#define LOG_VALUES                                                                     \
	"(SELECT COALESCE(pg_catalog.max(m.step_number), 0) OPERATOR(pg_catalog.+) 1 " \
	"FROM " NAME " AS m), $1::pg_catalog.text, "

static void
test_record(void **state)
{
	static const struct {
		const struct tracking *kind;
		const char *sql;
		int n_params;
		const char *params[2];
	} rows[] = {
		{ &tracking_drizzle,
		    "INSERT INTO " NAME " (\"hash\", \"created_at\") "
		    "SELECT $1::pg_catalog.text, $2::pg_catalog.int8 "
		    "WHERE NOT EXISTS (SELECT 1 FROM " NAME " AS t "
		    "WHERE t.created_at OPERATOR(pg_catalog.=) $2::pg_catalog.int8 "
		    "AND t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text)",
		    2, { "abc", "1700000000001" } },
		{ &tracking_schema_migrations,
		    "INSERT INTO " NAME " (version, name) "
		    "SELECT $1::pg_catalog.text, $2::pg_catalog.text "
		    "WHERE NOT EXISTS (SELECT 1 FROM " NAME " AS t "
		    "WHERE t.version::pg_catalog.text OPERATOR(pg_catalog.=) "
		    "$1::pg_catalog.text)",
		    2, { "1700000000001", "init" } },
		{ &tracking_migration_log,
		    "INSERT INTO " NAME
		    " (step_number, description, status) SELECT " LOG_VALUES
		    "'completed' WHERE NOT EXISTS (SELECT 1 FROM " NAME " AS t "
		    "WHERE t.description::pg_catalog.text OPERATOR(pg_catalog.=) "
		    "$1::pg_catalog.text AND t.status::pg_catalog.text "
		    "OPERATOR(pg_catalog.=) 'completed')",
		    1, { "0001_init.sql" } },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tracking_table table = table_of(rows[i].kind);
		struct pgconn_statement statement =
		    rows[i].kind->record(ctx, &table, &migration);

		assert_string_equal(statement.sql, rows[i].sql);
		assert_int_equal(statement.n_params, rows[i].n_params);
		for (int k = 0; k < rows[i].n_params; k++)
			assert_string_equal(statement.params[k], rows[i].params[k]);
	}
	talloc_free(ctx);
}

static void
test_record_failure(void **state)
{
	const struct tracking_table table = table_of(&tracking_migration_log);
	void *ctx = mem_context(NULL, "test");
	struct pgconn_statement statement = tracking_migration_log.record_failure(
	    ctx, &table, &migration, "no 'such' table");

	(void)state;
	assert_string_equal(statement.sql,
	    "INSERT INTO " NAME " (step_number, description, status, error_message) "
	    "SELECT " LOG_VALUES "'failed', $2::pg_catalog.text");
	assert_int_equal(statement.n_params, 2);
	assert_string_equal(statement.params[0], "0001_init.sql");
	assert_string_equal(statement.params[1], "no 'such' table");
	talloc_free(ctx);
}

/* ---- what is there ---- */

static void
test_look(void **state)
{
	const struct tracking_table table = table_of(&tracking_drizzle);
	void *ctx = mem_context(NULL, "test");
	struct pgconn_statement statement = tracking_look(ctx, &table);

	(void)state;
	assert_int_equal(statement.n_params, 3);
	assert_string_equal(statement.params[0], "my schema");
	assert_string_equal(statement.params[1], "a \"table\"");
	assert_string_equal(statement.params[2], "created_at,hash");
	assert_null(strstr(statement.sql, " = "));
	talloc_free(ctx);
}

static void
test_read_look(void **state)
{
	static const struct {
		int n_rows;
		const char *values[4];
		bool schema_exists;
		bool table_exists;
		const char *columns;
		bool guarded;
	} rows[] = {
		{ 1, { "t", "t", "id,hash", "t" }, true, true, ",id,hash,", true },
		{ 1, { "t", "t", "id,hash", "f" }, true, true, ",id,hash,", false },
		{ 1, { "t", "t", NULL, "f" }, true, true, ",,", false },
		{ 1, { "t", "f", NULL, "f" }, true, false, "", false },
		{ 1, { "f", "f", NULL, "f" }, false, false, "", false },
		{ 0, { NULL }, false, false, "", false },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		PGresult *result = pgresult_make(4, rows[i].n_rows, rows[i].values);
		struct tracking_look look;

		tracking_read_look(ctx, result, &look);
		assert_int_equal(look.schema_exists, rows[i].schema_exists);
		assert_int_equal(look.table_exists, rows[i].table_exists);
		assert_string_equal(look.columns, rows[i].columns);
		assert_int_equal(look.guarded, rows[i].guarded);
		PQclear(result);
	}
	talloc_free(ctx);
}

#define A10 "aaaaaaaaaa"

static void
test_guard(void **state)
{
	static const struct {
		const char *table;
		const char *index;
	} rows[] = {
		{ "__drizzle_migrations", "__drizzle_migrations_migrationd_guard" },
		{ "a \"table\"", "a \"\"table\"\"_migrationd_guard" },
		{ A10 A10 A10 A10 "aaaaaa", A10 A10 A10 A10 "aaaaaa_migrationd_guard" },
		{ A10 A10 A10 A10 "aaaaaab", A10 A10 A10 A10 "aaaaaa_migrationd_guard" },
		/* a character of two bytes is not cut in the middle */
		{ A10 A10 A10 A10 "aaaaa\xc3\xa4",
		    A10 A10 A10 A10 "aaaaa_migrationd_guard" },
	};
	static const struct tracking *const without[] = { &tracking_schema_migrations,
		&tracking_migration_log };
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tracking_table table = { &tracking_drizzle, "s",
			rows[i].table };
		const char *made = tracking_guard(ctx, &table).sql;
		const char *removed = tracking_unguard(ctx, &table).sql;
		char *start = mem_printf(ctx,
		    "SET LOCAL lock_timeout = '5s'; CREATE UNIQUE INDEX \"%s\" ON \"s\".",
		    rows[i].index);

		assert_memory_equal(made, start, strlen(start));
		assert_non_null(strstr(made, " (created_at,hash)"));
		assert_string_equal(removed,
		    mem_printf(ctx,
			"SET LOCAL lock_timeout = '5s'; DROP INDEX \"s\".\"%s\"",
			rows[i].index));
	}
	for (size_t i = 0; i < ARRAY_SIZE(without); i++) {
		const struct tracking_table table = table_of(without[i]);

		assert_string_equal(tracking_guard(ctx, &table).sql, "");
		assert_string_equal(tracking_unguard(ctx, &table).sql, "");
	}
	talloc_free(ctx);
}

static void
test_guard_refused(void **state)
{
	const struct tracking_table table = { &tracking_drizzle, "drizzle", "m" };
	struct err err = { 0 };

	(void)state;
	err_set(&err, CAT_SQL_ERROR, "could not create unique index");
	snprintf(err.sqlstate, sizeof(err.sqlstate), "23505");
	snprintf(err.detail, sizeof(err.detail),
	    "Key (created_at, hash)=(1, x) is duplicated.");
	tracking_guard_refused(&table, &err);
	assert_string_equal(err.text,
	    "guard = on, but drizzle.m has a row twice, and so can have no unique index: "
	    "Key (created_at, hash)=(1, x) is duplicated. Delete one of them, and the next "
	    "run makes it");
	err_clear(&err);
	err_set(&err, CAT_PERMISSION_DENIED, "must be owner of table m");
	tracking_guard_refused(&table, &err);
	assert_int_equal(err.category, CAT_PERMISSION_DENIED);
	assert_string_equal(err.text,
	    "guard = on, but its index on drizzle.m could not be made: must be owner of "
	    "table m; the next run tries again");
}

static void
test_check(void **state)
{
	static const struct {
		const struct tracking *kind;
		const char *columns; /* "": no table */
		const char *text;    /* in the error; NULL: fine */
	} rows[] = {
		{ &tracking_drizzle, "", NULL },
		{ &tracking_drizzle, ",id,hash,created_at,", NULL },
		{ &tracking_drizzle, ",created_at,more,hash,id,", NULL },
		{ &tracking_drizzle, ",id,hash,", "has no column \"created_at\"" },
		{ &tracking_drizzle, ",idx,hash,created_at,", "has no column \"id\"" },
		{ &tracking_drizzle, ",xid,hash,created_at,", "has no column \"id\"" },
		{ &tracking_drizzle, ",,", "has no column \"id\"" },
		{ &tracking_drizzle, ",id,hash,created_at,name,applied_at,",
		    "has a column \"name\"" },
		{ &tracking_schema_migrations, ",version,name,applied_at,", NULL },
		{ &tracking_schema_migrations, ",version,dirty,",
		    "has no column \"name\"" },
		{ &tracking_migration_log,
		    ",id,step_number,description,sql_executed,status,error_message,executed_at,",
		    NULL },
		{ &tracking_migration_log, ",step_number,description,status,executed_at,",
		    "has no column \"error_message\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct tracking_table table = table_of(rows[i].kind);
		const struct tracking_look look = { true, *rows[i].columns != '\0',
			rows[i].columns, false };
		struct err err = { 0 };

		assert_int_equal(
		    tracking_check(&table, &look, &err), rows[i].text ? -1 : 0);
		if (!rows[i].text) {
			assert_false(err_is_set(&err));
			continue;
		}
		assert_int_equal(err.category, CAT_CONFIGURATION);
		assert_int_equal(err_http_status(&err), 409);
		assert_int_equal(err_exit_code(&err), EXIT_REFUSED);
		assert_non_null(strstr(err.text, "my schema.a \"table\""));
		assert_non_null(strstr(err.text, rows[i].text));
		assert_string_not_equal(err.hint, "");
	}
}

/* ---- rows ---- */

static struct history *
read_rows(const void *ctx, const struct tracking *kind, int n_fields, int n_rows,
    const char *const *values)
{
	const struct tracking_table table = table_of(kind);
	PGresult *result = pgresult_make(n_fields, n_rows, values);
	struct history *history = NULL;
	struct err err = { 0 };

	assert_int_equal(
	    tracking_read_history(ctx, &table, result, 99, &history, &err), 0);
	PQclear(result);
	assert_true(history->table_exists);
	assert_int_equal(history->key, kind->key);
	assert_int_equal(history->read_at_us, 99);
	assert_int_equal(history->n_rows, n_rows);
	return history;
}

static void
test_rows_drizzle(void **state)
{
	void *ctx = mem_context(NULL, "test");
	const struct history *history = read_rows(ctx, &tracking_drizzle, 2, 4,
	    (const char *const[]){
		"1700000000001", "abc", NULL, "def", "-5", "0", "12x", "1" });
	const struct history_row *row = history->rows;

	(void)state;
	assert_string_equal(row->key, "1700000000001");
	assert_string_equal(row->checksum, "abc");
	assert_null(row->name);
	assert_null(row->error);
	assert_false(row->failed);
	assert_true(row->has_order);
	assert_int_equal(row->order, INT64_C(1700000000001));
	assert_int_equal(row->applied_at_us, 0);
	row++;
	assert_null(row->key);
	assert_string_equal(row->checksum, "def");
	assert_false(row->has_order);
	row++;
	assert_true(row->has_order);
	assert_int_equal(row->order, -5);
	row++;
	assert_false(row->has_order);
	talloc_free(ctx);
}

static void
test_rows_schema_migrations(void **state)
{
	void *ctx = mem_context(NULL, "test");
	const struct history *history = read_rows(ctx, &tracking_schema_migrations, 3, 4,
	    (const char *const[]){ "0003", "add_users", "1700000000123456",
		"20260101120000", "x", "-1", "first", "y", NULL, "1234567890123456789",
		"z", NULL });
	const struct history_row *row = history->rows;

	(void)state;
	assert_string_equal(row->key, "0003");
	assert_string_equal(row->name, "add_users");
	assert_null(row->checksum);
	assert_false(row->failed);
	assert_true(row->has_order);
	assert_int_equal(row->order, 3);
	assert_int_equal(row->applied_at_us, INT64_C(1700000000123456));
	row++;
	assert_int_equal(row->order, INT64_C(20260101120000));
	row++;
	assert_false(row->has_order);
	assert_int_equal(row->applied_at_us, 0);
	row++;
	assert_false(row->has_order);
	talloc_free(ctx);
}

static void
test_rows_migration_log(void **state)
{
	void *ctx = mem_context(NULL, "test");
	const struct history *history = read_rows(ctx, &tracking_migration_log, 4, 4,
	    (const char *const[]){ "043-add.sql", "failed", "no such table", "5",
		"043-add.sql", "completed", NULL, "6", "seed.sql", "pending", NULL, NULL,
		NULL, NULL, NULL, NULL });
	const struct history_row *row = history->rows;

	(void)state;
	assert_string_equal(row->key, "043-add.sql");
	assert_true(row->failed);
	assert_string_equal(row->error, "no such table");
	assert_true(row->has_order);
	assert_int_equal(row->order, 43);
	assert_int_equal(row->applied_at_us, 5);
	row++;
	assert_false(row->failed);
	assert_null(row->error);
	row++;
	assert_true(row->failed);
	assert_false(row->has_order);
	row++;
	assert_null(row->key);
	assert_true(row->failed);
	talloc_free(ctx);
}

static void
test_too_many_rows(void **state)
{
	const struct tracking_table table = table_of(&tracking_drizzle);
	const int n = (int)BOUND_HISTORY_ROWS + 1;
	const char **values = calloc((size_t)n, sizeof(*values));
	PGresult *result = pgresult_make(1, n, values);
	struct history *history = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(
	    tracking_read_history(NULL, &table, result, 0, &history, &err), -1);
	assert_int_equal(err.category, CAT_CONFIGURATION);
	assert_non_null(strstr(err.text, "more than 200000 rows"));
	assert_null(history);
	PQclear(result);
	free(values);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_failure),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_read_look),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_guard_refused),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_rows_drizzle),
		cmocka_unit_test(test_rows_schema_migrations),
		cmocka_unit_test(test_rows_migration_log),
		cmocka_unit_test(test_too_many_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
