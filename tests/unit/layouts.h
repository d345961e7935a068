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

/* What becomes of the first migration when its file is this text: a note in that line. */
struct layouts_refused {
	const char *text, *says;
	unsigned line;
};

static inline void
layouts_check_refused(const char *layout, const struct layouts_refused *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct layouts_file files[] = { { "1_a.sql", rows[i].text },
			{ NULL, NULL } };
		struct folder *folder = layouts_load(layout, files);

		layouts_check_problem(
		    folder, false, "1_a.sql", rows[i].line, rows[i].says);
		assert_non_null(folder->migrations[0]->problem);
		assert_null(folder->migrations[0]->down);
		folder_unref(folder);
	}
}

/* A file beside the `first` one, and what is said of it. */
struct layouts_other {
	const char *file;
	bool blocks;
	const char *says;  /* NULL: nothing */
	const char *where; /* NULL: in that file */
};

static inline void
layouts_check_others(const char *layout, const char *first, const char *text,
    const struct layouts_other *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct layouts_other *row = &rows[i];
		const struct layouts_file files[] = { { first, text },
			{ row->file, text }, { NULL, NULL } };
		struct folder *folder = layouts_load(layout, files);

		if (row->says)
			layouts_check_problem(folder, row->blocks,
			    row->where ? row->where : row->file, 0, row->says);
		else
			assert_int_equal(folder->n_problems, 0);
		folder_unref(folder);
	}
}
