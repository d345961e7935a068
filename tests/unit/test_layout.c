/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/layout.h"
#include "tempdir.h"

static void
test_find(void **state)
{
	(void)state;
	assert_ptr_equal(layout_find("drizzle"), &layout_drizzle);
	assert_ptr_equal(layout_find("drizzle1"), &layout_drizzle1);
	assert_ptr_equal(layout_find("sequence"), &layout_sequence);
	assert_null(layout_find("auto"));
	assert_null(layout_find(""));
}

static void
test_rows_are_complete(void **state)
{
	void *ctx = mem_context(NULL, "test");
	char *samples = layout_samples(ctx);
	const char *name = NULL;
	size_t n = 0;

	(void)state;
	for (; (name = layout_name(n)) != NULL; n++) {
		const struct layout *row = layout_find(name);

		assert_string_equal(row->name, name);
		assert_string_not_equal(row->summary, "");
		assert_string_not_equal(row->tracking, "");
		assert_non_null(
		    strstr(samples, mem_printf(ctx, "%s (%s)", name, row->sample)));
		/* the way on that the plan prints */
		if (row->remedy)
			assert_non_null(strstr(row->remedy, "out_of_order = apply"));
	}
	assert_true(n >= 10);
	talloc_free(ctx);
	assert_string_equal(layout_drizzle.tracking, "drizzle");
	assert_string_equal(layout_drizzle1.tracking, "drizzle1");
	assert_string_equal(layout_sequence.tracking, "schema_migrations");
}

static void
test_detect(void **state)
{
	static const struct {
		const char *file;
		const struct layout *layout;
	} rows[] = {
		{ "README.md", NULL },
		{ "init.sql", NULL },
		{ "0001_a.sql", &layout_sequence },
		{ "0002_a.up.sql", &layout_golang_migrate },
		{ "V1__a.sql", &layout_flyway },
		{ "2026-01-02-030405_a/up.sql", &layout_diesel },
		{ "manifest.json", &layout_manifest },
		{ "meta/_journal.json", &layout_drizzle },
		{ "20261120055812_a/migration.sql", &layout_drizzle1 },
	};
	char *path = tempdir_make();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct file_list root = { 0 };
		struct file_dir *dir = NULL;
		struct err err = { 0 };

		tempdir_text(path, rows[i].file, "");
		assert_int_equal(file_dir_open(ctx, path, &dir, &err), 0);
		assert_int_equal(file_dir_list(dir, ctx, "", &root, &err), 0);
		assert_ptr_equal(layout_detect(dir, &root), rows[i].layout);
		talloc_free(ctx);
	}
	tempdir_remove(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
