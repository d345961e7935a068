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

#define NAMES                                                                          \
	"drizzle1, drizzle, manifest, diesel, flyway, golang-migrate, goose, dbmate, " \
	"sequence, sqlx"

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
test_names_lists_every_row(void **state)
{
	(void)state;
	assert_string_equal(layout_names(), NAMES);
	assert_string_equal(layout_names(), NAMES);
}

static void
test_rows_are_complete(void **state)
{
	static const struct layout *const rows[] = { &layout_drizzle, &layout_drizzle1,
		&layout_manifest, &layout_diesel, &layout_flyway, &layout_golang_migrate,
		&layout_goose, &layout_dbmate, &layout_sequence, &layout_sqlx };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_non_null(strstr(layout_names(), rows[i]->name));
		assert_string_not_equal(rows[i]->summary, "");
		assert_string_not_equal(rows[i]->tracking, "");
		assert_non_null(strstr(layout_samples(), rows[i]->sample));
		/* the way on that the plan prints */
		if (rows[i]->remedy)
			assert_non_null(strstr(rows[i]->remedy, "out_of_order = apply"));
	}
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
		cmocka_unit_test(test_names_lists_every_row),
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_detect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
