/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/sqlclass.h"

/*
 * Exactly `len` bytes on the heap, so that a sanitizer sees each look behind the
 * end.
 */
static struct sqlclass
class_of(const char *text)
{
	size_t len = strlen(text);
	char *copy = test_malloc(len > 0 ? len : 1);
	struct sqlclass class;

	memcpy(copy, text, len);
	sqlclass_of(copy, len, &class);
	test_free(copy);
	return class;
}

struct kind_case {
	const char *text;
	enum sqlclass_kind kind;
};

static void
check_kinds(const struct kind_case *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum sqlclass_kind kind = class_of(rows[i].text).kind;

		if (kind != rows[i].kind)
			fail_msg("%s: kind %d", rows[i].text, (int)kind);
	}
}

static void
test_transaction_control(void **state)
{
	static const struct kind_case rows[] = {
		{ "BEGIN", SQLCLASS_BEGIN },
		{ "begin;", SQLCLASS_BEGIN },
		{ "Begin Transaction Isolation Level Serializable;", SQLCLASS_BEGIN },
		{ "/* c */ -- c\n BEGIN;", SQLCLASS_BEGIN },
		{ "START TRANSACTION", SQLCLASS_BEGIN },
		{ "START /* c */ TRANSACTION READ ONLY", SQLCLASS_BEGIN },
		{ "START", SQLCLASS_PLAIN },
		{ "START TRANSACTIONS", SQLCLASS_PLAIN },
		{ "COMMIT", SQLCLASS_COMMIT },
		{ "commit work;", SQLCLASS_COMMIT },
		{ "COMMIT AND NO CHAIN;", SQLCLASS_COMMIT },
		{ "END", SQLCLASS_COMMIT },
		{ "end transaction;", SQLCLASS_COMMIT },
		{ "ROLLBACK", SQLCLASS_ROLLBACK },
		{ "ROLLBACK WORK", SQLCLASS_ROLLBACK },
		{ "ROLLBACK AND NO CHAIN", SQLCLASS_ROLLBACK },
		{ "ABORT TRANSACTION", SQLCLASS_ROLLBACK },
		{ "ROLLBACK TO s", SQLCLASS_PLAIN },
		{ "ROLLBACK TO SAVEPOINT s", SQLCLASS_PLAIN },
		{ "ROLLBACK /* c */ WORK -- c\n TO s", SQLCLASS_PLAIN },
		{ "COMMIT AND CHAIN;", SQLCLASS_TWO_PHASE },
		{ "END TRANSACTION AND CHAIN;", SQLCLASS_TWO_PHASE },
		{ "ROLLBACK AND CHAIN;", SQLCLASS_TWO_PHASE },
		{ "COMMIT PREPARED 'x'", SQLCLASS_TWO_PHASE },
		{ "ROLLBACK PREPARED 'x'", SQLCLASS_TWO_PHASE },
		{ "PREPARE TRANSACTION 'x'", SQLCLASS_TWO_PHASE },
		{ "PREPARE -- c\nTRANSACTION\n$$x$$", SQLCLASS_TWO_PHASE },
		{ "PREPARE TRANSACTION E'x'", SQLCLASS_TWO_PHASE },
		{ "PREPARE transaction AS SELECT 1", SQLCLASS_PLAIN },
		{ "PREPARE transaction (int) AS SELECT $1", SQLCLASS_PLAIN },
		{ "PREPARE commit AS SELECT 1", SQLCLASS_PLAIN },
		{ "PREPARE", SQLCLASS_PLAIN },
		{ "SAVEPOINT commit", SQLCLASS_PLAIN },
		{ "RELEASE SAVEPOINT begin", SQLCLASS_PLAIN },
		{ "SELECT commit FROM rollback", SQLCLASS_PLAIN },
		{ "", SQLCLASS_PLAIN },
		{ "-- COMMIT", SQLCLASS_PLAIN },
		{ "'COMMIT'", SQLCLASS_PLAIN },
		{ "\"commit\"", SQLCLASS_PLAIN },
		{ "COMMITS", SQLCLASS_PLAIN },
		{ "COMMI", SQLCLASS_PLAIN },
		{ "CREATE FUNCTION f() BEGIN ATOMIC END", SQLCLASS_PLAIN },
	};

	(void)state;
	check_kinds(rows, ARRAY_SIZE(rows));
}

/* Each was tried in a transaction of PostgreSQL 15: refused, or not. */
static void
test_what_runs_alone(void **state)
{
	static const struct kind_case rows[] = {
		{ "CREATE INDEX i ON t (x)", SQLCLASS_PLAIN },
		{ "CREATE INDEX \"concurrently\" ON t (x)", SQLCLASS_PLAIN },
		{ "CREATE INDEX CONCURRENTLY i ON t (x)",
		    SQLCLASS_CREATE_INDEX_CONCURRENTLY },
		{ "create /**/ unique index concurrently if not exists i on t(x)",
		    SQLCLASS_CREATE_INDEX_CONCURRENTLY },
		{ "CREATE TABLE t (x int)", SQLCLASS_PLAIN },
		{ "DROP INDEX i", SQLCLASS_PLAIN },
		{ "DROP INDEX CONCURRENTLY i", SQLCLASS_DROP_INDEX_CONCURRENTLY },
		{ "DROP TABLE t", SQLCLASS_PLAIN },
		{ "REINDEX INDEX i", SQLCLASS_PLAIN },
		{ "REINDEX TABLE t", SQLCLASS_PLAIN },
		{ "REINDEX (VERBOSE) INDEX i", SQLCLASS_PLAIN },
		{ "REINDEX (CONCURRENTLY false) TABLE t", SQLCLASS_PLAIN },
		{ "REINDEX (CONCURRENTLY off) TABLE t", SQLCLASS_PLAIN },
		{ "REINDEX (CONCURRENTLY 0) TABLE t", SQLCLASS_PLAIN },
		{ "REINDEX (CONCURRENTLY) TABLE t", SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX (VERBOSE, CONCURRENTLY 1) INDEX i",
		    SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX (CONCURRENTLY, VERBOSE) INDEX i",
		    SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX INDEX CONCURRENTLY i", SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
		    SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX SCHEMA s", SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX (VERBOSE) DATABASE d", SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX SYSTEM d", SQLCLASS_REINDEX_CONCURRENTLY },
		{ "REINDEX", SQLCLASS_PLAIN },
		{ "REINDEX (CONCURRENTLY", SQLCLASS_PLAIN },
		{ "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
		    SQLCLASS_DETACH_CONCURRENTLY },
		{ "ALTER TABLE IF EXISTS ONLY s.t * DETACH PARTITION p FINALIZE",
		    SQLCLASS_DETACH_CONCURRENTLY },
		{ "ALTER TABLE t DETACH PARTITION p", SQLCLASS_PLAIN },
		{ "ALTER TABLE t ADD COLUMN c int", SQLCLASS_PLAIN },
		{ "ALTER TABLE 't' DETACH", SQLCLASS_PLAIN },
		{ "ALTER INDEX i RENAME TO j", SQLCLASS_PLAIN },
		{ "VACUUM", SQLCLASS_VACUUM },
		{ "vacuum (analyze) t;", SQLCLASS_VACUUM },
		{ "ANALYZE t", SQLCLASS_PLAIN },
		{ "CLUSTER", SQLCLASS_VACUUM },
		{ "CLUSTER;", SQLCLASS_VACUUM },
		{ "CLUSTER VERBOSE;", SQLCLASS_VACUUM },
		{ "CLUSTER (VERBOSE);", SQLCLASS_VACUUM },
		{ "CLUSTER t USING i", SQLCLASS_PLAIN },
		{ "CREATE DATABASE d", SQLCLASS_ALONE },
		{ "CREATE TABLESPACE d LOCATION '/x'", SQLCLASS_ALONE },
		{ "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", SQLCLASS_ALONE },
		{ "DROP DATABASE d", SQLCLASS_ALONE },
		{ "DROP TABLESPACE d", SQLCLASS_ALONE },
		{ "DROP SUBSCRIPTION d", SQLCLASS_ALONE },
		{ "ALTER SUBSCRIPTION s REFRESH PUBLICATION", SQLCLASS_ALONE },
		{ "ALTER SYSTEM SET work_mem = 1000", SQLCLASS_ALONE },
		{ "ALTER DATABASE d SET TABLESPACE x", SQLCLASS_ALONE },
		{ "ALTER DATABASE d SET work_mem = 1000", SQLCLASS_PLAIN },
		{ "ALTER DATABASE 'd'", SQLCLASS_PLAIN },
		{ "ALTER TABLESPACE x RENAME TO y", SQLCLASS_PLAIN },
		{ "DISCARD ALL", SQLCLASS_ALONE },
		{ "DISCARD TEMP", SQLCLASS_PLAIN },
		{ "CALL p()", SQLCLASS_PLAIN },
		{ "REFRESH MATERIALIZED VIEW CONCURRENTLY v", SQLCLASS_PLAIN },
	};

	(void)state;
	check_kinds(rows, ARRAY_SIZE(rows));
}

static void
test_do_bodies(void **state)
{
	static const struct kind_case rows[] = {
		{ "DO $$ BEGIN COMMIT; END $$", SQLCLASS_DO_COMMIT },
		{ "DO $x$ BEGIN a; commit; b; END $x$;", SQLCLASS_DO_COMMIT },
		{ "DO $$ BEGIN LOOP a; ROLLBACK; END LOOP; END $$", SQLCLASS_DO_COMMIT },
		{ "DO $$ BEGIN IF a THEN COMMIT AND CHAIN; END IF; END $$",
		    SQLCLASS_DO_COMMIT },
		{ "DO $$ BEGIN IF a THEN b; ELSE COMMIT; END IF; END $$",
		    SQLCLASS_DO_COMMIT },
		{ "DO $$ BEGIN LOOP COMMIT; END LOOP; END $$", SQLCLASS_DO_COMMIT },
		{ "DO LANGUAGE plpgsql $$ BEGIN COMMIT; END $$", SQLCLASS_DO_COMMIT },
		{ "DO LANGUAGE 'plpgsql' 'BEGIN COMMIT; END'", SQLCLASS_DO_COMMIT },
		{ "DO E'BEGIN COMMIT; END' LANGUAGE plpgsql", SQLCLASS_DO_COMMIT },
		{ "DO $$ BEGIN COMMIT", SQLCLASS_PLAIN },
		{ "DO $$ BEGIN NULL; END $$", SQLCLASS_PLAIN },
		{ "DO $$ BEGIN RAISE 'x; COMMIT;'; END $$", SQLCLASS_PLAIN },
		{ "DO 'BEGIN RAISE ''commit;''; END'", SQLCLASS_PLAIN },
		{ "DO $$ BEGIN -- ; COMMIT;\n /* ; COMMIT; */ NULL; END $$",
		    SQLCLASS_PLAIN },
		{ "DO $$ BEGIN EXECUTE $x$; COMMIT; $x$; END $$", SQLCLASS_PLAIN },
		{ "DO $$ DECLARE a int; commit int; BEGIN commit := 1; END $$",
		    SQLCLASS_PLAIN },
		{ "DO $$ BEGIN x := commit; END $$", SQLCLASS_PLAIN },
		{ "DO LANGUAGE plpgsql", SQLCLASS_PLAIN },
		{ "DO;", SQLCLASS_PLAIN },
		{ "CREATE PROCEDURE p() AS $$ BEGIN COMMIT; END $$", SQLCLASS_PLAIN },
	};

	(void)state;
	check_kinds(rows, ARRAY_SIZE(rows));
}

static void
test_copy_and_psql(void **state)
{
	static const struct kind_case rows[] = {
		{ "COPY t FROM stdin", SQLCLASS_COPY_STDIN },
		{ "copy \"s\".t (a, b) from STDIN WITH (FORMAT csv);",
		    SQLCLASS_COPY_STDIN },
		{ "COPY t FROM '/tmp/x'", SQLCLASS_PLAIN },
		{ "COPY t FROM PROGRAM 'stdin'", SQLCLASS_PLAIN },
		{ "COPY t TO STDOUT", SQLCLASS_PLAIN },
		{ "COPY (SELECT 1 FROM stdin) TO STDOUT", SQLCLASS_PLAIN },
		{ "COPY", SQLCLASS_PLAIN },
		{ "SELECT 1 FROM stdin", SQLCLASS_PLAIN },
		{ "\\restrict x", SQLCLASS_META },
		{ "\\", SQLCLASS_META },
	};

	(void)state;
	check_kinds(rows, ARRAY_SIZE(rows));
}

static void
test_names(void **state)
{
#define LONG50 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
	static const struct {
		const char *text;
		const char *schema;
		const char *name;
		const char *table;
		bool if_not_exists;
	} rows[] = {
		{ "CREATE INDEX CONCURRENTLY i ON t (x)", "", "i", "t", false },
		{ "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS I ON ONLY S.T USING b (x)",
		    "s", "i", "t", true },
		{ "CREATE INDEX CONCURRENTLY ON \"S p\".\"T\"\"q\" (x)", "S p", "",
		    "T\"q", false },
		{ "CREATE INDEX CONCURRENTLY i ON d.s.t (x)", "s", "i", "t", false },
		{ "CREATE INDEX CONCURRENTLY i", "", "", "", false },
		{ "CREATE INDEX CONCURRENTLY u&\"i\" ON t", "", "", "", false },
		{ "CREATE INDEX CONCURRENTLY \"open ON t", "", "", "", false },
		{ "CREATE INDEX CONCURRENTLY i ON s.", "", "i", "s", false },
		{ "DROP INDEX CONCURRENTLY IF EXISTS s . i, j;", "s", "i", "", false },
		{ "DROP INDEX CONCURRENTLY \"I\"", "", "I", "", false },
		{ "REINDEX INDEX CONCURRENTLY s.i", "s", "i", "", false },
		{ "REINDEX (CONCURRENTLY) TABLE s.t", "s", "", "t", false },
		{ "REINDEX SCHEMA s", "", "", "", false },
		{ "ALTER TABLE a.t DETACH PARTITION b.p CONCURRENTLY", "b", "p", "t",
		    false },
		{ "ALTER TABLE t DETACH PARTITION p", "", "", "", false },
		{ "ALTER TYPE s.E ADD VALUE IF NOT EXISTS 'x'", "s", "e", "", true },
		{ "ALTER TYPE e RENAME TO f", "", "", "", false },
		/* 63 bytes, and no half of a character */
		{ "DROP INDEX CONCURRENTLY " LONG50 "0123456789ABCDEF", "",
		    LONG50 "0123456789abc", "", false },
		{ "DROP INDEX CONCURRENTLY " LONG50 "0123456789ab\xc3\x84", "",
		    LONG50 "0123456789ab", "", false },
		{ "DROP INDEX CONCURRENTLY \xc3\x84X", "", "\xc3\x84x", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sqlclass class = class_of(rows[i].text);

		assert_string_equal(class.schema, rows[i].schema);
		assert_string_equal(class.name, rows[i].name);
		assert_string_equal(class.table, rows[i].table);
		assert_int_equal(class.if_not_exists, rows[i].if_not_exists);
	}
}

static void
test_what_lasts(void **state)
{
	static const struct {
		const char *text;
		bool adds_enum_value;
		bool sets_session;
	} rows[] = {
		{ "ALTER TYPE e ADD VALUE 'x'", true, false },
		{ "ALTER TYPE s.e ADD VALUE IF NOT EXISTS 'x' BEFORE 'y';", true, false },
		{ "ALTER TYPE e ADD ATTRIBUTE a int", false, false },
		{ "ALTER TYPE e RENAME VALUE 'a' TO 'b'", false, false },
		{ "ALTER TYPE", false, false },
		{ "SET search_path = app", false, true },
		{ "SET SESSION work_mem TO 1000", false, true },
		{ "SET ROLE r", false, true },
		{ "SET LOCAL work_mem TO 1000", false, false },
		{ "SET TRANSACTION READ ONLY", false, false },
		{ "SET CONSTRAINTS ALL DEFERRED", false, false },
		{ "RESET ALL", false, true },
		{ "SELECT pg_catalog.set_config('search_path', '', false);", false,
		    true },
		{ "select set_config('search_path', '', false)", false, true },
		{ "SELECT set_config('search_path', '', true)", false, false },
		{ "SELECT pg_catalog.version()", false, false },
		{ "SELECT 1", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sqlclass class = class_of(rows[i].text);

		if (class.adds_enum_value != rows[i].adds_enum_value ||
		    class.sets_session != rows[i].sets_session ||
		    class.kind != SQLCLASS_PLAIN)
			fail_msg("%s", rows[i].text);
	}
}

static void
test_kinds(void **state)
{
	static const struct {
		enum sqlclass_kind kind;
		bool alone;
		const char *name;
	} rows[] = {
		{ SQLCLASS_PLAIN, false, "a statement" },
		{ SQLCLASS_BEGIN, false, "BEGIN" },
		{ SQLCLASS_COMMIT, false, "COMMIT" },
		{ SQLCLASS_ROLLBACK, false, "ROLLBACK" },
		{ SQLCLASS_TWO_PHASE, false, "PREPARE TRANSACTION" },
		{ SQLCLASS_CREATE_INDEX_CONCURRENTLY, true, "CREATE INDEX CONCURRENTLY" },
		{ SQLCLASS_DROP_INDEX_CONCURRENTLY, true, "DROP INDEX CONCURRENTLY" },
		{ SQLCLASS_REINDEX_CONCURRENTLY, true, "REINDEX" },
		{ SQLCLASS_DETACH_CONCURRENTLY, true, "DETACH PARTITION" },
		{ SQLCLASS_VACUUM, true, "VACUUM" },
		{ SQLCLASS_DO_COMMIT, true, "DO with a COMMIT" },
		{ SQLCLASS_ALONE, true, "this statement" },
		{ SQLCLASS_COPY_STDIN, false, "COPY FROM STDIN" },
		{ SQLCLASS_META, false, "a command of psql" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(sqlclass_is_alone(rows[i].kind), rows[i].alone);
		assert_string_equal(sqlclass_name(rows[i].kind), rows[i].name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transaction_control),
		cmocka_unit_test(test_what_runs_alone),
		cmocka_unit_test(test_do_bodies),
		cmocka_unit_test(test_copy_and_psql),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_what_lasts),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
