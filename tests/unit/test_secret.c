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

static void
test_cover_sql(void **state)
{
	static const struct {
		const char *text;
		const char *covered;
	} rows[] = {
		{ "", "" },
		{ "SELECT password FROM users", "SELECT password FROM users" },
		{ "CREATE ROLE a PASSWORD 'x y' LOGIN",
		    "CREATE ROLE a PASSWORD ***** LOGIN" },
		{ "alter role a password'it''s' x", "alter role a password******* x" },
		{ "PASSWORD E'a\\'b' x", "PASSWORD ******* x" },
		{ "PASSWORD 'a\\' x", "PASSWORD **** x" },
		{ "PASSWORD $$a'b$$ x", "PASSWORD ******* x" },
		{ "PASSWORD $t$a$$b$t$ x", "PASSWORD ********** x" },
		/* cut off */
		{ "PASSWORD 'hunter", "PASSWORD *******" },
		{ "PASSWORD 'hunter'", "PASSWORD ********" },
		{ "PASSWORD E'hunter\\", "PASSWORD *********" },
		{ "PASSWORD $t$hunter", "PASSWORD *********" },
		{ "PASSWORD $t", "PASSWORD **" },
		{ "PASSWORD", "PASSWORD" },
		{ "PASSWORD NULL", "PASSWORD NULL" },
		{ "OPTIONS (user 'a', password 'b') x",
		    "OPTIONS (user 'a', password ***) x" },
		{ "CONNECTION 'host=h password=pw dbname=d'",
		    "CONNECTION 'host=h password=** dbname=d'" },
		{ "CONNECTION 'password = pw'", "CONNECTION 'password = **'" },
		{ "CONNECTION 'password=''p w'' user=u'",
		    "CONNECTION 'password=*****'' user=u'" },
		{ "SET password = 'x y', a = 1", "SET password = *****, a = 1" },
		{ "SET password=", "SET password=" },
		{ "EXECUTE 'ALTER ROLE a PASSWORD ''x y'''",
		    "EXECUTE 'ALTER ROLE a PASSWORD *****'''" },
		{ "PASSWORD '''x' y", "PASSWORD ***** y" },
		{ "password='it''s' x", "password=******* x" },
		{ "PASSWORD 'a'; ALTER ROLE b PASSWORD 'c'",
		    "PASSWORD ***; ALTER ROLE b PASSWORD ***" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64] = "";

		(void)snprintf(text, sizeof(text), "%s", rows[i].text);
		secret_cover_sql(text);
		assert_string_equal(text, rows[i].covered);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_cover),
		cmocka_unit_test(test_cover_sql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
