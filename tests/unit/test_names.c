/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/names.h"

static const char *
none(size_t i UNUSED)
{
	return NULL;
}

static const char *
one(size_t i)
{
	return i == 0 ? "drizzle" : NULL;
}

static const char *
three(size_t i)
{
	static const char *const names[] = { "drizzle", "", "sqlx" };

	return i < ARRAY_SIZE(names) ? names[i] : NULL;
}

static const char *
many(size_t i)
{
	return i < 10000 ? "a-name-of-some-length" : NULL;
}

static void
test_list(void **state)
{
	void *ctx = mem_context(NULL, "test");
	char *list = names_list(ctx, three);

	(void)state;
	assert_string_equal(list, "drizzle, , sqlx");
	assert_ptr_equal(talloc_parent(list), ctx);
	assert_string_equal(names_list(ctx, none), "");
	assert_string_equal(names_list(ctx, one), "drizzle");
	talloc_free(ctx);
}

/* However many there are: not one is left out. */
static void
test_many(void **state)
{
	void *ctx = mem_context(NULL, "test");
	char *list = names_list(ctx, many);

	(void)state;
	assert_int_equal(strlen(list), 10000 * strlen(many(0)) + 9999 * strlen(", "));
	assert_string_equal(list + strlen(list) - strlen(many(0)), many(0));
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
