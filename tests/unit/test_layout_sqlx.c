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
		{ "20240102_b.sql", "-- no-transaction\nB;" },
		{ "1_add_users.up.sql", "A;" },
		{ "1_add_users.down.sql", "-A;" },
		{ "30_c.sql.sql", "" },
		{ "30_c.down.sql", "-- no-transaction\n-C;" },
		{ "40_.sql", "D;" },
		{ NULL, NULL },
	};
	static const struct layouts_migration rows[] = {
		{ "1_add_users", "1", "add users", "A;", "1_add_users.down.sql", "-A;",
		    false, false },
		{ "30_c.sql", "30", "c", "", "30_c.down.sql", "-- no-transaction\n-C;",
		    false, false },
		{ "40_", "40", "", "D;", NULL, NULL, false, false },
		{ "20240102_b", "20240102", "b", "-- no-transaction\nB;", NULL, NULL,
		    true, false },
	};
	struct folder *folder = layouts_load("sqlx", files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_sqlx);
	assert_int_equal(folder->n_problems, 0);
	layouts_check(folder, rows, ARRAY_SIZE(rows));
	/* of nothing */
	assert_string_equal(migration_recorded_checksum(folder->migrations[1]),
	    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	    "274edebfe76f65fbd51ad2f14898b95b");
	folder_unref(folder);
}

static void
test_other_files(void **state)
{
	static const struct layouts_other rows[] = {
		{ "seed.sql", false, "not named as a migration", NULL },
		{ "2_x.down.sql", false, "a down migration whose migration is not there",
		    NULL },
		{ "1_b.up.sql", true, "1_a.sql and 1_b.up.sql have the same number",
		    NULL },
		{ "2 b_c.sql", false, "not named as a migration", NULL },
	};

	(void)state;
	layouts_check_others("sqlx", "1_a.sql", "A;", rows, ARRAY_SIZE(rows));
}

/* Its files are as those of others: nobody is taken for sqlx by the look. */
static void
test_is_never_detected(void **state)
{
	static const struct layouts_file files[] = { { "1_a.sql", "A;" },
		{ NULL, NULL } };
	struct folder *folder = layouts_load(NULL, files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_sequence);
	folder_unref(folder);
}

static void
test_a_file_that_cannot_be_read(void **state)
{
	char *dir = tempdir_make();
	char path[1024];
	struct folder *folder = NULL;

	(void)state;
	assert_int_equal(mkdir(tempdir_path(path, dir, "1_a.sql"), 0755), 0);
	folder = folder_load(dir, "sqlx", NULL, 0);
	assert_string_equal(migration_recorded_checksum(folder->migrations[0]), "");
	folder_unref(folder);
	tempdir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_is_never_detected),
		cmocka_unit_test(test_a_file_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
