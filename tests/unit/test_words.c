/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/words.h"

static void
test_split(void **state)
{
	static const struct {
		const char *line;
		const char *words[6]; /* none: it is refused */
	} rows[] = {
		{ "pg_dump", { "pg_dump" } },
		{ " a  b\tc\nd ", { "a", "b", "c", "d" } },
		{ "sh -c 'echo \"$A\" \\n | wc'",
		    { "sh", "-c", "echo \"$A\" \\n | wc" } },
		{ "a \"b 'c' \\\" \\\\ \\x\"", { "a", "b 'c' \" \\ x" } },
		{ "a\\ b c\\'d", { "a b", "c'd" } },
		{ "x'y z'\"w v\"u", { "xy zw vu" } },
		{ "a '' \"\"", { "a", "", "" } },
		{ "", { NULL } },
		{ "  ", { NULL } },
		{ "a 'b", { NULL } },
		{ "a \"b", { NULL } },
		{ "a \"b\\", { NULL } },
		{ "a\\", { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct err err = { 0 };
		char **words = NULL;
		int rc = words_split(ctx, rows[i].line, &words, &err);
		size_t n = 0;

		assert_int_equal(rc, rows[i].words[0] ? 0 : -1);
		assert_int_equal(
		    err.category, rows[i].words[0] ? CAT_NONE : CAT_CONFIGURATION);
		for (; rows[i].words[n]; n++)
			assert_string_equal(words[n], rows[i].words[n]);
		if (words)
			assert_null(words[n]);
		talloc_free(ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
