/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/mem.h"
#include "core/folder.h"
#include "core/layout_kind.h"

/*
 * Dated files: 2026-03-15_populate_nicknames.sql. The name without ".sql" is what their
 * table knows them by; they run in the order of their names, and one that is added later
 * with an older date runs all the same.
 */

#define DATE_LEN strlen("2026-03-15")

static bool
is_number(const char *digits, size_t n, int least, int most)
{
	int number = 0;

	for (size_t i = 0; i < n; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return false;
		number = number * 10 + (digits[i] - '0');
	}
	return number >= least && number <= most;
}

static bool
is_dated(const char *file)
{
	return strlen(file) > DATE_LEN + strlen("_.sql") && is_number(file, 4, 0, 9999) &&
	    file[4] == '-' && is_number(file + 5, 2, 1, 12) && file[7] == '-' &&
	    is_number(file + 8, 2, 1, 31) && file[DATE_LEN] == '_';
}

static void
add_stray(struct folder *folder, const char *file)
{
	struct err err = { 0 };

	err_set(
	    &err, CAT_CONFIGURATION, "not named as a data migration, so it is not run");
	err_hint(&err, "names taken are YYYY-MM-DD_description.sql");
	err_where(&err, file, 0);
	folder_add_unregistered(folder, file);
	folder_add_problem(folder, MIGRATION_UNREGISTERED, false, &err);
}

/* "populate_nicknames" for people: "populate nicknames". */
static const char *
describe(const struct migration *m)
{
	char *name = mem_strdup(m, m->id + DATE_LEN + 1);

	for (char *c = name; *c; c++)
		if (*c == '_')
			*c = ' ';
	return name;
}

static int
dated_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err UNUSED)
{
	void *scratch = mem_context(NULL, "dated");

	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];
		struct migration *m;

		if (file[0] == '.' || !layout_ends_with(file, ".sql"))
			continue;
		if (!is_dated(file)) {
			add_stray(folder, file);
			continue;
		}
		m = folder_add(folder, dir,
		    mem_strndup(scratch, file, strlen(file) - strlen(".sql")), file,
		    NULL);
		m->order = (int64_t)i;
		m->name = describe(m);
	}
	talloc_free(scratch);
	return 0;
}

const struct layout layout_dated = {
	.name = "dated",
	.summary = "dated files: 2026-03-15_description.sql",
	.sample = "2026-03-15_description.sql",
	.load = dated_load,
};
