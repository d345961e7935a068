/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/rollback_comment.h"

#define RULER "-- ============\n"

static struct migration *
read(const char *text)
{
	struct migration *m = mem_zero(NULL, struct migration);

	m->id = "043-a";
	m->file = "043-a.sql";
	migration_set_text(m, m, text, strlen(text), NULL);
	rollback_comment_read(m);
	return m;
}

static void
test_sections(void **state)
{
	static const struct {
		const char *text;
		const char *sql; /* of the way back; NULL: there is none */
		unsigned line;
	} rows[] = {
		{ "CREATE TABLE t ();\n\n" RULER
		  "-- ROLLBACK SQL (for manual rollback if needed)\n" RULER
		  "-- DROP TABLE IF EXISTS t;\n",
		    "\n               \n   DROP TABLE IF EXISTS t;", 4 },
		{ "SELECT 1; -- Rollback:\n--DROP TABLE a;\r\n\n--\tDROP TABLE b; -- c",
		    "\n  DROP TABLE a;\r\n\n  \tDROP TABLE b; -- c", 1 },
		{ "-- rollback sql : \t\n-- DROP TABLE a;\n" RULER
		  "-- ALTER is a word\nDROP "
		  "TABLE b;\n",
		    "\n   DROP TABLE a;", 1 },
		{ "--  ROLLBACK\n-- DROP TABLE a;\nCREATE TABLE a ();\n-- DROP TABLE c;\n",
		    "\n   DROP TABLE a;", 1 },
		{ "-- ROLLBACK\n-- DROP TABLE a;\n/* DROP TABLE c; */\n",
		    "\n   DROP TABLE a;", 1 },
		{ "SELECT 1;\n-- ROLLBACK\n-- DROP TABLE a;\n--> statement-breakpoint\n"
		  "SELECT 2;\n",
		    "\n   DROP TABLE a;", 2 },
		/* none */
		{ "SELECT 1;\n", NULL, 0 },
		{ "ROLLBACK;\n-- DROP TABLE a;\n", NULL, 0 },
		{ "-- ROLLBACK PROCEDURE:\n-- 1. DROP TABLE a;\n", NULL, 0 },
		{ "-- rollback drop table a;\n", NULL, 0 },
		{ "-- rollback: drop table a;\n", NULL, 0 },
		{ "-- no rollback\n-- DROP TABLE a;\n", NULL, 0 },
		{ "-- rollback\n\n", NULL, 0 },
		{ "-- rollback\n" RULER RULER "SELECT 1;\n", NULL, 0 },
		{ "-- rollback\n--\n-- -- none is needed\nSELECT 1;\n", NULL, 0 },
		{ "SELECT $$\n-- rollback\n-- DROP TABLE a;\n$$;", NULL, 0 },
		{ "/* -- rollback\n-- DROP TABLE a;\n*/", NULL, 0 },
		{ "\xEF\xBB\xBFSELECT 1;\n-- rollback\n-- DROP TABLE a;\n", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration *m = read(rows[i].text);

		assert_string_equal(m->parts[0].text, rows[i].text);
		assert_int_equal(m->down != NULL, rows[i].sql != NULL);
		if (m->down) {
			const struct part *part = &m->down->parts[0];

			assert_null(m->down->problem);
			assert_int_equal(part->len, strlen(rows[i].sql));
			assert_memory_equal(part->text, rows[i].sql, part->len);
			assert_int_equal(part->line, rows[i].line);
			assert_string_equal(m->down->file, "043-a.sql");
		}
		talloc_free(m);
	}
}

static void
test_what_is_no_statement(void **state)
{
	static const struct {
		const char *text, *says;
		unsigned line;
	} rows[] = {
		{ "-- ROLLBACK SQL\n\n-- Add the rollback SQL here\n-- Example:\n"
		  "-- DROP TABLE IF EXISTS \"new_table\";",
		    "\"Add\"", 3 },
		{ "-- Rollback:\n-- DROP TABLE a;\n-- Scopes are retained.\n",
		    "\"Scopes\"", 3 },
		{ "-- Rollback:\n-- 1. DROP TABLE a;\n", "\"1\"", 2 },
		{ "-- Rollback:\n-- 'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'",
		    "\"'abcdefghijklmnopqrstuvwxyzabcdefghijklm\"", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration *m = read(rows[i].text);
		const struct err *err = m->down->problem;

		assert_non_null(strstr(err->text, rows[i].says));
		assert_string_equal(err->file, "043-a.sql");
		assert_int_equal(err->line, rows[i].line);
		assert_int_equal(err_exit_code(err), EXIT_REFUSED);
		assert_null(m->problem);
		talloc_free(m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_what_is_no_statement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
