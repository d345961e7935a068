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
	static const struct {
		const char *file;
		bool blocks;
		const char *says; /* NULL: nothing is said */
	} rows[] = {
		{ "2_x.sql", false, "golang-migrate passes it over" },
		{ "x.up.sql", false, "golang-migrate passes it over" },
		{ "2_x.down.sql", false,
		    "a down migration whose migration is not there" },
		{ "2_x.txt", false, NULL },
		{ "01_x.up.sql", true,
		    "01_x.up.sql and 1_a.up.sql have the same number" },
		{ "1_x.down.sql", false, NULL },
		{ "1234567890123456789_x.up.sql", true, "the number has 19 digits" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct layouts_file files[] = { { "1_a.up.sql", "A;" },
			{ rows[i].file, "B;" }, { NULL, NULL } };
		struct folder *folder = layouts_load("golang-migrate", files);

		if (rows[i].says)
			layouts_check_problem(folder, rows[i].blocks,
			    i == 4 ? "1_a.up.sql" : rows[i].file, 0, rows[i].says);
		else
			assert_int_equal(folder->n_problems, 0);
		folder_unref(folder);
	}
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
