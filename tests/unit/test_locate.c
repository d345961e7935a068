/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "core/locate.h"

/* A migration whose parts are cut at the marker, as the drizzle layout does. */
static struct migration
make(void *ctx, const char *text)
{
	struct migration m = { .id = "0001_x", .file = "0001_x.sql" };

	migration_set_text(&m, ctx, text, strlen(text), "--> statement-breakpoint");
	return m;
}

static const struct {
	const char *name;
	const char *text;
	size_t part;
	unsigned long position; /* 0: the server gave none */
	unsigned n_completed;
	unsigned line, column, statement;
	const char *excerpt;
} cases[] = {
	{ "position in the only statement", "SELECT nope;", 0, 8, 0, 1, 8, 1,
	    "SELECT nope;" },
	{ "position in the second statement", "SELECT 1;\nSELECT nope;", 0, 18, 1, 2, 8,
	    2, "SELECT nope;" },
	{ "position counts characters, not bytes", "SELECT 'é';\nSELECT nope;", 0, 20, 1,
	    2, 8, 2, "SELECT nope;" },
	{ "no position: the statement after the completed ones",
	    "CREATE TABLE a();\n\n-- why\nCREATE TABLE a();\n", 0, 0, 1, 4, 0, 2,
	    "CREATE TABLE a();" },
	{ "no position, in a later part: statements before it count",
	    "SELECT 1; SELECT 2;--> statement-breakpoint\nSELECT 3;\nSELECT 4", 1, 0, 1,
	    3, 0, 4, "SELECT 4" },
	{ "all completed: a deferred check failed behind the last",
	    "SELECT 1;\nSELECT 2;", 0, 0, 2, 2, 0, 2, "SELECT 2;" },
	{ "white space is folded", "INSERT INTO t\n\t VALUES\r\n (1);", 0, 0, 0, 1, 0, 1,
	    "INSERT INTO t VALUES (1);" },
	{ "a part without a statement", "-- nothing\n", 0, 0, 0, 1, 0, 0, "" },
	{ "position in a part without a statement", "-- é x", 0, 4, 0, 1, 4, 0, "" },
};

static void
test_locate_error(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		void *ctx = mem_context(NULL, "test");
		struct migration m = make(ctx, cases[i].text);
		struct err err = { .category = CAT_SQL_ERROR };

		print_message("%s\n", cases[i].name);
		locate_error(
		    &m, cases[i].part, cases[i].position, cases[i].n_completed, &err);
		assert_string_equal(err.file, "0001_x.sql");
		assert_int_equal(err.line, cases[i].line);
		assert_int_equal(err.column, cases[i].column);
		assert_int_equal(err.statement, cases[i].statement);
		assert_string_equal(err.excerpt, cases[i].excerpt);
		talloc_free(ctx);
	}
}

/* A long statement is cut, and never inside a character. */
static void
test_excerpt_is_cut(void **state UNUSED)
{
	for (size_t pad = 0; pad < 4; pad++) {
		void *ctx = mem_context(NULL, "test");
		char text[1024] = "SELECT '";
		struct err err = { .category = CAT_SQL_ERROR };
		size_t n = strlen(text);

		memset(text + n, 'x', pad);
		n += pad;
		while (n + 4 < sizeof(text)) {
			memcpy(text + n, "\xF0\x9F\x98\x80", 4);
			n += 4;
		}
		text[n] = '\0';
		struct migration m = make(ctx, text);
		locate_error(&m, 0, 0, 0, &err);
		size_t len = strlen(err.excerpt);
		assert_true(len < sizeof(err.excerpt));
		assert_true(len > sizeof(err.excerpt) - 8);
		assert_int_equal((len - 8 - pad) % 4, 0);
		talloc_free(ctx);
	}
}

/* Text that nobody decoded does not hold it up. */
static void
test_bytes_that_are_no_text(void **state UNUSED)
{
	struct part part = { .text = "SELECT '\xff\xfe'", .len = 11, .line = 1 };
	struct migration m = { .file = "x.sql", .parts = &part, .n_parts = 1 };
	struct err err = { .category = CAT_SQL_ERROR };

	locate_error(&m, 0, 0, 0, &err);
	assert_string_equal(err.excerpt, "SELECT '\xff\xfe'");
}

/* A statement that was sent alone: the server counts in its text. */
static void
test_locate_statement(void **state UNUSED)
{
	static const struct {
		const char *name;
		unsigned number;
		unsigned long position;
		unsigned line, column;
		const char *excerpt;
	} rows[] = {
		{ "position on its first line", 2, 8, 3, 8, "VACUUM 'é', nope;" },
		{ "position behind a line and a character of two bytes", 2, 14, 4, 2,
		    "VACUUM 'é', nope;" },
		{ "no position", 2, 0, 3, 0, "VACUUM 'é', nope;" },
		{ "in a later part", 3, 9, 6, 9, "REINDEX nope;" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct migration m = make(ctx,
		    "-- migrationd: no-transaction\nVACUUM;\nVACUUM 'é',\n nope;\n"
		    "--> statement-breakpoint\nREINDEX nope;\n");
		struct script *script = script_build(ctx, &m, NULL);
		struct err err = { .category = CAT_SQL_ERROR };

		print_message("%s\n", rows[i].name);
		assert_int_equal(script->n_statements, 3);
		locate_statement(
		    &m, &script->statements[rows[i].number - 1], rows[i].position, &err);
		assert_string_equal(err.file, "0001_x.sql");
		assert_int_equal(err.statement, rows[i].number);
		assert_int_equal(err.line, rows[i].line);
		assert_int_equal(err.column, rows[i].column);
		assert_string_equal(err.excerpt, rows[i].excerpt);
		talloc_free(ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_locate_error),
		cmocka_unit_test(test_excerpt_is_cut),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_locate_statement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
