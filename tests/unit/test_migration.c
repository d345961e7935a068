/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/migration.h"

#define MARKER   "--> statement-breakpoint"
#define BYTES(s) s, sizeof(s) - 1

static struct migration *
make(const char *data, size_t len, const char *marker)
{
	struct migration *m = mem_zero(NULL, struct migration);

	m->id = "0001_x";
	m->file = "0001_x.sql";
	migration_set_text(m, m, data, len, marker);
	return m;
}

static void
test_every_state_has_its_name(void **state)
{
	static const char *const names[] = { "applied", "baseline", "pending", "running",
		"failed", "in_doubt", "modified", "missing", "out_of_order",
		"unregistered", "invalid" };

	(void)state;
	assert_int_equal(ARRAY_SIZE(names), MIGRATION_STATE_COUNT);
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(
		    migration_state_name((enum migration_state)i), names[i]);
}

static void
test_ids(void **state)
{
	char longest[BOUND_NAME_BYTES + 1];
	char too_long[BOUND_NAME_BYTES + 2];
	const struct {
		const char *id;
		const char *says; /* NULL: allowed */
	} rows[] = {
		{ "0001_add_users", NULL },
		{ "a", NULL },
		{ "Z-9_.x", NULL },
		{ "v1.2.sql", NULL },
		{ longest, NULL },
		{ too_long, "has 201 bytes, the most is 200" },
		{ "", "is empty" },
		{ ".hidden", "begins with '.'" },
		{ "a..b", "has \"..\"" },
		{ "..", "begins with '.'" },
		{ "../evil", "has the character '/'" },
		{ "/etc/passwd", "has the character '/'" },
		{ "sub\\x", "has the character '\\'" },
		{ "0001 b", "has the byte 0x20" },
		{ "0001\nb", "has the byte 0x0A" },
		{ "0001;b", "has the character ';'" },
		{ "0001%2fb", "has the character '%'" },
		{ "0001'b", "has the character '''" },
		{ "0001\x7f", "has the byte 0x7F" },
		{ "0001_gr\xC3\xB6sse", "has the byte 0xC3" },
		{ "0001_\xFF", "has the byte 0xFF" },
		{ "0001@", "has the character '@'" },
		{ "0001[", "has the character '['" },
		{ "0001`", "has the character '`'" },
		{ "0001{", "has the character '{'" },
		{ "0001:", "has the character ':'" },
	};

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = '\0';

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		int rc = migration_check_id(rows[i].id, &err);

		assert_int_equal(rc, rows[i].says ? -1 : 0);
		if (!rows[i].says) {
			assert_false(err_is_set(&err));
			continue;
		}
		assert_int_equal(err.category, CAT_SECURITY_VIOLATION);
		assert_non_null(strstr(err.text, rows[i].says));
		assert_string_not_equal(err.hint, "");
	}
}

/* The hashes that drizzle-orm 0.45 wrote for these files. */
static void
test_hashes_are_those_of_drizzle(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *checksum;
	} rows[] = {
		{ BYTES(""),
		    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ BYTES("SELECT 1;"),
		    "17db4fd369edb9244b9f91d9aeed145c3d04ad8ba6e95d06247f07a63527d11a" },
		{ BYTES("SELECT 1;\n"),
		    "b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd" },
		{ BYTES("SELECT 1;\r\n"),
		    "d3cd5042f97738960d802ad6b3a548dfa18152215118ba18f04493bc6944b0e4" },
		{ BYTES("\xEF\xBB\xBFSELECT 1;"),
		    "a35432496aa3b58f1818bc547ae78c87d1a5e702dcc7f28e2e1fdb38ff3bbf52" },
		{ BYTES("CREATE TABLE a(id int);"),
		    "3bc90e9b768346dec35e5b338404e7f32f0c85aec465d1256cbca31a409e5a16" },
		{ BYTES("-- Custom SQL migration file, put your code below! --"),
		    "b3cc75fa802f8a5b333c480eb0d77f3d2185602e108f36fb33d3ade3c6939413" },
		{ BYTES("a\xFF"
			"b"),
		    "05087813392efc16fe8ff448920c6328e53af865df39419436659d9ffda90f7b" },
		{ BYTES("\xED\xA0\x80"),
		    "a73f4cb996ceb6ee097888d897ae1004c9b1faab6c97629214139b9639aaf1af" },
		{ BYTES(
		      "CREATE TABLE a(t text); INSERT INTO a VALUES ('\xE9t\xE9 \xF0\x9F\x98');"),
		    "76e8deb328ad92f38086fce88fc932e01babfd68ed1be1bbe740ce4760f74df1" },
		{ BYTES(
		      "CREATE TABLE a(id int);--> statement-breakpoint\nCREATE TABLE b(id int); "
		      "CREATE TABLE c(id int);"),
		    "27be732fe5ebd0b739f76b69ebeccdc7bbefc6be8712062623ace1dd3037ffae" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration *m = make(rows[i].data, rows[i].len, MARKER);

		assert_string_equal(m->checksum, rows[i].checksum);
		talloc_free(m);
	}
}

/* Each maximal invalid subpart becomes one U+FFFD; '?' stands for it here. */
static void
test_invalid_utf8_is_decoded_as_drizzle_does(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *text;
	} rows[] = {
		{ BYTES("\xFF"), "?" },
		{ BYTES("\xE2\x82"), "?" },
		{ BYTES("\xF0\x9F\x98"), "?" },
		{ BYTES("\xC0\x80"), "??" },
		{ BYTES("\xED\xA0\x80"), "???" },
		{ BYTES("\xF4\x90\x80\x80"), "????" },
		{ BYTES("a\xFF"
			"b\xE2\x82!"),
		    "a?b?!" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration *m = make(rows[i].data, rows[i].len, MARKER);
		char text[64] = "";
		size_t n = 0;

		for (size_t k = 0; k < m->text_len; k++) {
			text[n++] = m->text[k] == '\xEF' ? '?' : m->text[k];
			if (m->text[k] == '\xEF') {
				assert_memory_equal(m->text + k, "\xEF\xBF\xBD", 3);
				k += 2;
			}
		}
		assert_string_equal(text, rows[i].text);
		assert_int_equal(m->text[m->text_len], '\0');
		assert_int_equal(m->problem->category, CAT_SQL_SYNTAX_ERROR);
		talloc_free(m);
	}
}

/* In the table '|' stands for the marker, in the result for the cut. */
static void
test_parts_are_cut_and_left_alone(void **state)
{
	static const struct {
		const char *text;
		const char *parts;
	} rows[] = {
		{ "", "" },
		{ "a", "a" },
		{ "a|", "a|" },
		{ "|a", "|a" },
		{ "|", "|" },
		{ "a||b", "a||b" },
		{ "a;|\nb;\n", "a;|\nb;\n" },
		{ "a\r\n|\r\nb\r\n", "a\r\n|\r\nb\r\n" },
		{ "SELECT '|';", "SELECT '|';" },
		{ "$$ | $$", "$$ | $$" },
		{ "/* | */", "/* | */" },
		{ "-- note: | CREATE TABLE x();", "-- note: | CREATE TABLE x();" },
		{ "a -->statement-breakpoint b", "a -->statement-breakpoint b" },
		{ "a -->  statement-breakpoint b", "a -->  statement-breakpoint b" },
		{ "a --> STATEMENT-BREAKPOINT b", "a --> STATEMENT-BREAKPOINT b" },
		{ "a --> statement-breakpoin", "a --> statement-breakpoin" },
		{ "a -|", "a -|" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[512] = "";
		char parts[512] = "";
		size_t len = 0;
		struct migration *m = NULL;

		for (const char *c = rows[i].text; *c; c++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s",
			    *c == '|' ? (int)strlen(MARKER) : 1, *c == '|' ? MARKER : c);
		m = make(text, len, MARKER);
		len = 0;
		for (size_t k = 0; k < m->n_parts; k++)
			len +=
			    (size_t)snprintf(parts + len, sizeof(parts) - len, "%s%.*s",
				k ? "|" : "", (int)m->parts[k].len, m->parts[k].text);
		assert_string_equal(parts, rows[i].parts);
		assert_null(m->problem);
		talloc_free(m);
	}
}

static void
test_parts_know_their_place(void **state)
{
	static const char text[] = "one\n\xC3\xA4;" MARKER "\ntwo\n" MARKER MARKER "end";
	static const struct {
		size_t len;
		unsigned line;
		unsigned column;
	} rows[] = { { 7, 1, 1 }, { 5, 2, 27 }, { 0, 4, 25 }, { 3, 4, 49 } };
	struct migration *m = make(BYTES(text), MARKER);

	(void)state;
	assert_int_equal(m->n_parts, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(m->parts[i].len, rows[i].len);
		assert_int_equal(m->parts[i].line, rows[i].line);
		assert_int_equal(m->parts[i].column, rows[i].column);
		assert_true(m->parts[i].text >= m->text);
	}
	talloc_free(m);
}

static void
test_without_a_marker_there_is_one_part(void **state)
{
	struct migration *m = make(BYTES("a" MARKER "b"), NULL);

	(void)state;
	assert_int_equal(m->n_parts, 1);
	assert_int_equal(m->parts[0].len, m->text_len);
	talloc_free(m);
}

static void
test_what_must_not_run(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *says; /* NULL: fine */
		unsigned line;
	} rows[] = {
		{ BYTES("SELECT 1;\r\n"), NULL, 0 },
		{ BYTES("SELECT 1;\nSELECT \0 2;"), "NUL byte", 2 },
		{ BYTES("\0"), "NUL byte", 1 },
		{ BYTES("\xFF\xFES\0E\0"), "NUL byte", 1 },
		{ BYTES("SELECT 1;\n\nSELECT '\xFF';"), "not valid UTF-8", 3 },
		{ BYTES("SELECT '\xE2\x82"), "not valid UTF-8", 1 },
		{ BYTES("\xEF\xBB\xBFSELECT 1;"), "byte order mark", 1 },
		{ BYTES("SELECT '\xEF\xBB\xBF';"), NULL, 0 },
		{ BYTES("\xEF\xBB"), "not valid UTF-8", 1 },
		{ BYTES("a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> x\n"), "merge conflict",
		    2 },
		{ BYTES("a\n\nc\n>>>>>>> x"), "merge conflict", 4 },
		{ BYTES("<<<<<<< HEAD"), "merge conflict", 1 },
		{ BYTES("SELECT 1 << 2; -- <<<<<<< HEAD\n<<<<<<<<\n<<<<<<<\n >>>>>>> x"),
		    NULL, 0 },
		{ BYTES("/*\n=======\ntitle\n=======\n*/"), NULL, 0 },
		{ BYTES("<<<<<<"), NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct migration *m = make(rows[i].data, rows[i].len, MARKER);

		assert_int_equal(strlen(m->checksum), 64);
		if (rows[i].says) {
			assert_int_equal(m->problem->category, CAT_SQL_SYNTAX_ERROR);
			assert_non_null(strstr(m->problem->text, rows[i].says));
			assert_string_equal(m->problem->file, "0001_x.sql");
			assert_int_equal(m->problem->line, rows[i].line);
			assert_int_equal(err_exit_code(m->problem), EXIT_FILES);
			assert_string_not_equal(m->problem->hint, "");
		} else {
			assert_null(m->problem);
		}
		talloc_free(m);
	}
}

/* libpq would stop at the NUL byte, the hash must not: an applied file has to be known again. */
static void
test_the_text_behind_a_nul_byte_is_kept(void **state)
{
	struct migration *m = make(BYTES("a\0b" MARKER "c"), MARKER);

	(void)state;
	assert_int_equal(m->text_len, 3 + strlen(MARKER) + 1);
	assert_int_equal(m->n_parts, 2);
	assert_int_equal(m->parts[0].len, 3);
	assert_memory_equal(m->parts[0].text, "a\0b", 3);
	talloc_free(m);
}

static void
test_locate(void **state)
{
	/* the second part begins in line 2, column 26 */
	struct migration *m =
	    make(BYTES("x\n" MARKER " ab\n\xC3\xA4\xE2\x82\xAC!\r\nz"), MARKER);
	static const struct {
		size_t part, offset;
		unsigned line, column;
	} rows[] = {
		{ 0, 0, 1, 1 },
		{ 0, 1, 1, 2 },
		{ 0, 2, 2, 1 },
		{ 0, 99, 2, 1 },
		{ 1, 0, 2, 25 },
		{ 1, 1, 2, 26 },
		{ 1, 3, 2, 28 },
		{ 1, 4, 3, 1 },
		{ 1, 6, 3, 2 },
		{ 1, 9, 3, 3 },
		{ 1, 12, 4, 1 },
		{ 1, 13, 4, 2 },
		{ 1, 99, 4, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned line = 0;
		unsigned column = 0;

		migration_locate(&m->parts[rows[i].part], rows[i].offset, &line, &column);
		assert_int_equal(line, rows[i].line);
		assert_int_equal(column, rows[i].column);
	}
	talloc_free(m);
}

static void
test_char_offset(void **state)
{
	static const struct part part = {
		.text = "a\xC3\xA4\xE2\x82\xAC\r\n\xF0\x9F\x98\x80z", .len = 13
	};
	static const size_t offsets[] = { 0, 0, 1, 3, 6, 7, 8, 12, 13, 13 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		assert_int_equal(migration_char_offset(&part, i), offsets[i]);
	assert_int_equal(migration_char_offset(&part, 1000), 13);
}

static void
test_conflict_line(void **state)
{
	(void)state;
	assert_int_equal(migration_conflict_line(BYTES("")), 0);
	assert_int_equal(migration_conflict_line(BYTES("\n\n>>>>>>> a\n<<<<<<< b")), 3);
	assert_int_equal(migration_conflict_line("<<<<<<< a", 7), 0);
}

/* The first problem is the one to show. */
static void
test_first_problem_stays(void **state UNUSED)
{
	void *ctx = mem_context(NULL, "test");
	struct migration m = { .id = "0001_x" };
	struct err first = { 0 };
	struct err second = { 0 };

	err_set(&first, CAT_SECURITY_VIOLATION, "first");
	err_set(&second, CAT_SQL_SYNTAX_ERROR, "second");
	migration_set_problem(&m, ctx, &first);
	migration_set_problem(&m, ctx, &second);
	assert_string_equal(m.problem->text, "first");
	talloc_free(ctx);
}

/* "[blank text]part at line:column" */
static void
check_kept(const struct migration *m, const char *text, const char *part, unsigned line,
    unsigned column)
{
	assert_string_equal(m->text, text);
	assert_int_equal(m->text_len, strlen(text));
	assert_int_equal(m->n_parts, 1);
	assert_int_equal(m->parts[0].len, strlen(part));
	assert_memory_equal(m->parts[0].text, part, strlen(part));
	assert_int_equal(m->parts[0].line, line);
	assert_int_equal(m->parts[0].column, column);
}

static void
test_sections(void **state)
{
	struct migration *m =
	    make(BYTES("up\r\nA;\ndown\nB; -- \xC3\xBC\nup\nC;\n"), NULL);
	struct migration *down = NULL;
	const struct migration_span spans[] = { { 4, 7 }, { 24, 27 } };
	const struct migration_span back = { 12, 14 };
	const struct migration_span inside = { 18, 20 };
	char checksum[DIGEST_HEX];

	(void)state;
	memcpy(checksum, m->checksum, sizeof(checksum));
	m->version = "0001";
	m->order = 1;
	down = migration_add_down(m, NULL);
	assert_ptr_equal(m->down, down);
	migration_keep(down, &back, 1);
	check_kept(down, "  \r\n  \n    \nB;      \n  \n  \n", "B;", 4, 1);
	assert_string_equal(down->file, "0001_x.sql");
	assert_string_equal(down->version, "0001");
	assert_int_equal(down->order, 1);

	migration_keep(m, spans, ARRAY_SIZE(spans));
	check_kept(m, "  \r\nA;\n    \n        \n  \nC;\n",
	    "A;\n    \n        \n  \nC;\n", 2, 1);
	assert_string_equal(m->checksum, checksum);
	assert_string_equal(down->checksum, checksum);

	migration_keep(down, &inside, 1);
	check_kept(down, "  \r\n  \n    \n        \n  \n  \n", "  ", 4, 7);
	migration_keep(m, NULL, 0);
	check_kept(m, "  \r\n  \n    \n        \n  \n  \n", "", 1, 1);
	talloc_free(m);
}

static void
test_a_way_back_in_a_file_of_its_own(void **state)
{
	struct migration *m = make(BYTES("\xEF\xBB\xBFSELECT 1;"), NULL);
	struct migration *down = migration_add_down(m, "0001_x.down.sql");

	(void)state;
	assert_non_null(m->problem);
	assert_null(down->problem);
	assert_string_equal(down->file, "0001_x.down.sql");
	assert_string_equal(down->checksum, "");
	check_kept(down, "", "", 1, 1);
	assert_ptr_equal(migration_add_down(m, NULL)->problem, m->problem);
	talloc_free(m);
}

static void
test_names_of_rows(void **state)
{
	static const struct {
		const char *name;
		enum migration_named named;
	} rows[] = {
		{ "add_users", NAMED_SAME },
		{ "Add users", NAMED_SAME },
		{ "0003_add_users", NAMED_SAME },
		{ "0003_add_users.sql", NAMED_SAME },
		{ "migrations/0003_add_users.sql, by hand", NAMED_SAME },
		{ "0003", NAMED_SAME },
		{ "add_orders", NAMED_OTHER },
		{ "0003_add_orders.sql", NAMED_OTHER },
		{ "0013_add", NAMED_OTHER },
		{ NULL, NAMED_NOT },
		{ "", NAMED_NOT },
		{ "--", NAMED_NOT },
	};
	struct migration m = { .name = "add_users", .file = "0003_add_users.sql" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(migration_is_named(&m, rows[i].name), rows[i].named);
	m = (struct migration){ .name = "a", .file = "0001_a.sql" };
	assert_int_equal(migration_is_named(&m, "b and a"), NAMED_OTHER);
	m = (struct migration){ .file = "x" };
	assert_int_equal(migration_is_named(&m, "b"), NAMED_OTHER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_problem_stays),
		cmocka_unit_test(test_every_state_has_its_name),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_hashes_are_those_of_drizzle),
		cmocka_unit_test(test_invalid_utf8_is_decoded_as_drizzle_does),
		cmocka_unit_test(test_parts_are_cut_and_left_alone),
		cmocka_unit_test(test_parts_know_their_place),
		cmocka_unit_test(test_without_a_marker_there_is_one_part),
		cmocka_unit_test(test_what_must_not_run),
		cmocka_unit_test(test_the_text_behind_a_nul_byte_is_kept),
		cmocka_unit_test(test_locate),
		cmocka_unit_test(test_char_offset),
		cmocka_unit_test(test_conflict_line),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_a_way_back_in_a_file_of_its_own),
		cmocka_unit_test(test_names_of_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
