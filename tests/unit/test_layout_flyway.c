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
		{ "V1__add_users.sql", "A;\r\n" },
		{ "V1.10__b.sql", "B;" },
		{ "V1_9__c__d.sql", "C;" },
		{ "V20240101120000.SQL", "D;" },
		{ "V3__$.sql", "E ${x};" },
		{ "V3__$.sql.conf",
		    "# comment\n\nplaceholderReplacement=false\n"
		    "executeInTransaction=false\nencoding=UTF-8" },
		{ "V4__f.sql", "F;" },
		{ "V4__f.sql.conf",
		    "executeInTransaction=true\nplaceholderReplacement=true\n" },
		{ "U1.0__add_users.sql", "-A;" },
		{ "README.md", "" },
		{ "data.csv", "" },
		{ NULL, NULL },
	};
	static const struct layouts_migration rows[] = {
		{ "V1__add_users", "1", "add users", "A;\r\n", "U1.0__add_users.sql",
		    "-A;", false, false },
		{ "V1_9__c__d", "1.9", "c  d", "C;", NULL, NULL, false, false },
		{ "V1.10__b", "1.10", "b", "B;", NULL, NULL, false, false },
		{ "V4__f", "4", "f", "F;", NULL, NULL, false, false },
		{ "V20240101120000", "20240101120000", "", "D;", NULL, NULL, false,
		    false },
	};
	struct folder *folder = layouts_load(NULL, files);

	(void)state;
	assert_ptr_equal(folder->layout, &layout_flyway);
	assert_int_equal(folder->n_problems, 1); /* the $ in a name */
	assert_int_equal(folder->n_migrations, 6);
	assert_true(folder->migrations[3]->no_transaction);
	assert_non_null(strstr(folder->migrations[3]->problem->text, "character '$'"));
	memmove(&folder->migrations[3], &folder->migrations[4],
	    2 * sizeof(folder->migrations[0]));
	folder->n_migrations = 5;
	layouts_check(folder, rows, ARRAY_SIZE(rows));
	assert_string_equal(
	    migration_recorded_checksum(folder->migrations[1]), "730261277");
	for (size_t i = 1; i < folder->n_migrations; i++)
		assert_true(
		    folder->migrations[i - 1]->order < folder->migrations[i]->order);
	folder_unref(folder);
}

static void
test_files_that_are_refused(void **state)
{
	static const struct {
		const char *text, *conf, *says;
		unsigned line;
	} rows[] = {
		{ "A;\n B ${schema}.c;", NULL,
		    "Flyway puts a value in for ${schema}, migrationd", 2 },
		{ "A ${", NULL, "Flyway puts a value in for ${, migrationd", 1 },
		{ "A ${0123456789012345678901234567890123456789}", NULL,
		    "in for ${01234567890123456789012345678901234567, m", 1 },
		{ "A;", "shouldExecute=false", "line 1 of its .conf asks", 0 },
		{ "A;", "encoding=UTF-8\nencoding=latin1\n",
		    "line 2 of its .conf asks Flyway for something else: encoding=latin1",
		    0 },
		{ "\xFF", NULL, "not valid UTF-8", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct layouts_file files[] = { { "V1__a.sql", rows[i].text },
			{ rows[i].conf ? "V1__a.sql.conf" : NULL, rows[i].conf },
			{ NULL, NULL } };
		struct folder *folder = layouts_load("flyway", files);

		layouts_check_problem(
		    folder, false, "V1__a.sql", rows[i].line, rows[i].says);
		assert_non_null(folder->migrations[0]->problem);
		folder_unref(folder);
	}
}

static void
test_other_files(void **state)
{
	static const struct layouts_other rows[] = {
		{ "V1.0__b.sql", true, "have the same version", "V1__a.sql" },
		{ "V2__B.java", true, "a program cannot be run here", NULL },
		{ "V2__b.sh", true, "a program cannot be run here", NULL },
		{ "Helper.java", false, NULL, NULL },
		{ "B1__b.sql", false, NULL, NULL },
		{ "B2__b.sql", false, NULL, NULL },
		{ "R__views.sql", false, "a repeatable migration", NULL },
		{ "beforeMigrate.sql", false, "a callback of Flyway's", NULL },
		{ "afterEachMigrate__x.sql", false, "a callback of Flyway's", NULL },
		{ "createSchema.sql", false, "a callback of Flyway's", NULL },
		{ "seed.sql", false, "Flyway passes it over", NULL },
		{ "V__b.sql", false, "Flyway passes it over", NULL },
		{ "Vx__b.sql", false, "Flyway passes it over", NULL },
		{ "v2__b.sql", false, "Flyway passes it over", NULL },
		{ "U2__b.sql", false, "an undo migration whose", NULL },
		{ "U1__b.sql", false, NULL, NULL },
		{ "more/V2__b.sql", true, "in this sub-folder", "more" },
		{ "more/b.sql", false, NULL, NULL },
		{ "LICENSE", false, NULL, NULL },
	};

	(void)state;
	layouts_check_others("flyway", "V1__a.sql", "A;", rows, ARRAY_SIZE(rows));
}

static void
test_what_stands_in(void **state)
{
	static const struct layouts_file files[] = { { "V1__a.sql", "" },
		{ "V2__b.sql", "" }, { "B2.0__all.sql", "" }, { "V3__c.sql", "" },
		{ "B1__old.sql", "" }, { NULL, NULL } };
	static const char *const ids[] = { "V1__a", "B1__old", "V2__b", "B2.0__all",
		"V3__c" };
	struct folder *folder = layouts_load("flyway", files);

	(void)state;
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, ARRAY_SIZE(ids));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_string_equal(folder->migrations[i]->id, ids[i]);
		assert_int_equal(folder->migrations[i]->stands_in, ids[i][0] == 'B');
	}
	folder_unref(folder);
}

/* Where a version stands that the folder does not have. */
static void
test_place(void **state)
{
	static const struct layouts_file files[] = { { "V1__a.sql", "" },
		{ "V1.5__b.sql", "" }, { "V10__c.sql", "" }, { NULL, NULL } };
	static const struct {
		const char *version;
		bool found;
		int64_t order;
	} rows[] = {
		{ "0.9", true, 1 },
		{ "1", true, 2 },
		{ "1.0.0", true, 2 },
		{ "1.4", true, 3 },
		{ "1.50", true, 5 },
		{ "10", true, 6 },
		{ "11", true, 7 },
		{ "x", false, 0 },
	};
	struct folder *folder = layouts_load("flyway", files);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t order = 0;

		assert_int_equal(
		    layout_flyway.place(folder, rows[i].version, &order), rows[i].found);
		assert_int_equal(order, rows[i].order);
	}
	folder_unref(folder);
}

/* A link that leads out of the folder is nobody's settings. */
static void
test_settings_that_cannot_be_read(void **state)
{
	char *dir = tempdir_make();
	char path[1024];
	struct folder *folder = NULL;

	(void)state;
	tempdir_text(dir, "V1__a.sql", "A;");
	tempdir_link(dir, "V1__a.sql.conf", "/etc/passwd");
	assert_int_equal(mkdir(tempdir_path(path, dir, "V2__b.sql"), 0755), 0);
	folder = folder_load(dir, "flyway", NULL, 0);
	assert_int_equal(
	    folder->migrations[0]->problem->category, CAT_SECURITY_VIOLATION);
	assert_string_equal(migration_recorded_checksum(folder->migrations[1]), "");
	assert_non_null(folder_blocker(folder));
	folder_unref(folder);
	tempdir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_migrations),
		cmocka_unit_test(test_files_that_are_refused),
		cmocka_unit_test(test_other_files),
		cmocka_unit_test(test_what_stands_in),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_settings_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
