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
#include "core/drift.h"

#define ITEMS_MAX 4

static struct schema *
build(const void *ctx, const struct schema_item *items)
{
	struct schema *schema = schema_new(ctx);
	struct err err = { 0 };

	for (size_t i = 0; i < ITEMS_MAX && items[i].kind != NULL; i++)
		assert_int_equal(schema_add(schema, &items[i], &err), 0);
	schema_sort(schema);
	return schema;
}

#define X10(s) s s s s s s s s s s

static void
test_sentences(void **state)
{
	static const struct {
		struct schema_item database[ITEMS_MAX];
		struct schema_item folder[ITEMS_MAX];
		const char *difference; /* NULL: none */
	} rows[] = {
		{ { { 0 } }, { { 0 } }, NULL },
		{ { { "table", "a", "", "", false, NULL } },
		    { { "table", "a", "", "", false, NULL } }, NULL },
		{ { { 0 } }, { { "table", "a", "", "", false, NULL } },
		    "table a is missing in the database" },
		{ { { "table", "a", "", "", false, NULL } }, { { 0 } },
		    "table a is in the database, and the folder does not make it" },
		/* its parts go without saying, on either side */
		{ { { 0 } },
		    { { "table", "a", "", "", false, NULL },
			{ "column", "a.x", "table a", "text", false, NULL } },
		    "table a is missing in the database" },
		{ { { "table", "a", "", "", false, NULL },
		      { "column", "a.x", "table a", "text", false, NULL } },
		    { { 0 } },
		    "table a is in the database, and the folder does not make it" },
		{ { { "table", "a", "", "", false, NULL },
		      { "column", "a.x", "table a", "text", false, NULL } },
		    { { "table", "a", "", "", false, NULL } },
		    "column a.x is in the database, and the folder does not make it" },
		{ { { "column", "a.x", "table a", "text", false, NULL } },
		    { { "column", "a.x", "table a", "integer", false, NULL } },
		    "column a.x is text, the folder says integer" },
		{ { { "table", "a", "", "", false, NULL } },
		    { { "table", "a", "", "UNLOGGED", false, NULL } },
		    "table a is plain, the folder says UNLOGGED" },
		{ { { "view", "v", "", "SELECT 1\n FROM a\n WHERE b", false, NULL } },
		    { { "view", "v", "", "SELECT 1\n FROM a", false, NULL } },
		    "view v differs from line 3 on: \" WHERE b\", the folder says nothing" },
		{ { { "view", "v", "", "SELECT 1\n FROM b", false, NULL } },
		    { { "view", "v", "", "SELECT 1\n FROM c", false, NULL } },
		    "view v differs from line 2 on: \" FROM b\", the folder says \" FROM c\"" },
		{ { { "view", "v", "", "\n", false, NULL } },
		    { { "view", "v", "", "", false, NULL } },
		    "view v differs from line 2 on: nothing, the folder says nothing" },
		{ { { "view", "v", "",
		      X10("0123456789") X10("0123456789") "\xc3\xa4 and more", false,
		      NULL } },
		    { { "view", "v", "", "1", false, NULL } },
		    "view v differs from line 1 on: \"" X10("0123456789")
			X10("0123456789") "...\", the folder says \"1\"" },
		{ { { "view", "v", "",
		      "x" X10("012345678\xc3\xa4") X10("012345678\xc3\xa4"), false,
		      NULL } },
		    { { "view", "v", "", "1", false, NULL } }, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct drift *drift = drift_compare(
		    ctx, build(ctx, rows[i].database), build(ctx, rows[i].folder));

		assert_int_equal(drift->n, rows[i].difference != NULL);
		assert_int_equal(drift->n_more, 0);
		if (rows[i].difference != NULL && rows[i].difference[0] != '\0')
			assert_string_equal(drift->differences[0], rows[i].difference);
		talloc_free(ctx);
	}
}

static void
test_bound(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct schema *a = schema_new(ctx), *b = schema_new(ctx);
	struct err err = { 0 };
	char name[16];
	struct schema_item item = { "table", name, "", "", false, NULL };

	(void)state;
	for (unsigned i = 0; i < BOUND_DRIFT + 3; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		assert_int_equal(schema_add(a, &item, &err), 0);
	}
	schema_sort(a);
	struct drift *drift = drift_compare(ctx, a, b);
	assert_int_equal(drift->n, BOUND_DRIFT);
	assert_int_equal(drift->n_more, 3);
	talloc_free(ctx);
}

/* What a database has for other reasons, and all that is a part of it. */
static void
test_given(void **state)
{
	static const struct schema_item database[] = {
		{ "schema", "auth", "", "", true, NULL },
		{ "table", "auth.users", "schema auth", "", false, NULL },
		{ "column", "auth.users.id", "table auth.users", "text", false, NULL },
		{ NULL, NULL, NULL, NULL, false, NULL },
	};
	void *ctx = mem_context(NULL, "test");
	struct schema *with = build(ctx, database), *without = schema_new(ctx);

	(void)state;
	assert_int_equal(drift_compare(ctx, with, without)->n, 0);
	/* the folder makes it: then it is to be there, too, and the same */
	assert_int_equal(drift_compare(ctx, without, with)->n, 1);
	talloc_free(ctx);
}

static void
test_refuse(void **state)
{
	static char a[] = "table a is missing in the database";
	static char b[] = "table b is missing in the database";
	char *lines[] = { a, b };
	char *one = mem_printf(NULL, "%4000s", "x");
	char *wide[] = { one, one, one };
	struct err err = { 0 };

	(void)state;
	drift_refuse(&(struct drift){ lines, 1, 0 }, &err);
	assert_int_equal(err.category, CAT_CONFIGURATION);
	assert_non_null(strstr(err.text, "makes: 1 difference"));
	assert_null(strstr(err.text, "differences"));
	assert_non_null(strstr(err.hint, "record less"));
	assert_string_equal(err.detail, lines[0]);

	err = (struct err){ 0 };
	drift_refuse(&(struct drift){ lines, 2, 40 }, &err);
	assert_non_null(strstr(err.text, "42 differences"));
	assert_string_equal(err.detail,
	    "table a is missing in the database\ntable b is missing in the database\n"
	    "and 40 more");
	/* more than there is room for */
	err = (struct err){ 0 };
	drift_refuse(&(struct drift){ wide, 3, 0 }, &err);
	assert_non_null(strstr(err.detail, "and 3 more"));
	talloc_free(one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_given),
		cmocka_unit_test(test_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
