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
#include "core/schema.h"

static void
test_order_and_find(void **state)
{
	static const char *const names[] = { "d", "a", "e", "c", "b" };
	struct schema *schema = schema_new(NULL);
	struct err err = { 0 };

	(void)state;
	schema_sort(schema);
	assert_null(schema_find(schema, "table a"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct schema_item item = { "table", names[i], "schema x", "plain", false,
			NULL };

		assert_int_equal(schema_add(schema, &item, &err), 0);
	}
	schema_sort(schema);
	assert_int_equal(schema->n_items, ARRAY_SIZE(names));
	for (size_t i = 1; i < schema->n_items; i++)
		assert_true(strcmp(schema->items[i - 1].key, schema->items[i].key) < 0);
	assert_string_equal(schema_find(schema, "table c")->name, "c");
	assert_string_equal(schema_find(schema, "table c")->parent, "schema x");
	assert_string_equal(schema_find(schema, "table c")->definition, "plain");
	assert_null(schema_find(schema, "column c"));
	talloc_free(schema);
}

static void
test_bounds(void **state)
{
	struct schema_item item = { "table", "a", "", "", false, NULL };
	struct schema *schema = schema_new(NULL);
	struct err err = { 0 };

	(void)state;
	schema->bytes = BOUND_SCHEMA_BYTES - 7;
	assert_int_equal(schema_add(schema, &item, &err), 0);
	assert_int_equal(schema->bytes, BOUND_SCHEMA_BYTES);
	assert_int_equal(schema_add(schema, &item, &err), -1);
	assert_int_equal(err.category, CAT_CONFIGURATION);
	assert_int_equal(schema->n_items, 1);
	talloc_free(schema);
}

static void
test_too_many(void **state)
{
	struct schema_item item = { "t", "a", "", "", false, NULL };
	struct schema *schema = schema_new(NULL);
	struct err err = { 0 };

	(void)state;
	schema->n_items = BOUND_SCHEMA_ITEMS;
	assert_int_equal(schema_add(schema, &item, &err), -1);
	assert_non_null(strstr(err.text, "too large"));
	talloc_free(schema);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_find),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
