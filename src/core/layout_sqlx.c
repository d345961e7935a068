/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/mem.h"
#include "core/layout_kind.h"

/*
 * sqlx 0.8: 1_add_users.sql, or 1_add_users.up.sql and 1_add_users.down.sql, which belong together
 * by their number (sqlx-core/src/migrate/source.rs). A file that begins with "-- no-transaction"
 * runs outside one. A row has the SHA-384 of the file, and the name with spaces in it.
 */

static bool
is_down(const char *file)
{
	return layout_ends_with(file, ".down.sql");
}

static size_t
any_digits(const char *file)
{
	return layout_ends_with(file, ".sql") ? layout_count_digits(file, '_') : 0;
}

static size_t
up_digits(const char *file)
{
	return is_down(file) ? 0 : any_digits(file);
}

static size_t
down_digits(const char *file)
{
	return is_down(file) ? any_digits(file) : 0;
}

/* As its trim_end_matches(): the suffix goes as often as it is there. */
static const char *
describe(const void *ctx, const struct layout_file *file)
{
	const char *suffix = layout_ends_with(file->file, ".up.sql") ? ".up.sql" : ".sql";
	char *name = mem_strdup(ctx, file->file + file->n_digits + 1);

	while (layout_ends_with(name, suffix))
		name[strlen(name) - strlen(suffix)] = '\0';
	for (char *p = name; *p; p++) {
		if (*p == '_')
			*p = ' ';
	}
	return name;
}

static void
add(struct folder *folder, struct file_dir *dir, const struct layout_file *file,
    const struct layout_files *down)
{
	static const char mark[] = "-- no-transaction";
	const char *end = layout_ends_with(file->file, ".up.sql") ? ".up.sql" : ".sql";
	struct migration *m =
	    layout_add(folder, dir, file, strlen(file->file) - strlen(end));
	const struct layout_file *back = layout_find_number(down, m->order);
	char *checksum = mem_array(m, char, DIGEST_SHA384_HEX);

	m->name = describe(m, file);
	if (m->checksum[0] != '\0') {
		digest_sha384_hex(m->text, m->text_len, checksum);
		m->tool_checksum = checksum;
	}
	m->no_transaction = strncmp(m->text, mark, strlen(mark)) == 0;
	if (!back)
		return;
	folder_add_down(folder, dir, m, back->file);
}

static int
sqlx_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "sqlx");
	struct layout_files up = layout_sort(folder, root, up_digits, scratch);
	struct layout_files down = layout_sort(folder, root, down_digits, scratch);

	(void)err; /* file names cannot be broken as a journal can */
	for (size_t i = 0; i < up.n; i++)
		add(folder, dir, &up.files[i], &down);
	for (size_t i = 0; i < down.n; i++) {
		if (!layout_find_number(&up, down.files[i].number))
			layout_pass_over(folder, down.files[i].file,
			    "it undoes the migration of the same number",
			    "a down migration whose migration is not there");
	}
	for (size_t i = 0; i < root->n; i++) {
		if (layout_ends_with(root->names[i], ".sql") &&
		    any_digits(root->names[i]) == 0)
			layout_pass_over(folder, root->names[i],
			    "names taken are 1_description.sql, 1_description.up.sql and "
			    "1_description.down.sql",
			    "not named as a migration, so it is not run");
	}
	talloc_free(scratch);
	return 0;
}

const struct layout layout_sqlx = {
	.name = "sqlx",
	.summary = "sqlx: 1_description.sql, or .up.sql and .down.sql",
	.sample = "1_description.sql, named by you",
	.tracking = "sqlx",
	.remedy =
	    "give it a number above the newest applied one; or run with out_of_order = apply, "
	    "as sqlx does",
	/* no .detect: the same files as golang-migrate's, or a sequence folder's */
	.load = sqlx_load,
};
