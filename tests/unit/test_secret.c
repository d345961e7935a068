/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/secret.h"

static void
test_take(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *secret;  /* NULL: it is none */
		const char *problem; /* part of it */
	} rows[] = {
		{ "abc", 3, "abc", NULL },
		{ "abc\n", 4, "abc", NULL },
		{ "abc\r\n", 5, "abc", NULL },
		{ " a b ", 5, " a b ", NULL },
		{ "", 0, NULL, "empty" },
		{ "\n", 1, NULL, "empty" },
		{ "a\nb\n", 4, NULL, "more than the one line" },
		{ "abc\n\n", 5, NULL, "more than the one line" },
		{ "a\0b", 3, NULL, "more than the one line" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char data[16] = "";
		const char *problem = NULL;

		memcpy(data, rows[i].bytes, rows[i].len);
		problem = secret_take(data, rows[i].len);
		if (rows[i].secret) {
			assert_null(problem);
			assert_string_equal(data, rows[i].secret);
		} else {
			assert_non_null(strstr(problem, rows[i].problem));
		}
	}
}

static void
test_cover(void **state)
{
	static const char *const secrets[] = { "hunter2", "abc", "****x",
		"hunter2-and-more", "er2-x" };
	static const struct {
		const char *text;
		const char *covered;
	} rows[] = {
		{ "", "" },
		{ "nothing here", "nothing here" },
		{ "hunter2", "*******" },
		{ "a hunter2, hunter2hunter2 b", "a *******, ************** b" },
		{ "hunter ", "hunter " },
		/* where the output was cut off */
		{ "hunter", "******" },
		{ "so hunt", "so ****" },
		{ "so hun", "so hun" },
		/* one that begins as another does, and one that begins in another */
		{ "hunter2-and-more.", "****************." },
		{ "hunter2-x hunter2-and", "********* ***********" },
		{ "abc is too short to be told from words", /* of people */
		    "abc is too short to be told from words" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64] = "";

		(void)snprintf(text, sizeof(text), "%s", rows[i].text);
		secret_cover(text, secrets, ARRAY_SIZE(secrets));
		assert_string_equal(text, rows[i].covered);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_cover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
