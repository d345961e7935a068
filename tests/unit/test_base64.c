/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

/* RFC 4648 section 10, and both characters that are no letters or digits. */
static const struct {
	const char *bytes;
	const char *text;
} pairs[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
	{ "\xfb\xff\xfe", "+//+" },
};

static void
test_both_ways(void **state)
{
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		unsigned char *data = NULL;
		size_t len = 99;

		assert_string_equal(
		    base64_encode(ctx, pairs[i].bytes, strlen(pairs[i].bytes)),
		    pairs[i].text);
		data = base64_decode(ctx, pairs[i].text, &len);
		assert_non_null(data);
		assert_int_equal(len, strlen(pairs[i].bytes));
		assert_memory_equal(data, pairs[i].bytes, len);
	}
	talloc_free(ctx);
}

static void
test_decode(void **state)
{
	static const struct {
		const char *text;
		int len; /* -1: it is none */
	} rows[] = {
		{ "Zg", 1 },
		{ "Zm8", 2 },
		{ "Zm9vYg", 4 },
		{ "Z", -1 },
		{ "Zm9vY", -1 },
		{ "Zg=", -1 },
		{ "Zg===", -1 },
		{ "Zm9v====", -1 },
		{ "=", -1 },
		{ "Zm 9v", -1 },
		{ "Zm9_", -1 },
		{ "Zg==Zg==", -1 },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = 99;
		unsigned char *data = base64_decode(ctx, rows[i].text, &len);

		assert_int_equal(data ? (int)len : -1, rows[i].len);
	}
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
