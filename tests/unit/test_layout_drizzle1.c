/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/folder.h"
#include "tempdir.h"

static void
add(const char *dir, const char *name, const char *sql)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/migration.sql", name);
	tempdir_text(dir, path, sql);
}

static void
test_a_folder_as_drizzle_kit_writes_it(void **state)
{
	struct folder *folder = NULL;
	const struct migration *m = NULL;
	char *snapshot = NULL;

	add(*state, "20231114221321_second", "SELECT 3;");
	add(*state, "20231114221320_first",
	    "SELECT 1;--> statement-breakpoint\nSELECT 2;");
	tempdir_text(*state, "20231114221320_first/snapshot.json", "not read");
	tempdir_text(*state, "README.md", "");
	tempdir_text(*state, "schema/users.ts", "");
	folder = folder_load(*state, NULL, NULL, 5);

	assert_ptr_equal(folder->layout, &layout_drizzle1);
	assert_null(folder->layout->remedy);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_unregistered, 0);
	assert_int_equal(folder->n_migrations, 2);
	m = folder->migrations[0];
	assert_string_equal(m->id, "20231114221320_first");
	assert_string_equal(m->version, "20231114221320_first");
	assert_string_equal(m->name, "first");
	assert_string_equal(m->file, "20231114221320_first/migration.sql");
	assert_int_equal(m->order, 1700000000000);
	assert_int_equal(m->n_parts, 2);
	snapshot = folder->layout->snapshot_file(NULL, m);
	assert_string_equal(snapshot, "20231114221320_first/snapshot.json");
	talloc_free(snapshot);
	assert_int_equal(folder->migrations[1]->position, 1);
	assert_int_equal(folder->migrations[1]->order, 1700000001000);
	folder_unref(folder);
}

/* As Node.js 20 sorts them with localeCompare. */
static void
test_order(void **state)
{
	static const char *const names[] = {
		"2024010100000_x",
		"20240101000000",
		"20240101000000__10",
		"20240101000000__9",
		"20240101000000_10",
		"20240101000000_9",
		"20240101000000_a",
		"20240101000000_A",
		"20240101000000_a_b",
		"20240101000000_a-b",
		"20240101000000_a.b",
		"20240101000000_a1",
		"20240101000000_ab",
		"20240101000000_aB",
		"20240101000000_Ab",
		"20240101000000_AB",
		"20240101000000-b",
		"20240101000001_a",
	};
	struct folder *folder = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add(*state, names[(i * 7) % ARRAY_SIZE(names)], "SELECT 1;");
	folder = folder_load(*state, "drizzle1", NULL, 0);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(folder->migrations[i]->id, names[i]);
	folder_unref(folder);
}

/* As Node.js 20 computes drizzle-orm's formatToMillis. */
static void
test_time_and_name(void **state)
{
	static const struct {
		const char *id;
		int64_t millis;
		const char *name;
	} rows[] = {
		{ "20231114221320_a", 1700000000000, "a" },
		{ "20231399256199_a", 1712628159000, "a" },
		{ "19700101000000", 0, "19700101000000" },
		{ "19700101000000_", 0, "19700101000000_" },
		{ "00990101000000_y", 915148800000, "y" },
		{ "01000101000000_y", -59011459200000, "y" },
		{ "20240001000000_m0", 1701388800000, "m0" },
		{ "2024010100000", 1704067200000, "2024010100000" },
		{ "2024010100000_x", 1704067200000, "2024010100000_x" },
		{ "2024010100000x", 1704067200000, "2024010100000x" },
		{ "2024-1-1-1-1-1_neg", 1698620339000, "2024-1-1-1-1-1_neg" },
		{ "-0010101000000_x", -62198755200000, "-0010101000000_x" },
		{ "20240101000060_late", 1704067260000, "late" },
		{ "99991231235959_z", 253402300799000, "z" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *dir = tempdir_make();
		struct folder *folder = NULL;

		(void)state;
		add(dir, rows[i].id, "");
		folder = folder_load(dir, NULL, NULL, 0);
		assert_int_equal(folder->n_problems, 0);
		assert_int_equal(folder->migrations[0]->order, rows[i].millis);
		assert_string_equal(folder->migrations[0]->name, rows[i].name);
		folder_unref(folder);
		tempdir_remove(dir);
	}
}

/* What drizzle-orm gets NaN for, which it can run and not record. */
static void
test_names_without_a_time(void **state)
{
	static const char *const names[] = { "init", "20240101_init", "202401010000",
		"2024.101000000_", "202401_1000000_x", "20240101_0000_x",
		"2024-x01000000_x", "2024010100_000_x", "202401010000_x",
		"x0240101000000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *dir = tempdir_make();
		struct folder *folder = NULL;

		add(dir, names[i], "SELECT 1;");
		folder = folder_load(dir, NULL, NULL, 0);
		assert_ptr_equal(folder->layout, &layout_drizzle1);
		assert_int_equal(folder->n_problems, 1);
		assert_false(folder->problems[0].blocks);
		assert_non_null(
		    strstr(folder->problems[0].err.text, "does not begin with a time"));
		assert_int_equal(err_exit_code(&folder->problems[0].err), EXIT_FILES);
		assert_non_null(folder->migrations[0]->problem);
		folder_unref(folder);
		tempdir_remove(dir);
	}
}

static void
test_what_is_not_run_is_noted(void **state)
{
	struct folder *folder = NULL;

	add(*state, "20231114221320_first", "SELECT 1;");
	tempdir_text(*state, "0000_old.sql", "SELECT 1;");
	tempdir_text(*state, "20231114221321_half/snapshot.json", "{}");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_migrations, 1);
	assert_int_equal(folder->n_unregistered, 2);
	assert_string_equal(folder->unregistered[0], "0000_old.sql");
	assert_string_equal(folder->unregistered[1], "20231114221321_half");
	assert_int_equal(folder->n_problems, 2);
	assert_false(folder->problems[0].blocks);
	assert_int_equal(folder->problems[0].state, MIGRATION_UNREGISTERED);
	assert_non_null(strstr(folder->problems[0].err.text, "folder of its own"));
	assert_string_equal(folder->problems[1].err.file, "20231114221321_half");
	assert_non_null(strstr(folder->problems[1].err.text, "no migration.sql"));
	folder_unref(folder);
}

/* drizzle-kit up that died in the middle, or two branches in one. */
static void
test_a_journal_beside_it(void **state)
{
	struct folder *folder = NULL;

	add(*state, "20231114221320_first", "SELECT 1;");
	tempdir_text(*state, "0001_second.sql", "SELECT 2;");
	tempdir_text(*state, "meta/_journal.json",
	    "{\"version\": \"7\", \"dialect\": \"pg\", \"entries\": "
	    "[{\"when\": 5, \"tag\": \"0001_second\"}]}");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_ptr_equal(folder->layout, &layout_drizzle1);
	assert_string_equal(folder_blocker(folder)->err.file, "meta/_journal.json");
	assert_non_null(strstr(folder_blocker(folder)->err.text, "run twice"));
	assert_non_null(strstr(folder_blocker(folder)->err.hint, "drizzle-kit up"));
	folder_unref(folder);

	/* who says so goes by the journal, as drizzle-orm 0.x does */
	folder = folder_load(*state, "drizzle", NULL, 0);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, 1);
	folder_unref(folder);
}

static void
test_prisma_is_not_taken_for_drizzle(void **state)
{
	struct folder *folder = NULL;

	add(*state, "20231114221320_first", "SELECT 1;");
	tempdir_text(*state, "migration_lock.toml", "provider = \"postgresql\"\n");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_non_null(strstr(folder_blocker(folder)->err.text, "Prisma"));
	assert_string_equal(folder_blocker(folder)->err.file, "migration_lock.toml");
	folder_unref(folder);
}

/* A link that leads elsewhere is not overlooked, for then what follows would run without it. */
static void
test_a_link_out_of_the_folder(void **state)
{
	struct folder *folder = NULL;
	char link[512];

	add(*state, "20231114221320_first", "SELECT 1;");
	snprintf(link, sizeof(link), "%s/20231114221321_second", (char *)*state);
	assert_int_equal(symlink("/tmp", link), 0);
	snprintf(link, sizeof(link), "%s/node_modules", (char *)*state);
	assert_int_equal(symlink("/tmp", link), 0);
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_migrations, 2);
	assert_int_equal(folder->n_problems, 1);
	assert_int_equal(folder_blocker(folder)->err.category, CAT_SECURITY_VIOLATION);
	folder_unref(folder);
}

static void
test_an_empty_folder_of_this_layout(void **state)
{
	struct folder *folder = folder_load(*state, "drizzle1", NULL, 0);

	assert_ptr_equal(folder->layout, &layout_drizzle1);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, 0);
	folder_unref(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPDIR_TEST(test_a_folder_as_drizzle_kit_writes_it),
		TEMPDIR_TEST(test_order),
		TEMPDIR_TEST(test_time_and_name),
		TEMPDIR_TEST(test_names_without_a_time),
		TEMPDIR_TEST(test_what_is_not_run_is_noted),
		TEMPDIR_TEST(test_a_journal_beside_it),
		TEMPDIR_TEST(test_prisma_is_not_taken_for_drizzle),
		TEMPDIR_TEST(test_a_link_out_of_the_folder),
		TEMPDIR_TEST(test_an_empty_folder_of_this_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
