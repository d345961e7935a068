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
		{ "2019-02-26-002946_create_user/up.sql", "B;" },
		{ "2019-02-26-002946_create_user/down.sql", "-B;" },
		{ "00000000000000_diesel_initial_setup/up.sql", "A;" },
		{ "20200101000000/up.sql", "C;" },
		{ "2020-01-02-000000_no/up.sql", "D;" },
		{ "2020-01-02-000000_no/metadata.toml",
		    "# alone\n\n run_in_transaction = false # so\n" },
		{ "2020-01-03-000000_yes/up.sql", "E;" },
		{ "2020-01-03-000000_yes/metadata.toml", "run_in_transaction=true" },
		{ "2020-01-04-000000_unsaid/up.sql", "F;" },
		{ "2020-01-04-000000_unsaid/metadata.toml", "" },
		{ "empty/README", "" },
		{ "README", "" },
		{ NULL, NULL },
	};
	static const struct layouts_migration rows[] = {
		{ "00000000000000_diesel_initial_setup", "00000000000000",
		    "diesel_initial_setup", "A;", NULL, NULL, false, false },
		{ "2019-02-26-002946_create_user", "20190226002946", "create_user", "B;",
		    "2019-02-26-002946_create_user/down.sql", "-B;", false, false },
		{ "20200101000000", "20200101000000", "20200101000000", "C;", NULL, NULL,
		    false, false },
		{ "2020-01-02-000000_no", "20200102000000", "no", "D;", NULL, NULL, true,
		    false },
		{ "2020-01-03-000000_yes", "20200103000000", "yes", "E;", NULL, NULL,
		    false, false },
		{ "2020-01-04-000000_unsaid", "20200104000000", "unsaid", "F;", NULL,
		    NULL, true, false },
	};
	struct folder *folder = layouts_load(NULL, files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_diesel);
	assert_int_equal(folder->n_problems, 0);
	layouts_check(folder, rows, ARRAY_SIZE(rows));
	assert_string_equal(
	    folder->migrations[1]->file, "2019-02-26-002946_create_user/up.sql");
	assert_true(folder->migrations[1]->order == INT64_C(20190226002946));
	folder_unref(folder);
}

static void
test_other_folders(void **state)
{
	static const struct {
		const char *file, *where, *text;
		bool blocks;
		const char *says;
	} rows[] = {
		{ "2_b.sql", "2_b.sql", "", false, "diesel passes it over" },
		{ "old/up.sql", "old", "", true, "is not a number of at most 18 digits" },
		{ "2020-01-01x_b/up.sql", "2020-01-01x_b", "", true, "is not a number" },
		{ "1234567890123456789_b/up.sql", "1234567890123456789_b", "", true,
		    "is not a number of at most 18" },
		{ "3-0_b/up.sql", "3-0_b", "", true,
		    "30_a and 3-0_b have the same version" },
		{ "4_b/up.sql", "4_b", "", true, "diesel runs 30_a before 4_b" },
		{ "30_a/metadata.toml", "30_a/up.sql", "run_in_transaction = no", false,
		    "line 1 of its metadata.toml" },
		{ "30_a/metadata.toml", "30_a/up.sql", "[x]", false, "line 1 of its" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct layouts_file files[] = { { "30_a/up.sql", "A;" },
			{ rows[i].file, rows[i].text }, { NULL, NULL } };
		struct folder *folder = layouts_load("diesel", files);

		if (i == 4) /* either may be the second */
			assert_int_equal(folder->n_problems, 1);
		else
			layouts_check_problem(
			    folder, rows[i].blocks, rows[i].where, 0, rows[i].says);
		folder_unref(folder);
	}
}

static void
test_settings_that_are_too_long(void **state)
{
	char *dir = tempdir_make();
	char *text = calloc(1, (1u << 20) + 2);
	struct folder *folder = NULL;

	(void)state;
	memset(text, '#', (1u << 20) + 1);
	tempdir_text(dir, "1_a/up.sql", "A;");
	tempdir_text(dir, "1_a/metadata.toml", text);
	folder = folder_load(dir, "diesel", NULL, 0);
	assert_int_equal(folder->migrations[0]->problem->category, CAT_CONFIGURATION);
	folder_unref(folder);
	free(text);
	tempdir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_other_folders),
		cmocka_unit_test(test_settings_that_are_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
