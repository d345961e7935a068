/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/folder.h"
#include "tempdir.h"

/* Write the files, NULL ends them, and load the folder. */
static struct folder *
load(const char *dir, const char *const *files)
{
	for (size_t i = 0; files[i]; i++)
		tempdir_text(dir, files[i], "SELECT 1;");
	return folder_load(dir, "sequence", NULL, 0);
}

static void
test_order_is_numeric(void **state)
{
	static const char *const files[] = { "10_c.sql", "2-b.sql", "0001_a.sql",
		"20261120055812_e.sql", "999999999999999999_f.sql", "043-d-d_d.d.sql",
		NULL };
	static const struct {
		const char *id, *version, *name;
		int64_t order;
	} rows[] = {
		{ "0001_a", "0001", "a", 1 },
		{ "2-b", "2", "b", 2 },
		{ "10_c", "10", "c", 10 },
		{ "043-d-d_d.d", "043", "d-d_d.d", 43 },
		{ "20261120055812_e", "20261120055812", "e", INT64_C(20261120055812) },
		{ "999999999999999999_f", "999999999999999999", "f",
		    INT64_C(999999999999999999) },
	};
	struct folder *folder = load(*state, files);

	assert_ptr_equal(folder->layout, &layout_sequence);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct migration *m = folder->migrations[i];

		assert_string_equal(m->id, rows[i].id);
		assert_string_equal(m->version, rows[i].version);
		assert_string_equal(m->name, rows[i].name);
		assert_true(m->order == rows[i].order);
		assert_int_equal(m->position, i);
		assert_int_equal(m->n_parts, 1);
	}
	folder_unref(folder);
}

static void
test_a_drizzle_marker_is_a_comment_here(void **state)
{
	struct folder *folder = NULL;

	tempdir_text(
	    *state, "0001_a.sql", "SELECT 1;--> statement-breakpoint\nSELECT 2;");
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->migrations[0]->n_parts, 1);
	folder_unref(folder);
}

static void
test_a_number_twice_blocks(void **state)
{
	static const struct {
		const char *files[4];
		const char *says;
		size_t n_problems;
	} rows[] = {
		{ { "0001_a.sql", "0001_b.sql" },
		    "0001_a.sql and 0001_b.sql have the same number", 1 },
		{ { "0001_a.sql", "1_b.sql" },
		    "0001_a.sql and 1_b.sql have the same number", 1 },
		{ { "1-a.sql", "1_a.sql", "01_a.sql" },
		    "01_a.sql and 1-a.sql have the same number", 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *dir = tempdir_make();
		struct folder *folder = load(dir, rows[i].files);
		const struct folder_problem *problem = folder_blocker(folder);

		assert_int_equal(folder->n_problems, rows[i].n_problems);
		assert_string_equal(problem->err.text, rows[i].says);
		assert_int_equal(problem->state, MIGRATION_INVALID);
		assert_int_equal(problem->err.category, CAT_CONFIGURATION);
		assert_int_equal(err_exit_code(&problem->err), EXIT_FILES);
		assert_int_equal(err_http_status(&problem->err), 422);
		folder_unref(folder);
		tempdir_remove(dir);
	}
	(void)state;
}

/* Beside 0001_good.sql: what each name becomes. */
static void
test_names(void **state)
{
	static const struct {
		const char *file;
		enum {
			MIGRATION,
			NOTE,
			BLOCKER,
			BAD_NAME,
			BAD_STRAY,
			NOTHING
		} becomes;
		const char *says;
	} rows[] = {
		{ "0002_a.up.sql", MIGRATION, NULL },
		{ "0002-a.sql", MIGRATION, NULL },
		{ "0002__a.sql", MIGRATION, NULL },
		{ "0001_good.down.sql", NOTHING, NULL },
		{ "0002_a.down.sql", NOTE,
		    "a down migration whose migration is not there" },
		{ "0001_good.DOWN.sql", NOTE, "a down migration whose" },
		{ "down.sql", NOTE, "not named as a migration" },
		{ "good.down.sql", NOTE, "a down migration whose" },
		{ "0002_.sql", NOTE, "not named as a migration" },
		{ "0002.sql", NOTE, "not named as a migration" },
		{ "0002.a.sql", NOTE, "not named as a migration" },
		{ "V2__flyway.sql", NOTE, "not named as a migration" },
		{ "seed.sql", NOTE, "not named as a migration" },
		{ "my notes.sql", NOTE, "not named as a migration" },
		{ "0002_a.SQL", NOTE, "not named as a migration" },
		{ "README.md", NOTHING, NULL },
		{ "0002_a.sql.bak", NOTHING, NULL },
		{ "0002_a.sqlx", NOTHING, NULL },
		{ ".0002_a.sql", NOTHING, NULL },
		{ "sql", NOTHING, NULL },
		{ "1000000000000000000_a.sql", BLOCKER,
		    "the number has 19 digits, the most is 18" },
		{ "99999999999999999999_x.sql", BLOCKER, "the number has 20 digits" },
		{ "0002 two.sql", BAD_STRAY, "0x20" },
		{ "0002_a b.sql", BAD_NAME, "0x20" },
		{ "0002_'x.sql", BAD_NAME, "'''" },
		{ "0002_a;b.sql", BAD_NAME, "';'" },
		{ "0002_a\nb.sql", BAD_NAME, "0x0A" },
		{ "0002_\xFF.sql", BAD_NAME, "0xFF" },
		{ "0002_a..b.sql", BAD_NAME, "\"..\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const files[] = { "0001_good.sql", rows[i].file, NULL };
		bool is_migration =
		    rows[i].becomes == MIGRATION || rows[i].becomes == BAD_NAME;
		bool bad_name =
		    rows[i].becomes == BAD_NAME || rows[i].becomes == BAD_STRAY;
		bool blocks = rows[i].becomes == BLOCKER || bad_name;
		char *dir = tempdir_make();
		struct folder *folder = load(dir, files);

		assert_int_equal(folder->n_migrations, is_migration ? 2 : 1);
		assert_int_equal(folder->n_unregistered, rows[i].becomes == NOTE);
		assert_int_equal(folder->n_problems, rows[i].says ? 1 : 0);
		assert_int_equal(folder_blocker(folder) != NULL, blocks);
		if (rows[i].says) {
			const struct folder_problem *problem = &folder->problems[0];

			assert_non_null(strstr(problem->err.text, rows[i].says));
			assert_string_equal(problem->err.file, rows[i].file);
			assert_string_not_equal(problem->err.hint, "");
			assert_int_equal(problem->state,
			    rows[i].becomes == NOTE ? MIGRATION_UNREGISTERED
						    : MIGRATION_INVALID);
			assert_int_equal(problem->err.category,
			    bad_name ? CAT_SECURITY_VIOLATION : CAT_CONFIGURATION);
		}
		if (rows[i].becomes == BAD_NAME)
			assert_string_equal(folder->migrations[1]->checksum, "");
		if (rows[i].becomes == BLOCKER)
			assert_int_equal(
			    err_exit_code(&folder->problems[0].err), EXIT_FILES);
		folder_unref(folder);
		tempdir_remove(dir);
	}
	(void)state;
}

static void
test_an_empty_folder_of_this_layout_is_fine(void **state)
{
	struct folder *folder = folder_load(*state, "sequence", NULL, 0);

	assert_ptr_equal(folder->layout, &layout_sequence);
	assert_int_equal(folder->n_problems, 0);
	assert_int_equal(folder->n_migrations, 0);
	folder_unref(folder);
}

static void
test_a_directory_with_a_migrations_name(void **state)
{
	char path[1024];
	struct folder *folder = NULL;

	assert_int_equal(mkdir(tempdir_path(path, *state, "0001_dir.sql"), 0755), 0);
	folder = folder_load(*state, NULL, NULL, 0);
	assert_int_equal(folder->n_migrations, 1);
	assert_int_equal(
	    folder->migrations[0]->problem->category, CAT_RESOURCE_NOT_FOUND);
	assert_int_equal(folder->problems[0].state, MIGRATION_MISSING);
	folder_unref(folder);
}

/* In a file beside it, or in comments at its end; the file counts. */
static void
test_ways_back(void **state)
{
	static const struct {
		const char *file, *sql; /* of the way back; NULL: there is none */
		unsigned line;
	} rows[] = {
		{ NULL, NULL, 0 },
		{ "0002_b.down.sql", "DROP TABLE b;", 1 },
		{ "0003_c.down.sql", "DROP TABLE c;", 1 },
		{ "0004_d.sql", "\n   DROP TABLE d;", 2 },
	};
	struct folder *folder = NULL;

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	tempdir_text(*state, "0002_b.up.sql", "SELECT 2;");
	tempdir_text(*state, "0002_b.down.sql", "DROP TABLE b;");
	tempdir_text(*state, "0003_c.sql", "SELECT 3;\n-- rollback\n-- DROP TABLE no;");
	tempdir_text(*state, "0003_c.down.sql", "DROP TABLE c;");
	tempdir_text(*state, "0004_d.sql", "SELECT 4;\n-- rollback\n-- DROP TABLE d;");
	folder = folder_load(*state, "sequence", NULL, 0);
	assert_int_equal(folder->n_problems, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct migration *down = folder->migrations[i]->down;

		assert_int_equal(down != NULL, rows[i].file != NULL);
		if (!down)
			continue;
		assert_string_equal(down->id, folder->migrations[i]->id);
		assert_string_equal(down->version, folder->migrations[i]->version);
		assert_string_equal(down->file, rows[i].file);
		assert_int_equal(down->parts[0].len, strlen(rows[i].sql));
		assert_memory_equal(down->parts[0].text, rows[i].sql, down->parts[0].len);
		assert_int_equal(down->parts[0].line, rows[i].line);
	}
	folder_unref(folder);
}

static void
test_a_way_back_that_cannot_be_read(void **state)
{
	struct folder *folder = NULL;
	const struct migration *m = NULL;

	tempdir_text(*state, "0001_a.sql", "SELECT 1;");
	tempdir_write(*state, "0001_a.down.sql", "A\0B", 3);
	tempdir_text(*state, "0002_b.sql", "SELECT 2;");
	tempdir_link(*state, "0002_b.down.sql", "/etc/passwd");
	folder = folder_load(*state, NULL, NULL, 0);
	m = folder->migrations[0];
	assert_null(m->problem);
	assert_non_null(strstr(m->down->problem->text, "NUL byte"));
	assert_string_equal(folder->problems[0].err.file, "0001_a.down.sql");
	assert_false(folder->problems[0].blocks);
	assert_string_equal(folder->migrations[1]->down->text, "");
	assert_int_equal(folder_blocker(folder)->err.category, CAT_SECURITY_VIOLATION);
	assert_string_equal(folder_blocker(folder)->err.file, "0002_b.down.sql");
	folder_unref(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEMPDIR_TEST(test_order_is_numeric),
		TEMPDIR_TEST(test_a_drizzle_marker_is_a_comment_here),
		cmocka_unit_test(test_a_number_twice_blocks),
		cmocka_unit_test(test_names),
		TEMPDIR_TEST(test_an_empty_folder_of_this_layout_is_fine),
		TEMPDIR_TEST(test_a_directory_with_a_migrations_name),
		TEMPDIR_TEST(test_ways_back),
		TEMPDIR_TEST(test_a_way_back_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
