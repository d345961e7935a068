/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/script.h"
#include "scratch.h"

#define MARKER "--> statement-breakpoint"

static struct migration *
migration_of(const void *ctx, const char *text)
{
	struct migration *m = mem_zero(ctx, struct migration);

	m->id = "0001_a";
	m->file = "0001_a.sql";
	migration_set_text(m, m, text, strlen(text), MARKER);
	assert_null(m->problem);
	return m;
}

static struct script *
script_of(const void *ctx, const char *text)
{
	return script_build(ctx, migration_of(ctx, text), NULL);
}

/* "plain", "problem", or the numbers of the statements: [of a transaction], (alone). */
static char *
show(const void *ctx, const struct script *script)
{
	char *text = mem_strdup(ctx, "");

	if (script->problem != NULL)
		return mem_strdup(ctx, "problem");
	if (script->plain)
		return mem_strdup(ctx, "plain");
	for (size_t i = 0; i < script->n_segments; i++) {
		const struct script_segment *segment = &script->segments[i];

		assert_in_range(segment->n, 1, segment->transactional ? SIZE_MAX : 1);
		text = mem_printf(ctx, "%s%s%s", text, i > 0 ? " " : "",
		    segment->transactional ? "[" : "(");
		if (segment->modes != NULL)
			text = mem_printf(ctx, "%s%.*s: ", text, (int)segment->modes_len,
			    segment->modes);
		for (size_t k = 0; k < segment->n; k++)
			text = mem_printf(ctx, "%s%s%u", text, k > 0 ? " " : "",
			    script->statements[segment->first + k].number);
		text = mem_printf(ctx, "%s%s", text, segment->transactional ? "]" : ")");
	}
	return text;
}

struct script_case {
	const char *text;
	const char *expected; /* see show */
};

static void
check_scripts(const void *ctx, const struct script_case *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *got = show(ctx, script_of(ctx, rows[i].text));

		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("%s: %s", rows[i].text, got);
	}
}

static void
test_plain(void **state)
{
	static const struct script_case rows[] = {
		{ "", "plain" },
		{ "-- nothing", "plain" },
		{ "CREATE TABLE a (); INSERT INTO a DEFAULT VALUES;", "plain" },
		{ "a;\n" MARKER "\nb;\n" MARKER "\n", "plain" },
		{ "SELECT 'COMMIT'; SAVEPOINT a; ROLLBACK TO a;", "plain" },
		{ "DO $$ BEGIN NULL; END $$;", "plain" },
		{ "CREATE INDEX i ON t (x);", "plain" },
		{ "CALL p();", "plain" },
		{ "-- migrationd: transaction\nCREATE TABLE a ();", "plain" },
		{ "-- migrationd: no-transaction\n", "plain" },
		/* left to the server to judge */
		{ "SELECT 'a; COMMIT;", "plain" },
		{ "SELECT 1; SELECT (1;", "plain" },
		{ "SELECT 1;\n" MARKER "\n/* open", "plain" },
	};

	check_scripts(*state, rows, ARRAY_SIZE(rows));
}

/* Where each DDL statement is a transaction of its own. */
static void
test_dialect(void **state)
{
	static const struct script_case rows[] = {
		{ "INSERT INTO a VALUES (1); UPDATE a SET x = 2;", "plain" },
		{ "CREATE TABLE a (x int);", "(1)" },
		{ "CREATE TABLE a (x int); CREATE TABLE b (x int);\n" MARKER
		  "\nINSERT INTO a VALUES (1); INSERT INTO b VALUES (1);\n"
		  "CREATE INDEX ASYNC i ON a (x);",
		    "(1) (2) [3 4] (5)" },
		{ "SET search_path = app; CREATE TABLE a (x int);", "[1] (2)" },
		{ "BEGIN ISOLATION LEVEL REPEATABLE READ; INSERT INTO a VALUES (1); COMMIT;",
		    "[2]" },
		{ "TRUNCATE a;", "problem" },
		{ "-- migrationd: unchecked\nTRUNCATE a;", "(1)" },
		{ "BEGIN; CREATE TABLE a (x int); COMMIT;", "problem" },
		{ "-- migrationd: transaction\nCREATE TABLE a (x int);", "problem" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct script *script = script_build(
		    *state, migration_of(*state, rows[i].text), &dialect_dsql);

		print_message("%s\n", rows[i].text);
		assert_string_equal(show(*state, script), rows[i].expected);
	}
}

/* What is refused, where, why, and the two ways out. */
static void
test_dialect_says(void **state)
{
	const struct script *script = script_build(
	    *state, migration_of(*state, "SELECT 1;\nTRUNCATE a;"), &dialect_dsql);

	assert_string_equal(script->problem->text,
	    "Aurora DSQL does not take TRUNCATE (seen 2026-10; \"-- migrationd: "
	    "unchecked\" in the first line tries all the same)");
	assert_int_equal(script->problem->line, 2);
	assert_non_null(strstr(script->problem->hint, "DELETE the rows"));
	assert_int_equal(err_exit_code(script->problem), EXIT_REFUSED);
	script = script_build(*state,
	    migration_of(*state, "BEGIN; CREATE TABLE a (x int); COMMIT;"),
	    &dialect_dsql);
	assert_string_equal(script->problem->text,
	    "a statement of DDL is a transaction by itself on Aurora DSQL, and the file "
	    "begins another");
}

static void
test_what_runs_alone(void **state)
{
	static const struct script_case rows[] = {
		{ "VACUUM", "(1)" },
		{ "a; b; CREATE INDEX CONCURRENTLY i ON a (x); c; d", "[1 2] (3) [4 5]" },
		{ "VACUUM; VACUUM; a;", "(1) (2) [3]" },
		{ "a;\n" MARKER "\nDROP INDEX CONCURRENTLY i;\n" MARKER "\nb;\n" MARKER
		  "\nc;",
		    "[1] (2) [3 4]" },
		{ "DO $$ BEGIN COMMIT; END $$; a;", "(1) [2]" },
		{ "-- migrationd: no-transaction\na; b; CALL c();", "(1) (2) (3)" },
		/* the file's own transactions are kept all the same */
		{ "-- no-transaction\na; BEGIN; b; c; COMMIT; d;", "(1) [3 4] (6)" },
	};

	check_scripts(*state, rows, ARRAY_SIZE(rows));
}

static void
test_begin_and_commit(void **state)
{
	static const struct script_case rows[] = {
		{ "BEGIN; a; b; COMMIT;", "[2 3]" },
		{ "START TRANSACTION; a; END", "[2]" },
		{ "a; BEGIN; b; COMMIT; c; d; BEGIN; e; COMMIT;", "[1 3] [5 6 8]" },
		/* a COMMIT alone is how Drizzle's users get out of its transaction */
		{ "COMMIT;\n" MARKER "\nCREATE INDEX CONCURRENTLY i ON t (x);\n" MARKER
		  "\nBEGIN;",
		    "(2)" },
		{ "a; COMMIT; SET lock_timeout = 0; VACUUM; BEGIN; b;",
		    "[1] [3] (4) [6]" },
		/* warnings of the server's */
		{ "BEGIN; a; BEGIN; b; COMMIT; c; COMMIT;", "[2 4] [6]" },
		{ "COMMIT; COMMIT;", "" },
		{ "BEGIN; COMMIT;", "" },
		/* modes */
		{ "BEGIN ISOLATION LEVEL SERIALIZABLE; a; COMMIT; b;",
		    "[ISOLATION LEVEL SERIALIZABLE: 2] [4]" },
		{ "BEGIN TRANSACTION /* c */ READ WRITE; a; COMMIT; BEGIN WORK; b;",
		    "[READ WRITE: 2] [5]" },
		{ "a; BEGIN READ WRITE; b;", "[1] [READ WRITE: 3]" },
		{ "BEGIN", "" },
		{ "-- migrationd: transaction\nBEGIN; a; b; COMMIT;", "[2 3]" },
		{ "-- migrationd: transaction\na; BEGIN; b; COMMIT;", "[1 3]" },
	};

	check_scripts(*state, rows, ARRAY_SIZE(rows));
}

static void
test_enum_values(void **state)
{
	static const struct script_case rows[] = {
		{ "ALTER TYPE e ADD VALUE 'x';", "plain" },
		{ "ALTER TYPE e ADD VALUE 'x'; ALTER TYPE e ADD VALUE 'y' AFTER 'x';",
		    "plain" },
		{ "ALTER TYPE e ADD VALUE 'xyz'; CREATE TABLE t ();", "plain" },
		{ "ALTER TYPE e ADD VALUE 'xyz'; SELECT e_1, _e, \xc3\xa4"
		  "e, e9, e$;",
		    "plain" },
		{ "INSERT INTO t VALUES ('xyz'); ALTER TYPE e_1 ADD VALUE 'xyz';",
		    "plain" },
		/* the value, or the type that may hold it */
		{ "a; ALTER TYPE e_1 ADD VALUE 'xyz'; b; INSERT INTO t VALUES ('xyz');",
		    "[1 2] [3 4]" },
		{ "ALTER TYPE e_1 ADD VALUE 'xyz';\n" MARKER "\nb;\n" MARKER
		  "\nUPDATE t SET a = '{XYZ}';",
		    "[1] [2 3]" },
		{ "ALTER TYPE \"e_1\" ADD VALUE 'xyz'; ALTER TABLE t ALTER c TYPE E_1;",
		    "[1] [2]" },
		{ "ALTER TYPE e_1 ADD VALUE 'abc'; ALTER TYPE e_1 ADD VALUE 'xyz'; "
		  "SELECT 'abc';",
		    "[1 2] [3]" },
		{ "ALTER TYPE e_1 ADD VALUE 'abc'; b; ALTER TYPE e_2 ADD VALUE 'xyz'; "
		  "SELECT 'xyz';",
		    "[1 2 3] [4]" },
		/* not understood: as if used */
		{ "ALTER TYPE e_1 ADD VALUE E'x\\yz'; b;", "[1] [2]" },
		{ "ALTER TYPE e_1 ADD VALUE; b;", "[1] [2]" },
		{ "ALTER TYPE e_1 ADD VALUE 'xyz'; BEGIN; SELECT 'xyz'; COMMIT;",
		    "[1] [3]" },
		/* one transaction was asked for */
		{ "BEGIN; ALTER TYPE e ADD VALUE 'xyz'; SELECT 'xyz'; COMMIT;", "[2 3]" },
		{ "-- migrationd: transaction\n"
		  "ALTER TYPE e ADD VALUE 'xyz'; SELECT 'xyz';",
		    "plain" },
		{ "ALTER TYPE e_1 ADD VALUE 'xyz'; VACUUM; SELECT 'xyz'", "[1] (2) [3]" },
	};

	check_scripts(*state, rows, ARRAY_SIZE(rows));
}

static void
test_psql_files(void **state)
{
	static const char text[] = "\\restrict abc\n"
				   "SET a = 1;\n"
				   "COPY t (x) FROM stdin;\n"
				   "1;\n"
				   "it's\n"
				   "\\.\n"
				   "\n"
				   "SELECT 1;\n"
				   "\\unrestrict abc\n";
	struct script *script = script_of(*state, text);
	const struct script_statement *copy;

	assert_string_equal(show(*state, script), "[2 3 4]");
	assert_int_equal(script->n_statements, 3);
	copy = &script->statements[1];
	assert_int_equal(copy->class.kind, SQLCLASS_COPY_STDIN);
	assert_string_equal(
	    mem_strndup(*state, copy->text, copy->len), "COPY t (x) FROM stdin;");
	assert_string_equal(
	    mem_strndup(*state, copy->data, copy->data_len), "1;\nit's\n");
	assert_null(script->statements[0].data);

	/* nothing but a command, nothing to copy */
	assert_string_equal(show(*state, script_of(*state, "\\restrict")), "");
	script = script_of(*state, "COPY t FROM stdin");
	assert_string_equal(show(*state, script), "[1]");
	assert_non_null(script->statements[0].data);
	assert_int_equal(script->statements[0].data_len, 0);
}

static void
test_a_statement_knows_its_place(void **state)
{
	static const char text[] =
	    "SELECT 1;\n" MARKER "\n  VACUUM;\n\nSELECT 2\n" MARKER "\n";
	struct migration *m = migration_of(*state, text);
	struct script *script = script_build(*state, m, NULL);
	const struct script_statement *second, *third;
	char hex[DIGEST_HEX], expected[DIGEST_HEX];

	assert_string_equal(show(*state, script), "[1] (2) [3]");
	second = &script->statements[1];
	third = &script->statements[2];
	assert_int_equal(second->part, 1);
	assert_ptr_equal(m->parts[1].text + second->offset, second->text);
	assert_string_equal(mem_strndup(*state, second->text, second->len), "VACUUM;");
	assert_string_equal(mem_strndup(*state, third->text, third->len), "SELECT 2");
	script_digest(second, hex);
	digest_sha256_hex("VACUUM;", 7, expected);
	assert_string_equal(hex, expected);
}

static void
test_what_a_segment_begins_with(void **state)
{
	static const char file[] =
	    "SET search_path = app; SET LOCAL a = 1; VACUUM;"
	    "BEGIN READ WRITE; RESET ROLE; COMMIT; SELECT 1\n" MARKER "\nVACUUM";
	static const char *const expected[] = {
		"",
		"SET search_path = app;;\n",
		"SET TRANSACTION READ WRITE;\nSET search_path = app;;\n",
		"SET search_path = app;;\nRESET ROLE;;\n",
		"SET search_path = app;;\nRESET ROLE;;\n",
	};
	struct script *script = script_of(*state, file);
	struct text sql;

	assert_string_equal(show(*state, script), "[1 2] (3) [READ WRITE: 5] [7] (8)");
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		text_init(&sql, *state, BOUND_SQL);
		script_add_opening(script, i, &sql);
		assert_string_equal(sql.data, expected[i]);
	}
}

static void
test_problems(void **state)
{
	static const struct {
		const char *text;
		const char *message;
		unsigned line;
		unsigned statement;
	} rows[] = {
		{ "SELECT 1;\n\nROLLBACK;",
		    "ROLLBACK would undo what the file has done before", 3, 2 },
		{ "BEGIN; a; ABORT;", "ROLLBACK would undo what the file has done before",
		    1, 3 },
		{ "a;\nPREPARE TRANSACTION 'x';",
		    "the file's transaction cannot end in two phases or in a chain", 2,
		    2 },
		{ "a;\n\\connect other\nb;", "\\connect is a command of psql, not SQL", 2,
		    2 },
		{ "\\i other.sql;", "\\i is a command of psql, not SQL", 1, 1 },
		{ "\\", "\\ is a command of psql, not SQL", 1, 1 },
		{ "\\.\n", "\\. is a command of psql, not SQL", 1, 1 },
		{ "\\abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
		    "\\abcdefghijklmnopqrstuvwxyzabcde is a command of psql, not SQL", 1,
		    1 },
		{ "COPY t FROM stdin; SELECT 1;\n1\n\\.\n",
		    "the data of COPY begin in the next line, and more stands on this "
		    "one",
		    1, 1 },
		{ "BEGIN;\nCREATE INDEX CONCURRENTLY i ON t (x);\nCOMMIT;",
		    "CREATE INDEX CONCURRENTLY cannot run in the transaction that the "
		    "file begins",
		    2, 2 },
		{ "-- migrationd: transaction\nVACUUM;",
		    "VACUUM cannot run in the one transaction that the file asks for", 2,
		    1 },
		{ "-- migrationd: transaction\na;\nCOMMIT;\nb;",
		    "the file asks for one transaction, and ends it before this", 4, 3 },
		{ "a;\n-- migrationd: transaction\n",
		    "a directive stands behind the first statement", 2, 0 },
		{ "-- migrationd: transation\n", "unknown directive \"transation\"", 1,
		    0 },
		/* half of it would be committed before the server sees the rest */
		{ "a; COMMIT;\n" MARKER "\nSELECT 'open; b;",
		    "the file ends within this statement", 3, 3 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script *script = script_of(*state, rows[i].text);
		const struct err *err = script->problem;

		if (err == NULL)
			fail_msg("%s: no problem", rows[i].text);
		assert_string_equal(err->text, rows[i].message);
		assert_int_equal(err->line, rows[i].line);
		assert_int_equal(err->statement, rows[i].statement);
		assert_int_equal(err_exit_code(err), EXIT_REFUSED);
		assert_string_equal(err->file, "0001_a.sql");
		assert_string_equal(err->migration, "0001_a");
		assert_string_not_equal(err->hint, "");
		assert_in_range(err->category, CAT_SQL_SYNTAX_ERROR, CAT_SQL_ERROR);
	}
}

/* `n` times the statement, and what stands before. */
static char *
repeat(const void *ctx, const char *before, const char *statement, size_t n)
{
	struct text text;

	text_init(&text, ctx, BOUND_FILE_BYTES);
	text_add(&text, before);
	for (size_t i = 0; i < n; i++)
		text_add(&text, statement);
	assert_false(text_failed(&text));
	return text.data;
}

static void
test_bounds(void **state)
{
	const size_t n = BOUND_SCRIPT_STATEMENTS;
	const size_t settings = BOUND_SCRIPT_SETTINGS / 8;
	const char *value = "ALTER TYPE e ADD VALUE 'x';";
	const struct {
		char *text;
		const char *expected;
	} rows[] = {
		{ repeat(*state, "", "a;\n", n + 1), "plain" },
		{ repeat(*state, "COMMIT;", "a;\n", n), NULL },
		{ repeat(*state, "COMMIT;", "a;\n", n + 1), "problem" },
		{ repeat(*state, "-- no-transaction\n", "a;\n", n + 1), "problem" },
		{ repeat(*state, repeat(*state, "", "a;\n", n), value, 3), "plain" },
		{ repeat(*state, "", "SET a=1;", settings + 1), "plain" },
		{ repeat(*state, "COMMIT;", "SET a=1;", settings), NULL },
		{ repeat(*state, "COMMIT;", "SET a=1;", settings + 1), "problem" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script *script = script_of(*state, rows[i].text);

		if (rows[i].expected != NULL)
			assert_string_equal(show(*state, script), rows[i].expected);
		else
			assert_true(script->problem == NULL && !script->plain);
		talloc_free(script);
	}
}

/* A plan is made anew with each look at the status. */
static void
test_small_files_are_quick(void **state)
{
	struct migration *m = migration_of(*state,
	    "CREATE TABLE a (id bigint PRIMARY KEY, b text NOT NULL);\n" MARKER "\n"
	    "ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES c (d);\n");
	int64_t start_us = clock_mono_us();

	for (int i = 0; i < 1000; i++)
		assert_true(script_build(m, m, NULL)->plain);
	/* 6 ms is what it takes without a sanitizer */
	assert_true(clock_mono_us() - start_us < 2000000);
}

/* What a layout knows of its tool's own words; our directive in the file counts more. */
static void
test_a_layout_asks_for_no_transaction(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "SELECT 1; SELECT 2;", "(1) (2)" },
		{ "-- migrationd: transaction\nSELECT 1; SELECT 2;", "plain" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration *m = migration_of(*state, rows[i].text);

		m->no_transaction = true;
		assert_string_equal(
		    show(*state, script_build(*state, m, NULL)), rows[i].shown);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_plain),
		SCRATCH_TEST(test_dialect),
		SCRATCH_TEST(test_dialect_says),
		SCRATCH_TEST(test_what_runs_alone),
		SCRATCH_TEST(test_begin_and_commit),
		SCRATCH_TEST(test_enum_values),
		SCRATCH_TEST(test_psql_files),
		SCRATCH_TEST(test_a_statement_knows_its_place),
		SCRATCH_TEST(test_what_a_segment_begins_with),
		SCRATCH_TEST(test_problems),
		SCRATCH_TEST(test_bounds),
		SCRATCH_TEST(test_a_layout_asks_for_no_transaction),
		SCRATCH_TEST(test_small_files_are_quick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
