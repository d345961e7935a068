/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "core/author_kind.h"
#include "core/layout_kind.h"
#include "core/rollback_comment.h"

/*
 * Numbered files: 0001_users.sql, 001-users.sql, 20261120055812_users.sql. A file is one part:
 * the "--> statement-breakpoint" of a copied Drizzle file is an SQL comment and harmless. What
 * undoes 0001_users.sql stands in 0001_users.down.sql, or in comments at its end.
 */

#define DOWN ".down.sql"

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
	size_t n = layout_count_digits(file, '_');

	if (n == 0)
		n = layout_count_digits(file, '-');
	if (n == 0 || strlen(file) <= n + 1 + strlen(".sql") ||
	    !layout_ends_with(file, ".sql") || ends_with(file, DOWN))
		return 0;
	return n;
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
	if (ends_with(file, DOWN))
		layout_pass_over(folder, file,
		    "0001_users.down.sql undoes 0001_users.sql or 0001_users.up.sql",
		    "a down migration whose migration is not there");
	else
		layout_pass_over(folder, file,
		    "names taken are 0001_description.sql, 001-description.sql and "
		    "20261120055812_description.sql",
		    "not named as a migration, so it is not run");
}

/* "0002 two.sql" was meant as a migration: nothing runs until somebody has said. */
static bool
refuse_name(struct folder *folder, const char *file)
{
	struct err err = { 0 };

	if (strspn(file, "0123456789") == 0 || migration_check_id(file, &err) == 0)
		return false;
	err_where(&err, file, 0);
	folder_add_problem(folder, MIGRATION_INVALID, true, &err);
	return true;
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

static void
add_strays(struct folder *folder, const struct file_list *root, const void *scratch)
{
	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];

		if (ends_with(file, ".sql") && count_digits(file) == 0 &&
		    !is_down(root, file, scratch) && !refuse_name(folder, file))
			add_stray(folder, file);
	}
}

static void
add_numbered(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    const struct layout_file *file, const void *scratch)
{
	size_t len = strlen(file->file) - strlen(".sql");
	struct migration *m = layout_add(folder, dir, file, len);
	const char *down = NULL;

	m->version = mem_strndup(m, file->file, file->n_digits);
	if (layout_ends_with(m->id, ".up"))
		len -= strlen(".up");
	down = mem_printf(scratch, "%.*s" DOWN, (int)len, m->id);
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
	const struct layout_files files =
	    layout_sort(folder, root, count_digits, scratch);

	(void)err; /* file names cannot be broken as a journal can */
	for (size_t i = 0; i < files.n; i++)
		add_numbered(folder, dir, root, &files.files[i], scratch);
	add_strays(folder, root, scratch);
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
	.author = author_numbered,
};
