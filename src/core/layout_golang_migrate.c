/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/mem.h"
#include "core/layout_kind.h"

/*
 * golang-migrate v4: 1_users.up.sql and 1_users.down.sql, whatever the extension. Its name
 * pattern is ^([0-9]+)_(.*)\.(down|up)\.(.*)$ (source/parse.go); what it does not match is
 * passed over. Up and down belong together by their number.
 */

#define UP   ".up."
#define DOWN ".down."

/* The last place where `direction` stands in the name, or NULL. */
static const char *
find_last(const char *name, const char *direction)
{
	const char *found = NULL;

	for (const char *p = name; (p = strstr(p, direction)) != NULL; p++)
		found = p;
	return found;
}

/* Where the direction begins in the name; NULL: it has none, or the other one. */
static const char *
direction_of(const char *file, const char *direction)
{
	size_t n = layout_count_digits(file, '_');
	const char *up, *down;

	if (n == 0)
		return NULL;
	up = find_last(file + n + 1, UP);
	down = find_last(file + n + 1, DOWN);
	if (strcmp(direction, UP) == 0)
		return up && (!down || up > down) ? up : NULL;
	return down && (!up || down > up) ? down : NULL;
}

static size_t
up_digits(const char *file)
{
	return direction_of(file, UP) ? layout_count_digits(file, '_') : 0;
}

static size_t
down_digits(const char *file)
{
	return direction_of(file, DOWN) ? layout_count_digits(file, '_') : 0;
}

static bool
golang_migrate_detect(struct file_dir *dir, const struct file_list *root)
{
	(void)dir; /* the names tell */
	for (size_t i = 0; i < root->n; i++) {
		if (up_digits(root->names[i]) > 0)
			return true;
	}
	return false;
}

static void
pass_over(struct folder *folder, const struct file_list *root,
    const struct layout_files *up, const struct layout_files *down)
{
	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];

		if (layout_ends_with(file, ".sql") && up_digits(file) == 0 &&
		    down_digits(file) == 0)
			layout_pass_over(folder, file,
			    "names taken are 1_description.up.sql and "
			    "1_description.down.sql",
			    "golang-migrate passes it over, so it is not run");
	}
	for (size_t i = 0; i < down->n; i++) {
		if (!layout_find_number(up, down->files[i].number))
			layout_pass_over(folder, down->files[i].file,
			    "it undoes the up migration of the same number",
			    "a down migration whose migration is not there");
	}
}

static int
golang_migrate_load(struct folder *folder, struct file_dir *dir,
    const struct file_list *root, struct err *err)
{
	void *scratch = mem_context(NULL, "golang-migrate");
	struct layout_files up = layout_sort(folder, root, up_digits, scratch);
	struct layout_files down = layout_sort(folder, root, down_digits, scratch);

	(void)err; /* file names cannot be broken as a journal can */
	for (size_t i = 0; i < up.n; i++) {
		const char *file = up.files[i].file;
		struct migration *m = layout_add(
		    folder, dir, &up.files[i], (size_t)(direction_of(file, UP) - file));
		const struct layout_file *back = layout_find_number(&down, m->order);

		if (back)
			folder_add_down(folder, dir, m, back->file);
	}
	pass_over(folder, root, &up, &down);
	talloc_free(scratch);
	return 0;
}

const struct layout layout_golang_migrate = {
	.name = "golang-migrate",
	.summary = "golang-migrate: 1_description.up.sql and .down.sql",
	.sample = "1_description.up.sql",
	.tracking = "golang-migrate",
	.twin = "sqlx",
	.remedy =
	    "golang-migrate never applies it: give it a number above the newest applied one; "
	    "or run with out_of_order = apply",
	.detect = golang_migrate_detect,
	.load = golang_migrate_load,
};
