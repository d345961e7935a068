/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/token.h"
#include "tempdir.h"

/* The file changes under a running daemon: what counts then. */
static void
test_rotation(void **state)
{
	static const struct {
		const char *content; /* NULL: the file is gone */
		const char *counts;
	} rows[] = {
		{ "first\n", "first" },
		{ "second\n", "second" },
		{ "", "second" },
		{ NULL, "second" },
		{ "two words\n", "second" },
		{ "third", "third" },
		{ "third", "third" },
	};
	void *ctx = mem_context(NULL, "test");
	struct token token = { 0 };
	char path[1024];

	log_init(-1, LOG_FORMAT_TEXT, LOG_ERROR);
	assert_null(token_now(&token));
	tempdir_path(path, *state, "token");
	token_use(&token, ctx, path, "first");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].content)
			tempdir_text(*state, "token", rows[i].content);
		else
			assert_int_equal(unlink(path), 0);
		assert_string_equal(token_now(&token), rows[i].counts);
	}
	token_use(&token, ctx, NULL, NULL);
	assert_null(token_now(&token));
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPDIR_TEST(test_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
