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
#include "core/resume.h"

/* Segments 0 (statements 1 and 2), 1 (3, alone), 2 (4). */
#define MIXED                                     \
	"CREATE TABLE a (x int);\n"               \
	"INSERT INTO a VALUES (1);\n"             \
	"CREATE INDEX CONCURRENTLY i ON a (x);\n" \
	"INSERT INTO a VALUES (2);\n"

struct world {
	void *ctx;
	struct migration m;
	struct script *script;
};

static struct world
make(const char *text)
{
	void *ctx = mem_context(NULL, "test");
	struct world world = { .ctx = ctx,
		.m = {
		    .id = "0007_mixed", .version = "0007", .file = "0007_mixed.sql" } };

	migration_set_text(&world.m, ctx, text, strlen(text), NULL);
	world.script = script_build(ctx, &world.m, NULL);
	assert_null(world.script->problem);
	return world;
}

/* What the journal says: a letter for each statement. */
static size_t
read_rows(const struct world *world, const char *letters, struct resume_row *rows)
{
	size_t n = 0;

	for (size_t i = 0; letters[i]; i++) {
		if (letters[i] == '-') /* no row */
			continue;
		rows[n] = (struct resume_row){ .number = (unsigned)i + 1,
			.finished = letters[i] == 'd' || letters[i] == 'D' };
		script_digest(&world->script->statements[i], rows[n].digest);
		if (letters[i] == 'D' || letters[i] == 'B') /* of another text */
			rows[n].digest[0] ^= 1;
		n++;
	}
	return n;
}

static const struct {
	const char *name;
	const char *rows; /* d done, b begun, D and B of another text, - none */
	size_t segment;
	bool unknown;
	unsigned changed; /* the statement that is another now; 0: none */
} cases[] = {
	{ "nothing ran", "----", 0, false, 0 },
	{ "the first transaction", "dd--", 1, false, 0 },
	{ "the one alone was begun", "ddb-", 1, true, 0 },
	{ "the one alone is done", "ddd-", 2, false, 0 },
	{ "all ran, the row is missing", "dddd", 3, false, 0 },
	{ "half a transaction is none", "d---", 0, false, 0 },
	{ "behind a hole", "--d-", 0, false, 0 },
	{ "what ran is another now", "Dd--", 0, false, 1 },
	{ "what ran, further down", "dddD", 0, false, 4 },
	{ "what was begun is another now", "ddB-", 0, false, 3 },
	{ "behind what was begun", "ddbD", 1, true, 0 },
};

static void
test_find(void **state UNUSED)
{
	struct world world = make(MIXED);

	assert_int_equal(world.script->n_segments, 3);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct resume_row rows[4];
		struct resume found = { 99, false };
		struct err err = { 0 };
		size_t n = read_rows(&world, cases[i].rows, rows);

		print_message("%s\n", cases[i].name);
		if (cases[i].changed) {
			assert_int_equal(resume_find(world.script, &world.m, false, rows,
					     n, &found, &err),
			    -1);
			assert_int_equal(err.category, CAT_CHECKSUM_MISMATCH);
			assert_int_equal(err.statement, cases[i].changed);
			assert_int_equal(err.line, cases[i].changed);
			assert_int_equal(found.segment, 99);
			continue;
		}
		assert_int_equal(
		    resume_find(world.script, &world.m, false, rows, n, &found, &err), 0);
		assert_false(err_is_set(&err));
		assert_int_equal(found.segment, cases[i].segment);
		assert_int_equal(found.unknown, cases[i].unknown);
	}
	talloc_free(world.ctx);
}

/* Each answer that may be given is there for programs and in words; which depends on whether it
 * is done. */
static void
test_changed(void **state UNUSED)
{
	struct world world = make(MIXED);
	struct resume_row rows[4];
	struct resume found;
	struct err err = { 0 };

	assert_int_equal(resume_find(world.script, &world.m, false, rows,
			     read_rows(&world, "ddD-", rows), &found, &err),
	    -1);
	assert_string_equal(
	    err.text, "statement 3 ran already, but it is another one now");
	assert_string_equal(err.answers, "pending");
	assert_string_equal(err.hint,
	    "put the statements that ran back as they were, or begin the file anew by POST "
	    "/repair (\"pending\"); then POST /apply");
	assert_int_equal(err_http_status(&err), 409);
	assert_int_equal(err_exit_code(&err), EXIT_REFUSED);
	assert_string_equal(err.migration, "0007_mixed");
	assert_string_equal(err.file, "0007_mixed.sql");
	assert_string_equal(err.excerpt, "CREATE INDEX CONCURRENTLY i ON a (x);");

	err_clear(&err);
	assert_int_equal(resume_find(world.script, &world.m, false, rows,
			     read_rows(&world, "ddB-", rows), &found, &err),
	    -1);
	assert_string_equal(err.text,
	    "statement 3 was begun by a run that did not see its end, and it is another "
	    "one now");
	assert_string_equal(err.answers, "applied retry pending");
	assert_string_equal(err.hint,
	    "look at the database, then answer by POST /repair: \"retry\" to run it as it is "
	    "now, \"applied\" if nothing is left to do, or \"pending\" to begin the file "
	    "anew; then POST /apply");
	talloc_free(world.ctx);
}

static void
test_lookup(void **state UNUSED)
{
	static const struct {
		const char *sql;
		enum resume_lookup lookup;
	} rows[] = {
		{ "CREATE INDEX CONCURRENTLY i ON a (x)", RESUME_INDEX_MADE },
		{ "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON a (x)",
		    RESUME_INDEX_MADE },
		/* the server makes a name up */
		{ "CREATE INDEX CONCURRENTLY ON a (x)", RESUME_ASK },
		{ "DROP INDEX CONCURRENTLY i", RESUME_INDEX_GONE },
		{ "REINDEX INDEX CONCURRENTLY i", RESUME_AGAIN },
		{ "VACUUM a", RESUME_AGAIN },
		{ "CREATE DATABASE d", RESUME_ASK },
		{ "ALTER TABLE p DETACH PARTITION a CONCURRENTLY", RESUME_ASK },
		{ "DO $$ BEGIN COMMIT; END $$", RESUME_ASK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script_statement statement = { .text = rows[i].sql,
			.len = strlen(rows[i].sql) };

		print_message("%s\n", rows[i].sql);
		sqlclass_of(statement.text, statement.len, &statement.class);
		assert_int_equal(resume_lookup_of(&statement), rows[i].lookup);
	}
}

/* Where DDL runs alone: what the catalogs know of it. */
static void
test_ddl(void **state UNUSED)
{
	static const struct {
		const char *sql;
		enum resume_lookup lookup;
		enum resume_left left;
	} rows[] = {
		{ "CREATE TABLE a (x int)", RESUME_OBJECT, RESUME_LEFT_NOTHING },
		{ "CREATE TABLE IF NOT EXISTS a (x int)", RESUME_AGAIN,
		    RESUME_LEFT_NOTHING },
		{ "CREATE FUNCTION f() RETURNS int", RESUME_ASK, RESUME_LEFT_NOTHING },
		{ "CREATE INDEX ASYNC i ON a (x)", RESUME_INDEX_MADE, RESUME_LEFT_INDEX },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script_statement statement = { .text = rows[i].sql,
			.len = strlen(rows[i].sql) };

		print_message("%s\n", rows[i].sql);
		dialect_class(
		    &dialect_dsql, statement.text, statement.len, &statement.class);
		assert_int_equal(resume_lookup_of(&statement), rows[i].lookup);
		assert_int_equal(resume_left_by(&statement, "23505"), rows[i].left);
	}
}

static void
test_left(void **state UNUSED)
{
	static const struct {
		const char *sql;
		const char *sqlstate;
		enum resume_left left;
	} rows[] = {
		{ "CREATE INDEX CONCURRENTLY i ON a (x)", "23505", RESUME_LEFT_INDEX },
		{ "CREATE INDEX CONCURRENTLY i ON a (x)", "42P07", RESUME_LEFT_NOTHING },
		{ "CREATE INDEX CONCURRENTLY ON a (x)", "23505", RESUME_LEFT_UNKNOWN },
		{ "DROP INDEX CONCURRENTLY i", "42704", RESUME_LEFT_NOTHING },
		{ "REINDEX INDEX CONCURRENTLY i", "57014", RESUME_LEFT_NOTHING },
		{ "VACUUM a", "42P01", RESUME_LEFT_NOTHING },
		{ "VACUUM a", "40003", RESUME_LEFT_UNKNOWN },
		{ "CREATE DATABASE d", "42P04", RESUME_LEFT_NOTHING },
		{ "ALTER TABLE p DETACH PARTITION a CONCURRENTLY", "57014",
		    RESUME_LEFT_UNKNOWN },
		{ "DO $$ BEGIN COMMIT; END $$", "22012", RESUME_LEFT_UNKNOWN },
		/* where the file says no-transaction */
		{ "Call p()", "22012", RESUME_LEFT_UNKNOWN },
		{ "UPDATE a SET x = 1", "22012", RESUME_LEFT_NOTHING },
		{ "DO", "42601", RESUME_LEFT_NOTHING },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct script_statement statement = { .text = rows[i].sql,
			.len = strlen(rows[i].sql) };

		print_message("%s\n", rows[i].sql);
		sqlclass_of(statement.text, statement.len, &statement.class);
		assert_int_equal(
		    resume_left_by(&statement, rows[i].sqlstate), rows[i].left);
	}
}

/* The question, and what answers it. */
static void
test_ask(void **state UNUSED)
{
	struct world world =
	    make("SELECT 1;\n\nDO $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$;\n");
	struct err err = { 0 };

	resume_ask(&world.m, &world.script->statements[1], false, &err);
	assert_int_equal(err.category, CAT_SQL_ERROR);
	assert_int_equal(err_http_status(&err), 409);
	assert_int_equal(err_exit_code(&err), EXIT_REFUSED);
	assert_string_equal(err.text,
	    "statement 2 was begun by a run that did not see its end: did it run?");
	assert_string_equal(err.answers, "applied retry pending");
	assert_string_equal(err.hint,
	    "look at the database, then answer by POST /repair: \"applied\" if it ran, "
	    "\"retry\" to run it again, or \"pending\" to begin the file anew; then POST "
	    "/apply");
	assert_string_equal(err.migration, "0007_mixed");
	assert_int_equal(err.statement, 2);
	assert_int_equal(err.line, 3);
	assert_int_equal(err.column, 0);
	talloc_free(world.ctx);
}

/* What is undone cannot begin anew. */
static void
test_the_way_back(void **state)
{
	struct world world = make(MIXED);
	struct resume_row rows[8];
	struct resume found;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(resume_find(world.script, &world.m, true, rows,
			     read_rows(&world, "ddD-", rows), &found, &err),
	    -1);
	assert_string_equal(err.hint,
	    "put the statements that ran back as they were, then POST /rollback");
	assert_string_equal(err.answers, "");
	err_clear(&err);
	assert_int_equal(resume_find(world.script, &world.m, true, rows,
			     read_rows(&world, "ddB-", rows), &found, &err),
	    -1);
	assert_string_equal(err.hint,
	    "look at the database, then answer by POST /repair: \"retry\" to run it as it is "
	    "now, or \"applied\" if nothing is left to do; then POST /rollback");
	assert_string_equal(err.answers, "applied retry");
	err_clear(&err);
	resume_ask(&world.m, &world.script->statements[1], true, &err);
	assert_string_equal(err.hint,
	    "look at the database, then answer by POST /repair: \"applied\" if it ran, or "
	    "\"retry\" to run it again; then POST /rollback");
	assert_string_equal(err.answers, "applied retry");
	talloc_free(world.ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_ddl),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_ask),
		cmocka_unit_test(test_the_way_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
