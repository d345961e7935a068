/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/sqlscan.h"

/*
 * Exactly `len` bytes on the heap, so that a sanitizer sees each look behind
 * the end.
 */
static char *
exact_copy(const char *text, size_t len)
{
	char *copy = test_malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	return copy;
}

/* The statements of `text` in brackets; a '!' behind one that is open. */
static void
check_statements(const char *text, const char *expected)
{
	size_t len = strlen(text);
	char *copy = exact_copy(text, len);
	char got[1024] = "";
	struct sqlscan scan;
	struct sqlscan_statement st;

	sqlscan_init(&scan, copy, len);
	while (sqlscan_next(&scan, &st)) {
		size_t used = strlen(got);

		assert_true(st.len > 0);
		assert_true(st.offset + st.len <= len);
		snprintf(got + used, sizeof(got) - used, "[%.*s]%s", (int)st.len,
		    copy + st.offset, st.open ? "!" : "");
	}
	assert_false(sqlscan_next(&scan, &st));
	assert_string_equal(got, expected);
	test_free(copy);
}

struct split {
	const char *text;
	const char *expected;
};

static void
check_splits(const struct split *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_statements(rows[i].text, rows[i].expected);
}

static void
test_statements(void **state)
{
	static const struct split rows[] = {
		{ "", "" },
		{ " \t\r\n\f", "" },
		{ ";;; ;", "" },
		{ "-- only a comment", "" },
		{ "/* only */ -- comments\n/* here */", "" },
		{ "SELECT 1", "[SELECT 1]" },
		{ "SELECT 1;", "[SELECT 1;]" },
		{ "SELECT 1 ;  ", "[SELECT 1 ;]" },
		{ "SELECT 1  \n", "[SELECT 1]" },
		{ "SELECT 1;SELECT 2", "[SELECT 1;][SELECT 2]" },
		{ "; SELECT 1;; SELECT 2;;", "[SELECT 1;][SELECT 2;]" },
		{ "-- first\nSELECT 1; -- last", "[SELECT 1;]" },
		{ "a - b / c * d; x", "[a - b / c * d;][x]" },
		{ "\xef\xbb\xbfSELECT 1;x", "[\xef\xbb\xbfSELECT 1;][x]" },
		{ "\\d\nSELECT 1;", "[\\d][SELECT 1;]" },
	};

	(void)state;
	check_splits(rows, ARRAY_SIZE(rows));
}

static void
test_quotes(void **state)
{
	static const struct split rows[] = {
		{ "SELECT ';';x", "[SELECT ';';][x]" },
		{ "SELECT 'it''s; fine';x", "[SELECT 'it''s; fine';][x]" },
		{ "SELECT '\\';x", "[SELECT '\\';][x]" },
		{ "SELECT 'a\n;\nb';x", "[SELECT 'a\n;\nb';][x]" },
		{ "SELECT 'open; x", "[SELECT 'open; x]!" },
		{ "SELECT '", "[SELECT ']!" },
		{ "SELECT \";\";x", "[SELECT \";\";][x]" },
		{ "SELECT \"a\"\";b\";x", "[SELECT \"a\"\";b\";][x]" },
		{ "SELECT \"open;", "[SELECT \"open;]!" },
		{ "SELECT \"'\";'x'", "[SELECT \"'\";]['x']" },
		/* backslashes count in E'' alone */
		{ "SELECT E'\\';x';y", "[SELECT E'\\';x';][y]" },
		{ "SELECT e'\\\\';y", "[SELECT e'\\\\';][y]" },
		{ "SELECT e'a''\\'b;';y", "[SELECT e'a''\\'b;';][y]" },
		{ "SELECT e'\\", "[SELECT e'\\]!" },
		{ "SELECT E'open", "[SELECT E'open]!" },
		{ "SELECT U&'\\';y", "[SELECT U&'\\';][y]" },
		{ "SELECT U&\"\\;\";y", "[SELECT U&\"\\;\";][y]" },
		{ "SELECT x'1;', b'0;', N'\\';y", "[SELECT x'1;', b'0;', N'\\';][y]" },
		/* the E of a name or number is none */
		{ "SELECT fooE'\\';y", "[SELECT fooE'\\';][y]" },
		{ "SELECT a$E'\\';y", "[SELECT a$E'\\';][y]" },
		{ "SELECT 1E'\\';y", "[SELECT 1E'\\';][y]" },
		{ "SELECT 1 E'\\';y';z", "[SELECT 1 E'\\';y';][z]" },
		{ "SELECT 12;y", "[SELECT 12;][y]" },
		{ "SELECT 12", "[SELECT 12]" },
		/* a literal that goes on in another line keeps its rules */
		{ "SELECT E'a'\n'\\';';y", "[SELECT E'a'\n'\\';';][y]" },
		{ "SELECT E'a' -- c\r\n\t'\\';';y",
		    "[SELECT E'a' -- c\r\n\t'\\';';][y]" },
		{ "SELECT E'a' '\\';y", "[SELECT E'a' '\\';][y]" },
		{ "SELECT E'a'\n;y", "[SELECT E'a'\n;][y]" },
		{ "SELECT E'a' -- c", "[SELECT E'a']" },
		{ "SELECT E'a'\n", "[SELECT E'a']" },
	};

	(void)state;
	check_splits(rows, ARRAY_SIZE(rows));
}

static void
test_dollar_quotes(void **state)
{
	static const struct split rows[] = {
		{ "DO $$ a; b; $$;x", "[DO $$ a; b; $$;][x]" },
		{ "DO $f$ a; $$ b; $g$ $f$;x", "[DO $f$ a; $$ b; $g$ $f$;][x]" },
		{ "DO $f$ a; $f $f$;x", "[DO $f$ a; $f $f$;][x]" },
		{ "DO $a$ ; $b$a$;x", "[DO $a$ ; $b$a$;][x]" },
		{ "DO $\xc3\xa4_1$ ; $\xc3\xa4_1$;x",
		    "[DO $\xc3\xa4_1$ ; $\xc3\xa4_1$;][x]" },
		{ "DO $F$ ; $f$;", "[DO $F$ ; $f$;]!" },
		{ "DO $$ open;", "[DO $$ open;]!" },
		{ "DO $$", "[DO $$]!" },
		/* parameters and names are no quotes */
		{ "SELECT $1;x", "[SELECT $1;][x]" },
		{ "SELECT $1$;x $1$;", "[SELECT $1$;][x $1$;]" },
		{ "SELECT $1$$;$$;x", "[SELECT $1$$;$$;][x]" },
		{ "SELECT a$b$c;$b$;x", "[SELECT a$b$c;][$b$;x]!" },
		{ "SELECT a$$;x", "[SELECT a$$;][x]" },
		{ "SELECT $a;x", "[SELECT $a;][x]" },
		{ "SELECT $", "[SELECT $]" },
		{ "SELECT $a", "[SELECT $a]" },
	};

	(void)state;
	check_splits(rows, ARRAY_SIZE(rows));
}

static void
test_comments(void **state)
{
	static const struct split rows[] = {
		{ "SELECT 1 -- a; b\n;x", "[SELECT 1 -- a; b\n;][x]" },
		{ "SELECT 1 -- a; b\r;x", "[SELECT 1 -- a; b\r;][x]" },
		{ "SELECT 1 -- it's\n;x", "[SELECT 1 -- it's\n;][x]" },
		{ "SELECT 1 /* a; 'b */;x", "[SELECT 1 /* a; 'b */;][x]" },
		{ "/* a /* b; */ c; */ SELECT 1;x", "[SELECT 1;][x]" },
		{ "/**/SELECT 1;", "[SELECT 1;]" },
		{ "/***/SELECT 1;", "[SELECT 1;]" },
		{ "/*/ ; */SELECT 1;", "[SELECT 1;]" },
		{ "SELECT 2 */* ; */ 3;x", "[SELECT 2 */* ; */ 3;][x]" },
		{ "SELECT 2 +-- ;\n3;x", "[SELECT 2 +-- ;\n3;][x]" },
		{ "SELECT '/*';x", "[SELECT '/*';][x]" },
		{ "SELECT '--';x", "[SELECT '--';][x]" },
		/* an open one is no white space: the server will refuse it */
		{ "/* open; /* */", "[/* open; /* */]!" },
		{ "SELECT 1 /* open;", "[SELECT 1 /* open;]!" },
		{ "SELECT 1; /*", "[SELECT 1;][/*]!" },
		{ "/", "[/]" },
		{ "-", "[-]" },
	};

	(void)state;
	check_splits(rows, ARRAY_SIZE(rows));
}

static void
test_nesting(void **state)
{
	static const struct split rows[] = {
		{ "CREATE RULE r AS ON INSERT TO t DO (a; b);x",
		    "[CREATE RULE r AS ON INSERT TO t DO (a; b);][x]" },
		{ "SELECT ((1);2;);x", "[SELECT ((1);2;);][x]" },
		{ "SELECT 1);x", "[SELECT 1);][x]" },
		{ "SELECT (1; x", "[SELECT (1; x]!" },
		{ "SELECT '('; x", "[SELECT '(';][x]" },
		/* bodies by the SQL standard */
		{ "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;x",
		    "[CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;][x]" },
		{ "create or replace procedure p() begin atomic a; end; x",
		    "[create or replace procedure p() begin atomic a; end;][x]" },
		{ "CREATE OR REPLACE FUNCTION f() BEGIN ATOMIC CASE b WHEN c END; d; END;x",
		    "[CREATE OR REPLACE FUNCTION f() BEGIN ATOMIC CASE b WHEN c END; d; END;]"
		    "[x]" },
		{ "/* c */ CREATE -- c\nPROCEDURE p() BEGIN ATOMIC a; END;x",
		    "[CREATE -- c\nPROCEDURE p() BEGIN ATOMIC a; END;][x]" },
		{ "CREATE FUNCTION f() BEGIN ATOMIC a; b;",
		    "[CREATE FUNCTION f() BEGIN ATOMIC a; b;]!" },
		{ "CREATE FUNCTION f(begin int) RETURN case when a then b end;x",
		    "[CREATE FUNCTION f(begin int) RETURN case when a then b end;][x]" },
		{ "CREATE FUNCTION f() AS $$ BEGIN a; END $$;x",
		    "[CREATE FUNCTION f() AS $$ BEGIN a; END $$;][x]" },
		/* nowhere else */
		{ "BEGIN; a; END;", "[BEGIN;][a;][END;]" },
		{ "CREATE TABLE begin (a int); x", "[CREATE TABLE begin (a int);][x]" },
		{ "CREATE OR FUNCTION begin; x", "[CREATE OR FUNCTION begin;][x]" },
		{ "DROP FUNCTION begin; x", "[DROP FUNCTION begin;][x]" },
		{ "CREATE FUNCTION f() AS 'a'; BEGIN; a;",
		    "[CREATE FUNCTION f() AS 'a';][BEGIN;][a;]" },
	};

	(void)state;
	check_splits(rows, ARRAY_SIZE(rows));
}

/* The statements in brackets, their data in <>. */
static void
check_data(const char *text, const char *expected)
{
	size_t len = strlen(text);
	char *copy = exact_copy(text, len);
	char got[1024] = "";
	struct sqlscan scan;
	struct sqlscan_statement st;

	sqlscan_init(&scan, copy, len);
	while (sqlscan_next(&scan, &st)) {
		size_t used = strlen(got);

		assert_true(st.offset + st.len <= st.data_offset || !st.has_data);
		assert_true(st.data_offset + st.data_len <= len);
		used += (size_t)snprintf(got + used, sizeof(got) - used, "[%.*s]",
		    (int)st.len, copy + st.offset);
		if (st.has_data)
			snprintf(got + used, sizeof(got) - used, "<%.*s>",
			    (int)st.data_len, copy + st.data_offset);
	}
	assert_string_equal(got, expected);
	test_free(copy);
}

/* As psql 15 does, tried one by one. */
static void
test_copy_data(void **state)
{
	static const struct split rows[] = {
		{ "COPY c FROM stdin;\n1;\n'\n\\.\nx;y",
		    "[COPY c FROM stdin;]<1;\n'\n>[x;][y]" },
		{ "copy c (a) from STDIN with (format csv);\n\\.\nx",
		    "[copy c (a) from STDIN with (format csv);]<>[x]" },
		{ "COPY c FROM stdin; -- c\n1\n\\.\r\nx",
		    "[COPY c FROM stdin;]<1\n>[x]" },
		{ "COPY c FROM stdin; /* c */\n1\n\\.\nx",
		    "[COPY c FROM stdin;]<1\n>[x]" },
		{ "COPY c FROM\nstdin\n;\n\n1\n\\.", "[COPY c FROM\nstdin\n;]<\n1\n>" },
		/* more or less than the two bytes is a row */
		{ "COPY c FROM stdin;\n\\. \n \\.\n\\..\n\\\nx",
		    "[COPY c FROM stdin;]<\\. \n \\.\n\\..\n\\\nx>" },
		/* the end of the text is the end of the data */
		{ "COPY c FROM stdin;\n1\n2", "[COPY c FROM stdin;]<1\n2>" },
		{ "COPY c FROM stdin;\n", "[COPY c FROM stdin;]<>" },
		{ "COPY c FROM stdin;", "[COPY c FROM stdin;]<>" },
		{ "COPY c FROM stdin", "[COPY c FROM stdin]<>" },
		/* the data would have to be fetched from behind the rest of the line */
		{ "COPY c FROM stdin; x;\n1\n", "[COPY c FROM stdin;][x;][1]" },
		{ "COPY c FROM stdin; /*\n*/\n1\n", "[COPY c FROM stdin;][1]" },
		/* no data */
		{ "COPY c TO stdout;\nx", "[COPY c TO stdout;][x]" },
		{ "COPY (SELECT 1 FROM stdin) TO STDOUT;\nx",
		    "[COPY (SELECT 1 FROM stdin) TO STDOUT;][x]" },
		{ "COPY c FROM 'stdin';\nx", "[COPY c FROM 'stdin';][x]" },
		{ "COPY c) FROM stdin;\nx", "[COPY c) FROM stdin;]<x>" },
		{ "SELECT 1 FROM stdin;\nx", "[SELECT 1 FROM stdin;][x]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_data(rows[i].text, rows[i].expected);
}

static void
test_commands_of_psql(void **state)
{
	static const struct split rows[] = {
		{ "\\restrict abc\nSELECT 1;\n\\unrestrict abc\n",
		    "[\\restrict abc][SELECT 1;][\\unrestrict abc]" },
		{ "SELECT 1; \\echo it's; fine\r\nx",
		    "[SELECT 1;][\\echo it's; fine][x]" },
		{ "\\", "[\\]" },
		{ "/* c */ \\d", "[\\d]" },
		/* within a statement: the server will refuse it */
		{ "SELECT 1 \\gset\n;x", "[SELECT 1 \\gset\n;][x]" },
		{ "DO $$\n\\d\n$$;x", "[DO $$\n\\d\n$$;][x]" },
		{ "SELECT '\n\\d';x", "[SELECT '\n\\d';][x]" },
	};

	(void)state;
	check_splits(rows, ARRAY_SIZE(rows));
}

static void
test_nul_bytes_are_text(void **state)
{
	static const char text[] = "SELECT \0 1;\0;x";
	struct sqlscan scan;
	struct sqlscan_statement st;
	size_t n = 0;

	(void)state;
	sqlscan_init(&scan, text, sizeof(text) - 1);
	while (sqlscan_next(&scan, &st))
		n++;
	assert_int_equal(n, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statements),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_dollar_quotes),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_copy_data),
		cmocka_unit_test(test_commands_of_psql),
		cmocka_unit_test(test_nul_bytes_are_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
