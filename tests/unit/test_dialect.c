/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/dialect.h"

/* Statements as the cluster answered them, 2026-09-15 to 2026-10-01. */
static void
test_dsql(void **state)
{
	static const struct {
		const char *sql;
		const char *what; /* NULL: taken */
	} rows[] = {
		{ "CREATE TABLE t (id uuid PRIMARY KEY, n numeric(10, 2) DEFAULT 0)",
		    NULL },
		{ "create index i on t (x)", "CREATE INDEX without ASYNC" },
		{ "CREATE UNIQUE INDEX i ON t (x)", "CREATE INDEX without ASYNC" },
		{ "CREATE INDEX CONCURRENTLY i ON t (x)", "CREATE INDEX CONCURRENTLY" },
		{ "CREATE UNIQUE INDEX CONCURRENTLY i ON t (x)",
		    "CREATE INDEX CONCURRENTLY" },
		{ "CREATE INDEX ASYNC i ON t (x)", NULL },
		{ "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS i ON t (x)", NULL },
		{ "/* once */ CREATE INDEX async ON t (c)", NULL },
		{ "CREATE TEMP TABLE t (id int)", "a temporary or unlogged table" },
		{ "CREATE UNLOGGED TABLE t (id int)", "a temporary or unlogged table" },
		{ "CREATE TABLE t (id bigserial PRIMARY KEY)", "the type serial" },
		{ "CREATE TABLE t (\"serial\" text)", NULL },
		{ "CREATE TABLE t (id int) PARTITION BY RANGE (id)",
		    "a partitioned table" },
		{ "CREATE TABLE t AS SELECT 1", "CREATE TABLE AS" },
		{ "CREATE TYPE mood AS ENUM ('ok')", "this kind of object" },
		{ "CREATE DOMAIN mood AS text CHECK (VALUE = 'ok')", NULL },
		{ "CREATE EXTENSION pgcrypto", "this kind of object" },
		{ "ALTER TYPE mood ADD VALUE 'x'", "a type of one's own" },
		{ "ALTER TABLE t ADD COLUMN c text", NULL },
		{ "ALTER TABLE t ADD COLUMN IF NOT EXISTS c text", NULL },
		{ "ALTER TABLE t ADD COLUMN c text NOT NULL",
		    "a new column with a constraint or DEFAULT" },
		{ "ALTER TABLE t ADD c int DEFAULT 1",
		    "a new column with a constraint or DEFAULT" },
		{ "ALTER TABLE t ADD CONSTRAINT k CHECK (x > 0)",
		    "ADD CONSTRAINT without NOT VALID" },
		{ "ALTER TABLE t ADD CONSTRAINT k CHECK (x > 0) NOT VALID", NULL },
		{ "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX i", NULL },
		{ "ALTER TABLE t ADD PRIMARY KEY (id)",
		    "a key added to a table that is there" },
		{ "ALTER TABLE t VALIDATE CONSTRAINT k",
		    "VALIDATE CONSTRAINT without ASYNC" },
		{ "ALTER TABLE ASYNC t VALIDATE CONSTRAINT k", NULL },
		{ "ALTER TABLE t ALTER COLUMN c TYPE bigint",
		    "a change of a column's type" },
		{ "ALTER TABLE t ALTER COLUMN type SET DEFAULT 1", NULL },
		{ "ALTER TABLE t ALTER c SET DATA TYPE bigint",
		    "a change of a column's type" },
		{ "ALTER TABLE t DROP COLUMN c", NULL },
		{ "ALTER TABLE t RENAME TO u", NULL },
		{ "TRUNCATE t", "TRUNCATE" },
		{ "VACUUM", "VACUUM" },
		{ "DO $$ BEGIN NULL; END $$", "DO" },
		{ "LOCK TABLE t", "LOCK TABLE" },
		{ "SAVEPOINT a", "a savepoint" },
		{ "ROLLBACK TO SAVEPOINT a", "a savepoint" },
		{ "SET statement_timeout = 0", "this setting" },
		{ "SET LOCAL lock_timeout = '1s'", "this setting" },
		{ "SET search_path = app", NULL },
		{ "SELECT pg_advisory_lock(1)", "an advisory lock" },
		{ "SELECT lower('x')", NULL },
		{ "BEGIN ISOLATION LEVEL SERIALIZABLE", "this isolation level" },
		{ "BEGIN ISOLATION LEVEL REPEATABLE READ", NULL },
		{ "BEGIN", NULL },
		{ "BEGIN TRANSACTION", NULL },
		{ "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION" },
		{ "INSERT INTO t VALUES (1)", NULL },
		{ "GRANT SELECT ON t TO app", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct dialect_refusal *refusal =
		    dialect_refuses(&dialect_dsql, rows[i].sql, strlen(rows[i].sql));

		print_message("%s\n", rows[i].sql);
		assert_int_equal(refusal != NULL, rows[i].what != NULL);
		if (refusal == NULL)
			continue;
		assert_string_equal(refusal->what, rows[i].what);
		assert_int_not_equal(refusal->hint[0], '\0');
		/* it is PostgreSQL's own dialect that takes all */
		assert_null(dialect_refuses(NULL, rows[i].sql, strlen(rows[i].sql)));
	}
}

static void
test_others(void **state)
{
	static const struct {
		const struct dialect *dialect;
		const char *sql;
		bool refused;
	} rows[] = {
		{ &dialect_yugabytedb, "DROP INDEX CONCURRENTLY i", true },
		{ &dialect_yugabytedb, "DROP INDEX i", false },
		{ &dialect_yugabytedb, "CREATE INDEX CONCURRENTLY i ON t (x)", false },
		{ &dialect_yugabytedb, "TRUNCATE t", false },
		{ &dialect_cockroachdb, "LISTEN a", true },
		{ &dialect_cockroachdb, "CREATE EXTENSION pgcrypto", true },
		{ &dialect_cockroachdb, "CREATE TYPE r AS RANGE (subtype = int)", true },
		{ &dialect_cockroachdb, "CREATE TYPE e AS ENUM ('a')", false },
		{ &dialect_cockroachdb, "CREATE TABLE t (id serial)", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(dialect_refuses(rows[i].dialect, rows[i].sql,
				     strlen(rows[i].sql)) != NULL,
		    rows[i].refused);
}

static void
test_class(void **state)
{
	static const struct {
		const struct dialect *dialect;
		const char *sql;
		enum sqlclass_kind kind;
		const char *name;
		const char *table;
	} rows[] = {
		{ NULL, "CREATE TABLE t (id int)", SQLCLASS_PLAIN, "", "" },
		{ NULL, "CREATE INDEX ASYNC i ON t (x)", SQLCLASS_PLAIN, "", "" },
		{ &dialect_dsql, "CREATE TABLE t (id int)", SQLCLASS_DDL, "", "" },
		{ &dialect_dsql, "GRANT SELECT ON t TO a", SQLCLASS_DDL, "", "" },
		{ &dialect_dsql, "INSERT INTO t VALUES (1)", SQLCLASS_PLAIN, "", "" },
		{ &dialect_dsql, "BEGIN", SQLCLASS_BEGIN, "", "" },
		{ &dialect_dsql, "CREATE INDEX ASYNC i ON s.t (x)",
		    SQLCLASS_CREATE_INDEX_ONLINE, "i", "t" },
		{ &dialect_dsql, "CREATE UNIQUE INDEX ASYNC IF NOT EXISTS I ON t (x)",
		    SQLCLASS_CREATE_INDEX_ONLINE, "i", "t" },
		{ &dialect_dsql, "CREATE INDEX async ON t (x)",
		    SQLCLASS_CREATE_INDEX_ONLINE, "", "t" },
		{ &dialect_dsql, "CREATE UNIQUE VIEW", SQLCLASS_DDL, "", "" },
		{ &dialect_dsql, "ALTER TABLE t ADD c int", SQLCLASS_DDL, "", "" },
		{ &dialect_cockroachdb, "CREATE INDEX async ON t (x)",
		    SQLCLASS_CREATE_INDEX_ONLINE, "async", "t" },
		{ &dialect_cockroachdb, "CREATE INDEX CONCURRENTLY i ON t (x)",
		    SQLCLASS_CREATE_INDEX_CONCURRENTLY, "i", "t" },
		{ &dialect_yugabytedb, "ALTER TYPE e ADD VALUE 'x'", SQLCLASS_DDL, "e",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sqlclass class;

		dialect_class(rows[i].dialect, rows[i].sql, strlen(rows[i].sql), &class);
		print_message("%s\n", rows[i].sql);
		assert_int_equal(class.kind, rows[i].kind);
		assert_string_equal(class.name, rows[i].name);
		assert_string_equal(class.table, rows[i].table);
		assert_false(class.adds_enum_value);
		assert_int_equal(sqlclass_is_alone(class.kind),
		    class.kind != SQLCLASS_PLAIN && class.kind != SQLCLASS_BEGIN);
		assert_non_null(sqlclass_name(class.kind));
	}
}

/* One of another kind stays what it is. */
static void
test_not_an_index(void **state)
{
	static const char *const rows[] = { "DROP INDEX i", "CREATE TABLE t (id int)" };
	struct sqlclass class = { .kind = SQLCLASS_DDL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sqlclass_of_index(rows[i], strlen(rows[i]), true, &class);
		assert_int_equal(class.kind, SQLCLASS_DDL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dsql),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_not_an_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
