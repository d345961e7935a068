/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/utf8.h"

static void
test_categories(void **state)
{
	static const struct {
		enum category category;
		const char *name;
		int http_status;
		int exit_code;
		bool retryable;
	} rows[] = {
		{ CAT_NONE, "", 200, 0, false },
		{ CAT_SECURITY_VIOLATION, "SECURITY_VIOLATION", 422, 2, false },
		{ CAT_RESOURCE_NOT_FOUND, "RESOURCE_NOT_FOUND", 404, 2, false },
		{ CAT_SQL_SYNTAX_ERROR, "SQL_SYNTAX_ERROR", 422, 5, false },
		{ CAT_PERMISSION_DENIED, "PERMISSION_DENIED", 422, 5, false },
		{ CAT_NETWORK_ERROR, "NETWORK_ERROR", 503, 6, true },
		{ CAT_SQL_ERROR, "SQL_ERROR", 422, 5, false },
		{ CAT_CHECKSUM_MISMATCH, "CHECKSUM_MISMATCH", 409, 1, false },
		{ CAT_OUT_OF_ORDER, "OUT_OF_ORDER", 409, 8, false },
		{ CAT_LOCK_TIMEOUT, "LOCK_TIMEOUT", 503, 7, true },
		{ CAT_STATEMENT_TIMEOUT, "STATEMENT_TIMEOUT", 422, 5, false },
		{ CAT_CANCELLED, "CANCELLED", 409, 9, false },
		{ CAT_CONFIGURATION, "CONFIGURATION", 400, 4, false },
		{ CAT_INTERNAL, "INTERNAL", 500, 70, false },
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), CAT_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { .category = rows[i].category };

		assert_string_equal(category_name(rows[i].category), rows[i].name);
		assert_int_equal(
		    category_is_retryable(rows[i].category), rows[i].retryable);
		assert_int_equal(err_http_status(&err), rows[i].http_status);
		assert_int_equal(err_exit_code(&err), rows[i].exit_code);
		assert_int_equal(err_is_set(&err), rows[i].category != CAT_NONE);
		/* only 503 invites to come again */
		assert_int_equal(rows[i].retryable, err_http_status(&err) == 503);
		assert_int_equal(
		    category_title(rows[i].category)[0] != '\0', err_is_set(&err));
	}
}

static void
test_the_case_overrides_its_category(void **state)
{
	struct err err = { .http_status = 413, .exit_code = EXIT_USAGE };

	(void)state;
	assert_int_equal(err_set(&err, CAT_CONFIGURATION, "body of %d bytes", 9), -1);
	assert_int_equal(err_http_status(&err), 413);
	assert_int_equal(err_exit_code(&err), 64);
}

static void
test_first_error_wins(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_set(&err, CAT_SQL_ERROR, "column %s is missing", "a"), -1);
	assert_int_equal(err_set(&err, CAT_INTERNAL, "rollback failed"), -1);
	assert_int_equal(err_set_errno(&err, CAT_INTERNAL, EIO, "close"), -1);
	assert_int_equal(err.category, CAT_SQL_ERROR);
	assert_string_equal(err.text, "column a is missing");

	err_hint(&err, "add column %s", "a");
	err_hint(&err, "something else");
	assert_string_equal(err.hint, "add column a");

	err_where(&err, "0001_a.sql", 3);
	err_where(&err, "0002_b.sql", 4);
	assert_string_equal(err.file, "0001_a.sql");
	assert_int_equal(err.line, 3);

	err_clear(&err);
	assert_false(err_is_set(&err));
	assert_string_equal(err.text, "");
	assert_string_equal(err.hint, "");
	assert_int_equal(err_set(&err, CAT_INTERNAL, "again"), -1);
	assert_string_equal(err.text, "again");
}

static void
test_errno_chooses_the_category(void **state)
{
	static const struct {
		int errnum;
		enum category category;
	} rows[] = {
		{ ENOENT, CAT_RESOURCE_NOT_FOUND },
		{ ENOTDIR, CAT_RESOURCE_NOT_FOUND },
		{ EACCES, CAT_PERMISSION_DENIED },
		{ EPERM, CAT_PERMISSION_DENIED },
		{ ELOOP, CAT_SECURITY_VIOLATION },
		{ EXDEV, CAT_SECURITY_VIOLATION },
		{ EIO, CAT_CONFIGURATION },
	};
	char expected[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(err_set_errno(&err, CAT_CONFIGURATION, rows[i].errnum,
				     "open %s", "x"),
		    -1);
		assert_int_equal(err.category, rows[i].category);
		snprintf(
		    expected, sizeof(expected), "open x: %s", strerror(rows[i].errnum));
		assert_string_equal(err.text, expected);
	}
}

static void
test_wrap(void **state)
{
	struct err err = { 0 };

	(void)state;
	err_set(&err, CAT_RESOURCE_NOT_FOUND, "no such file");
	assert_int_equal(err_wrap(&err, "journal of %s", "drizzle"), -1);
	assert_int_equal(err_wrap(&err, "reload"), -1);
	assert_string_equal(err.text, "reload: journal of drizzle: no such file");
	assert_int_equal(err.category, CAT_RESOURCE_NOT_FOUND);
}

static void
test_format(void **state)
{
	static const struct {
		const char *file;
		unsigned line;
		unsigned column;
		size_t size;
		const char *expected;
	} rows[] = {
		{ "", 0, 0, 64, "syntax error" },
		{ "", 3, 4, 64, "syntax error" }, /* a line of no file says nothing */
		{ "a.sql", 0, 0, 64, "a.sql: syntax error" },
		{ "a.sql", 3, 0, 64, "a.sql:3: syntax error" },
		{ "a.sql", 3, 4, 64, "a.sql:3:4: syntax error" },
		{ "a.sql", 0, 4, 64, "a.sql: syntax error" },
		{ "a.sql", 3, 4, 24, "a.sql:3:4: syntax error" }, /* fits to the byte */
		{ "a.sql", 3, 4, 23, "a.sql:3:4: syntax e..." },
		{ "a.sql", 3, 4, 6, "a...." }, /* cut in the name, then again */
		{ "", 0, 0, 4, "..." },
		{ "", 0, 0, 3, ".." },
		{ "", 0, 0, 1, "" },
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		err_set(&err, CAT_SQL_SYNTAX_ERROR, "syntax error");
		err_where(&err, rows[i].file, rows[i].line);
		err.column = rows[i].column;
		assert_ptr_equal(err_format(&err, buf, rows[i].size), buf);
		assert_string_equal(buf, rows[i].expected);
	}
}

/* Whatever the length, what is kept is whole characters and ends with the mark. */
static void
test_long_texts_are_cut_between_characters(void **state)
{
	char longer[2048];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		struct err err = { 0 };
		size_t len = shift;

		memset(longer, 'x', shift);
		for (; len + 4 < sizeof(longer); len += 4)
			memcpy(longer + len, "\xF0\x9F\x98\x80", 4);
		longer[len] = '\0';

		err_set(&err, CAT_SQL_ERROR, "%s", longer);
		err_hint(&err, "%s", longer);
		err_where(&err, longer, 1);
		assert_true(utf8_is_valid(err.text, strlen(err.text), NULL));
		assert_true(utf8_is_valid(err.hint, strlen(err.hint), NULL));
		assert_true(utf8_is_valid(err.file, strlen(err.file), NULL));
		assert_in_range(
		    strlen(err.text), sizeof(err.text) - 4, sizeof(err.text) - 1);
		assert_in_range(
		    strlen(err.file), sizeof(err.file) - 4, sizeof(err.file) - 1);
		assert_string_equal(err.text + strlen(err.text) - 3, "...");
		assert_string_equal(err.file + strlen(err.file) - 3, "...");

		err_wrap(&err, "run");
		assert_memory_equal(err.text, "run: ", 5);
		assert_string_equal(err.text + strlen(err.text) - 3, "...");
		assert_true(utf8_is_valid(err.text, strlen(err.text), NULL));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_categories),
		cmocka_unit_test(test_the_case_overrides_its_category),
		cmocka_unit_test(test_first_error_wins),
		cmocka_unit_test(test_errno_chooses_the_category),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_long_texts_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
