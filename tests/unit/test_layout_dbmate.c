/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"

#define UP   "-- migrate:up\n"
#define DOWN "-- migrate:down\n"

static void
test_migrations(void **state)
{
	static const struct layouts_file files[] = {
		{ "20240101000000_a.sql",
		    "-- a comment\n\n  -- one more\n" UP "A;\n" DOWN "-A;\n" },
		{ "20240102000000_b_c.sql",
		    "--migrate:up x:y transaction:false\r\nB;\n"
		    "--  migrate:down transaction:true transaction:false" },
		{ "20240103000000.sql",
		    "-- migrate:up transaction:false transaction:\nC;" },
		{ "20240104000000_d.sql",
		    "-- migrate:up transaction:falsey\n-- migrate:upper" },
		{ NULL, NULL },
	};
	static const struct layouts_migration rows[] = {
		{ "20240101000000_a", "20240101000000", "a", "A;\n",
		    "20240101000000_a.sql", "-A;\n", false, false },
		{ "20240102000000_b_c", "20240102000000", "b_c", "B;\n",
		    "20240102000000_b_c.sql", "", true, true },
		{ "20240103000000", "20240103000000", "20240103000000", "C;", NULL, NULL,
		    true, false },
		{ "20240104000000_d", "20240104000000", "d", "-- migrate:upper", NULL,
		    NULL, false, false },
	};
	struct folder *folder = layouts_load(NULL, files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_dbmate);
	assert_int_equal(folder->n_problems, 0);
	layouts_check(folder, rows, ARRAY_SIZE(rows));
	assert_int_equal(folder->migrations[0]->parts[0].line, 5);
	folder_unref(folder);
}

static void
test_files_that_are_refused(void **state)
{
	static const struct layouts_refused rows[] = {
		{ "", "there is no line \"-- migrate:up\"", 0 },
		{ "-- A\n", "there is no line \"-- migrate:up\"", 0 },
		{ "A;\n" UP, "SQL before", 1 },
		{ UP "A;\n" DOWN UP "B;\n" DOWN, "a second \"-- migrate:up\"", 4 },
		{ UP DOWN DOWN, "a second \"-- migrate:down\"", 3 },
		{ DOWN UP, "no \"-- migrate:up\" before \"-- migrate:down\"", 1 },
		{ UP "\xFF", "not valid UTF-8", 2 },
	};

	(void)state;
	layouts_check_refused("dbmate", rows, ARRAY_SIZE(rows));
}

static void
test_other_files(void **state)
{
	static const struct layouts_other rows[] = {
		{ "seed.sql", false, "dbmate passes it over", NULL },
		{ "9_c.sql", true, "the same number", NULL },
		{ "10_c.sql", true, "dbmate runs 10_c.sql before 9_b.sql", NULL },
	};

	(void)state;
	layouts_check_others("dbmate", "9_b.sql", UP, rows, ARRAY_SIZE(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_files_that_are_refused),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
