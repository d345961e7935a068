/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layouts.h"

/* The files beside each list. */
#define FILES                                                          \
	{ "001-enums.sql", "A;\n-- ROLLBACK SQL\n-- DROP TYPE a;\n" }, \
	    { "11_jobs.sql", "B;" }, { "010-repos.sql", "C;" },        \
	    { "010-repos.down.sql", "-C;" }, { "010-more.sql", "D;" }, \
	    { "plain.sql", "E;" }, { "README.md", "" },                \
	{                                                              \
		NULL, NULL                                             \
	}

static const struct layouts_migration in_order[] = {
	{ "001-enums", "001", "enums", "A;\n-- ROLLBACK SQL\n-- DROP TYPE a;\n",
	    "001-enums.sql", "\n   DROP TYPE a;", false, false },
	{ "11_jobs", "11", "jobs", "B;", NULL, NULL, false, false },
	{ "010-repos", "010", "repos", "C;", "010-repos.down.sql", "-C;", false, false },
	{ "010-more", "010-more", "more", "D;", NULL, NULL, false, false },
	{ "plain", "plain", "plain", "E;", NULL, NULL, false, false },
};

static void
test_lists(void **state)
{
	static const struct {
		const char *name, *text;
		unsigned line; /* of the third */
	} rows[] = {
		{ "manifest.txt",
		    "# in order\n001-enums.sql\n\n11_jobs.sql # a comment\r\n"
		    "\t010-repos.sql \n010-more.sql\nplain.sql",
		    5 },
		{ "manifest.json",
		    "[\"001-enums.sql\", \"11_jobs.sql\",\n\"010-repos.sql\", "
		    "\"010-more.sql\",\n\"plain.sql\"]",
		    2 },
		{ "manifest.json",
		    "{ \"[\\\"]\": \"x.sql\", \"n\": 1,\n\"first\": [\"001-enums.sql\"],\n"
		    "\"none\": [], \"more\": [\n\"11_jobs.sql\",\n"
		    "\"010-repos.sql\", \"010-more.sql\", \"plain.sql\"] }",
		    5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct layouts_file files[] = { { rows[i].name, rows[i].text },
			FILES };
		struct folder *folder = layouts_load(NULL, files);

		assert_ptr_equal(folder->layout, &layout_manifest);
		assert_string_equal(folder->list, rows[i].name);
		assert_int_equal(folder->n_problems, 0);
		layouts_check(folder, in_order, ARRAY_SIZE(in_order));
		assert_int_equal(folder->migrations[2]->order, 3);
		assert_int_equal(folder->migrations[2]->listing.line, rows[i].line);
		folder_unref(folder);
	}
}

static void
test_problems(void **state)
{
	static const struct {
		const char *name, *text, *says;
		unsigned line;
		enum migration_state state;
	} rows[] = {
		{ "manifest.txt", "a.sql\n\na.sql",
		    "a.sql is listed twice, first in line 1", 3, MIGRATION_INVALID },
		{ "manifest.txt", "a.sql\nb.sql", "b.sql is listed, but there is no such",
		    2, MIGRATION_MISSING },
		{ "manifest.txt", "a.sql\nb", "b is not the name of an SQL file", 2,
		    MIGRATION_INVALID },
		{ "manifest.txt", "a.sql\nx/b.sql", "the character '/'", 2,
		    MIGRATION_INVALID },
		{ "manifest.txt", "a.sql\n.sql", "begins with '.'", 2,
		    MIGRATION_INVALID },
		{ "manifest.json", "[\"a.sql\",\n\"\\u0062.sql\"]", "the character '\\'",
		    2, MIGRATION_INVALID },
		{ "manifest.json", "[\"a.sql\",\n", "not valid JSON", 2,
		    MIGRATION_INVALID },
		{ "manifest.json", "[\"a.sql\", 1]", "neither an array of file names", 0,
		    MIGRATION_INVALID },
		{ "manifest.json", "{ \"a\": \"a.sql\" }", "neither an array", 0,
		    MIGRATION_INVALID },
		{ "manifest.json", "{ \"a\": [\"a.sql\", 1] }",
		    "\"a\" is not an array of file names", 0, MIGRATION_INVALID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct layouts_file files[] = { { rows[i].name, rows[i].text },
			{ "a.sql", "A;" }, { NULL, NULL } };
		struct folder *folder = layouts_load("manifest", files);

		layouts_check_problem(
		    folder, true, rows[i].name, rows[i].line, rows[i].says);
		assert_int_equal(folder->problems[0].state, rows[i].state);
		folder_unref(folder);
	}
}

static void
test_files_that_are_not_listed(void **state)
{
	static const struct layouts_file files[] = { { "manifest.txt", "a.sql" },
		{ "a.sql", "A;" }, { "a.down.sql", "-A;" }, { "b.down.sql", "B;" },
		{ NULL, NULL } };
	struct folder *folder = layouts_load("manifest", files);

	(void)state;
	layouts_check_problem(folder, false, "b.down.sql", 0,
	    "not listed in manifest.txt, so it is not run");
	assert_int_equal(folder->n_unregistered, 1);
	folder_unref(folder);
}

/* One that is named, and one of the usual name that is not there. */
static void
test_the_name_of_the_list(void **state)
{
	char *dir = tempdir_make();
	struct folder *folder = NULL;
	int64_t order;

	(void)state;
	tempdir_text(dir, "migrations.json", "[\"a.sql\"]");
	tempdir_text(dir, "a.sql", "A;");
	folder = folder_load(dir, "auto", "migrations.json", 0);
	assert_ptr_equal(folder->layout, &layout_manifest);
	assert_string_equal(folder->list, "migrations.json");
	assert_int_equal(folder->n_migrations, 1);
	assert_false(layout_manifest.place(folder, "1", &order));
	folder_unref(folder);

	folder = folder_load(dir, "manifest", NULL, 0);
	assert_string_equal(folder_blocker(folder)->err.file, "manifest.txt");
	assert_int_equal(folder_blocker(folder)->err.category, CAT_RESOURCE_NOT_FOUND);
	folder_unref(folder);
	tempdir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_files_that_are_not_listed),
		cmocka_unit_test(test_the_name_of_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
