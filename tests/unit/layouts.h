/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the tests of the layouts share. Include cmocka.h first.
 */

#include <string.h>

#include "core/folder.h"
#include "tempdir.h"

/* A folder of one layout, written and read. */
struct layouts_file {
	const char *name; /* NULL ends the list */
	const char *text;
};

static inline struct folder *
layouts_load(const char *layout, const struct layouts_file *files)
{
	char *dir = tempdir_make();
	struct folder *folder = NULL;

	for (; files->name; files++)
		tempdir_text(dir, files->name, files->text);
	folder = folder_load(dir, layout, NULL, 0);
	tempdir_remove(dir);
	return folder;
}

/* A migration of it, and what runs of its file. */
struct layouts_migration {
	const char *id, *version, *name, *sql;
	const char *down_file, *down; /* NULL: there is no way back */
	bool no_transaction, down_no_transaction;
};

static inline void
layouts_check_sql(const struct migration *m, const char *sql)
{
	if (m->parts[0].len != strlen(sql) ||
	    memcmp(m->parts[0].text, sql, m->parts[0].len) != 0)
		fail_msg("%s: \"%.*s\" is not \"%s\"", m->file, (int)m->parts[0].len,
		    m->parts[0].text, sql);
}

static inline void
layouts_check(const struct folder *folder, const struct layouts_migration *rows, size_t n)
{
	assert_int_equal(folder->n_migrations, n);
	for (size_t i = 0; i < n; i++) {
		const struct migration *m = folder->migrations[i];

		assert_string_equal(m->id, rows[i].id);
		assert_string_equal(m->version, rows[i].version);
		assert_string_equal(m->name, rows[i].name);
		assert_null(m->problem);
		layouts_check_sql(m, rows[i].sql);
		assert_int_equal(m->no_transaction, rows[i].no_transaction);
		assert_int_equal(m->down != NULL, rows[i].down != NULL);
		if (!m->down)
			continue;
		assert_string_equal(m->down->version, rows[i].version);
		assert_string_equal(m->down->file, rows[i].down_file);
		layouts_check_sql(m->down, rows[i].down);
		assert_int_equal(m->down->no_transaction, rows[i].down_no_transaction);
	}
}

/* One problem of the folder, and nothing else. */
static inline void
layouts_check_problem(const struct folder *folder, bool blocks, const char *file,
    unsigned line, const char *says)
{
	const struct folder_problem *problem = &folder->problems[0];

	if (folder->n_problems != 1 || !strstr(problem->err.text, says))
		fail_msg("%zu problems, the first \"%s\", not \"%s\"", folder->n_problems,
		    folder->n_problems ? problem->err.text : "", says);
	assert_int_equal(problem->blocks, blocks);
	assert_string_equal(problem->err.file, file);
	assert_int_equal(problem->err.line, line);
	assert_string_not_equal(problem->err.hint, "");
}
