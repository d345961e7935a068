/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"

static void
test_migrations(void **state)
{
	static const struct layouts_file files[] = {
		{ "000010_c_d.up.sql", "C;" },
		{ "1_a.up.sql", "A;" },
		{ "1_undo_a.down.sql", "-A;" },
		{ "2_b.down.x.up.pgsql", "B;" },
		{ "02_b.down.sql", "-B;" },
		{ "README.md", "" },
		{ NULL, NULL },
	};
	static const struct layouts_migration rows[] = {
		{ "1_a", "1", "a", "A;", "1_undo_a.down.sql", "-A;", false, false },
		{ "2_b.down.x", "2", "b.down.x", "B;", "02_b.down.sql", "-B;", false,
		    false },
		{ "000010_c_d", "10", "c_d", "C;", NULL, NULL, false, false },
	};
	struct folder *folder = layouts_load("golang-migrate", files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_golang_migrate);
	assert_int_equal(folder->n_problems, 0);
	layouts_check(folder, rows, ARRAY_SIZE(rows));
	folder_unref(folder);
}

static void
test_other_files(void **state)
{
	static const struct layouts_other rows[] = {
		{ "2_x.sql", false, "golang-migrate passes it over", NULL },
		{ "x.up.sql", false, "golang-migrate passes it over", NULL },
		{ "2_x.down.sql", false, "a down migration whose migration is not there",
		    NULL },
		{ "2_x.txt", false, NULL, NULL },
		{ "01_x.up.sql", true, "01_x.up.sql and 1_a.up.sql have the same number",
		    "1_a.up.sql" },
		{ "1_x.down.sql", false, NULL, NULL },
		{ "1234567890123456789_x.up.sql", true, "the number has 19 digits",
		    NULL },
	};

	(void)state;
	layouts_check_others(
	    "golang-migrate", "1_a.up.sql", "A;", rows, ARRAY_SIZE(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
