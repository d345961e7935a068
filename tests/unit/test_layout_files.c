/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/folder.h"

/* The layouts of the folders beside the schema's: files, dated. */

static const char *const names[] = { "b_view.sql", "a.sql", "B.sql", "README.md",
	".hidden.sql", "2026-03-15_populate_nick_names.sql", "2026-02-30_b.sql",
	"2026-13-01_c.sql", "2026-00-01_d.sql", "2026-01-32_e.sql", "2026-1-01_f.sql",
	"2026-01-02-g.sql", "2026-01-02_.sql", "2026-01-02.sql", "26-01-02_hhhh.sql",
	"2026x01-02_i.sql", "2026-01x02_j.sql", "20x6-01-02_k.sql" };

static int
set_up(void **state)
{
	char *path = mem_strdup(NULL, "/tmp/layout-XXXXXX");

	assert_non_null(mkdtemp(path));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *file = mem_printf(path, "%s/%s", path, names[i]);
		FILE *out = fopen(file, "w");

		fputs("SELECT 1;\n", out);
		fclose(out);
	}
	*state = path;
	return 0;
}

static int
tear_down(void **state)
{
	char *path = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(mem_printf(path, "%s/%s", path, names[i]));
	rmdir(path);
	talloc_free(path);
	return 0;
}

static void
test_files(void **state)
{
	struct folder *folder = folder_load(*state, "files", NULL, 1);

	/* all that are SQL, in the order of their bytes */
	assert_int_equal(folder->n_migrations, ARRAY_SIZE(names) - 2);
	assert_int_equal(folder->n_problems, 0);
	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];

		assert_string_equal(m->id, m->version);
		if (i == 0)
			continue;
		assert_true(strcmp(folder->migrations[i - 1]->file, m->file) < 0);
		assert_true(folder->migrations[i - 1]->order < m->order);
	}
	assert_non_null(folder_find(folder, "B"));
	assert_null(folder_find(folder, ".hidden"));
	folder_unref(folder);
}

static void
test_dated(void **state)
{
	struct folder *folder = folder_load(*state, "dated", NULL, 1);

	assert_int_equal(folder->n_migrations, 2);
	assert_string_equal(folder->migrations[0]->id, "2026-02-30_b");
	assert_string_equal(folder->migrations[1]->id, "2026-03-15_populate_nick_names");
	assert_string_equal(folder->migrations[1]->name, "populate nick names");
	assert_string_equal(
	    folder->migrations[1]->version, "2026-03-15_populate_nick_names");
	/* what is named otherwise is said, and stops nothing */
	assert_int_equal(folder->n_unregistered, ARRAY_SIZE(names) - 4);
	assert_null(folder_blocker(folder));
	assert_string_equal(
	    folder->problems[0].err.hint, "names taken are YYYY-MM-DD_description.sql");
	folder_unref(folder);
}

/* They have to be named, and are no layouts for the migrations themselves. */
static void
test_not_to_be_chosen(void **state)
{
	struct folder *folder;

	for (size_t i = 0; layout_name(i) != NULL; i++) {
		assert_string_not_equal(layout_name(i), "files");
		assert_string_not_equal(layout_name(i), "dated");
	}
	assert_non_null(layout_find("files"));
	folder = folder_load(*state, NULL, NULL, 1);
	assert_string_equal(folder->layout->name, "sequence");
	folder_unref(folder);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_dated),
		TEST(test_not_to_be_chosen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
