/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "core/folder.h"
#include "core/layout_kind.h"
#include "core/rollback_comment.h"

/*
 * Numbered files: 0001_users.sql, 001-users.sql, 20261120055812_users.sql. A file is one part:
 * the "--> statement-breakpoint" of a copied Drizzle file is an SQL comment and harmless. What
 * undoes 0001_users.sql stands in 0001_users.down.sql, or in comments at its end.
 */

#define DIGITS     "0123456789"
#define MAX_DIGITS 18u /* more would not fit into 64 bits */
#define DOWN       ".down.sql"

struct numbered {
	const char *file;
	size_t n_digits;
	int64_t order;
};

static bool
ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name);
	size_t n = strlen(suffix);

	return len >= n && strcasecmp(name + len - n, suffix) == 0;
}

/*
 * How many digits `file` begins with when it is named as a migration, else 0. Too many of them,
 * or forbidden characters behind, are looked at later: such a file is refused, not overlooked.
 */
static size_t
count_digits(const char *file)
{
	size_t len = strlen(file);
	size_t n = strspn(file, DIGITS);
	bool described =
	    (file[n] == '_' || file[n] == '-') && len > n + 1 + strlen(".sql");

	if (n == 0 || !described || strcmp(file + len - 4, ".sql") != 0)
		return 0;
	return ends_with(file, DOWN) ? 0 : n;
}

static bool
sequence_detect(struct file_dir *dir, const struct file_list *root)
{
	(void)dir; /* the names tell */
	for (size_t i = 0; i < root->n; i++) {
		if (count_digits(root->names[i]) > 0)
			return true;
	}
	return false;
}

static void
add_stray(struct folder *folder, const char *file)
{
	struct err err = { 0 };

	if (ends_with(file, DOWN)) {
		err_set(&err, CAT_CONFIGURATION,
		    "a down migration whose migration is not there");
		err_hint(&err,
		    "0001_users.down.sql undoes 0001_users.sql or 0001_users.up.sql");
	} else {
		err_set(&err, CAT_CONFIGURATION,
		    "not named as a migration, so it is not run");
		err_hint(&err,
		    "names taken are 0001_description.sql, 001-description.sql and "
		    "20261120055812_description.sql");
	}
	err_where(&err, file, 0);
	folder_add_unregistered(folder, file);
	folder_add_problem(folder, MIGRATION_UNREGISTERED, false, &err);
}

/* "0002 two.sql" was meant as a migration: nothing runs until somebody has said. */
static bool
refuse_name(struct folder *folder, const char *file)
{
	struct err err = { 0 };

	if (strspn(file, DIGITS) == 0 || migration_check_id(file, &err) == 0)
		return false;
	err_where(&err, file, 0);
	err.exit_code = EXIT_FILES;
	folder_add_problem(folder, MIGRATION_INVALID, true, &err);
	return true;
}

static void
refuse_number(struct folder *folder, const char *file, size_t n_digits)
{
	struct err err = { 0 };

	err_set(&err, CAT_CONFIGURATION, "the number has %zu digits, the most is %u",
	    n_digits, MAX_DIGITS);
	err_hint(&err, "give the file a shorter number");
	err_where(&err, file, 0);
	err.exit_code = EXIT_FILES;
	folder_add_problem(folder, MIGRATION_INVALID, true, &err);
}

static int
compare_numbered(const void *a, const void *b)
{
	const struct numbered *x = a;
	const struct numbered *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->file, y->file);
}

/* Whether it undoes a migration that is there. */
static bool
is_down(const struct file_list *root, const char *file, const void *scratch)
{
	static const char *const ends[] = { ".sql", ".up.sql" };
	size_t len = strlen(file) - strlen(".sql");

	if (len < strlen(".down") || !layout_ends_with(file, DOWN))
		return false;
	len -= strlen(".down");
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const char *up = mem_printf(scratch, "%.*s%s", (int)len, file, ends[i]);

		if (count_digits(up) > 0 && layout_lists(root, up))
			return true;
	}
	return false;
}

/* The migrations among the files, in their order; what else ends with .sql is noted. */
static struct numbered *
sort_files(
    struct folder *folder, const struct file_list *root, const void *scratch, size_t *n)
{
	struct numbered *sorted = mem_array(scratch, struct numbered, root->n);

	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];
		size_t n_digits = count_digits(file);

		if (n_digits > MAX_DIGITS)
			refuse_number(folder, file, n_digits);
		else if (n_digits > 0)
			sorted[(*n)++] =
			    (struct numbered){ file, n_digits, strtoll(file, NULL, 10) };
		else if (ends_with(file, ".sql") && !is_down(root, file, scratch) &&
		    !refuse_name(folder, file))
			add_stray(folder, file);
	}
	qsort(sorted, *n, sizeof(*sorted), compare_numbered);
	return sorted;
}

static void
refuse_twin(
    struct folder *folder, const struct numbered *first, const struct numbered *second)
{
	struct err err = { 0 };

	err_set(&err, CAT_CONFIGURATION, "%s and %s have the same number", first->file,
	    second->file);
	err_hint(&err, "give one of them a number above all others");
	err_where(&err, second->file, 0);
	err.exit_code = EXIT_FILES;
	folder_add_problem(folder, MIGRATION_INVALID, true, &err);
}

static void
add_numbered(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    const struct numbered *file, const void *scratch)
{
	size_t len = strlen(file->file) - strlen(".sql");
	const char *id = mem_strndup(scratch, file->file, len);
	struct migration *m = folder_add(folder, dir, id, file->file, NULL);
	const char *down = NULL;

	m->order = file->order;
	m->version = mem_strndup(m, file->file, file->n_digits);
	m->name = m->id + file->n_digits + 1;
	if (layout_ends_with(id, ".up"))
		len -= strlen(".up");
	down = mem_printf(scratch, "%.*s" DOWN, (int)len, id);
	if (layout_lists(root, down))
		folder_add_down(folder, dir, m, down);
	else
		rollback_comment_read(m);
}

static int
sequence_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "sequence");
	size_t n = 0;
	const struct numbered *sorted = sort_files(folder, root, scratch, &n);

	(void)err; /* file names cannot be broken as a journal can */
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && sorted[i].order == sorted[i - 1].order)
			refuse_twin(folder, &sorted[i - 1], &sorted[i]);
		add_numbered(folder, dir, root, &sorted[i], scratch);
	}
	talloc_free(scratch);
	return 0;
}

const struct layout layout_sequence = {
	.name = "sequence",
	.summary =
	    "numbered files: 0001_description.sql, 001-description.sql, 14-digit timestamps",
	.sample = "0001_description.sql",
	.tracking = "schema_migrations",
	.remedy =
	    "give it a number above the newest applied one; or run with out_of_order = apply",
	.detect = sequence_detect,
	.load = sequence_load,
};
