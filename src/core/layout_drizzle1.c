/* SPDX-License-Identifier: PostgreSQL */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "core/folder.h"
#include "core/layout_kind.h"

/*
 * What drizzle-kit 1.0 generates, read as drizzle-orm 1.0 (1.0.0-rc.5, migrator.js) reads it:
 * each folder with a migration.sql in it, whatever its name, in the order of localeCompare. The
 * name is the identity; the time that it begins with goes into created_at.
 */

#define FILE_NAME "migration.sql"
#define SNAPSHOT  "snapshot.json"
#define DIGITS    "0123456789"
#define TIME_LEN  14u /* yyyymmddhhmmss; drizzle-orm takes a second of one digit, too */

/* ---- what is there ---- */

static bool
has_migration(struct file_dir *dir, const char *name, const void *scratch)
{
	struct file_list list = { 0 };
	struct err err = { 0 };

	return file_dir_list(dir, scratch, name, &list, &err) == 0 &&
	    layout_lists(&list, FILE_NAME);
}

/*
 * A folder that cannot be looked into, or a link that leads out, was meant as a migration where
 * its name says so: then reading it says what is wrong.
 */
static bool
is_closed(struct file_dir *dir, const char *name, const void *scratch)
{
	struct file_list list = { 0 };
	struct err err = { 0 };

	return strspn(name, DIGITS) == TIME_LEN && !layout_ends_with(name, ".sql") &&
	    file_dir_list(dir, scratch, name, &list, &err) < 0 &&
	    err.category != CAT_RESOURCE_NOT_FOUND;
}

static bool
drizzle1_detect(struct file_dir *dir, const struct file_list *root)
{
	void *scratch = mem_context(NULL, "detect");
	bool found = false;

	for (size_t i = 0; i < root->n && !found; i++)
		found = has_migration(dir, root->names[i], scratch);
	talloc_free(scratch);
	return found;
}

/* ---- order ---- */

/*
 * The place of a character in the root collation of Unicode (CLDR), by which localeCompare goes
 * in all but a few languages. No other characters come here: migration_check_id.
 */
static int
rank_of(char c)
{
	static const char marks[] = "_-."; /* then digits, then letters */
	const char *mark = c ? strchr(marks, c) : NULL;

	if (mark)
		return 1 + (int)(mark - marks);
	return (int)sizeof(marks) + tolower((unsigned char)c);
}

/* Two names differ in case only if in nothing else; then the small letter is first. */
static int
compare_names(const void *left, const void *right)
{
	const char *a = *(const char *const *)left;
	const char *b = *(const char *const *)right;
	size_t i = 0;

	while (a[i] && b[i] && rank_of(a[i]) == rank_of(b[i]))
		i++;
	if (a[i] && b[i])
		return rank_of(a[i]) - rank_of(b[i]);
	if (a[i] || b[i])
		return a[i] ? 1 : -1;
	return -strcmp(a, b);
}

/* ---- the time in a name ---- */

/* parseInt() of a few characters: a sign, digits, and no matter what behind them. */
static bool
parse_field(const char *name, size_t from, size_t len, int *value)
{
	char field[8] = { 0 };
	char *end = NULL;

	memcpy(field, name + from, len);
	if (!strchr(DIGITS "-", field[0]))
		return false; /* nor what else strtol would skip */
	*value = (int)strtol(field, &end, 10);
	return end > field;
}

/*
 * drizzle-orm's formatToMillis(): Date.UTC() of the fields, which may overflow (month 13 is next
 * January) and takes the years 0 to 99 for 1900 to 1999. False where one is not a number: then
 * drizzle-orm cannot record the migration.
 */
static bool
parse_time(const char *name, int64_t *millis)
{
	struct tm tm = { 0 };

	if (strlen(name) + 1 < TIME_LEN || !parse_field(name, 0, 4, &tm.tm_year) ||
	    !parse_field(name, 4, 2, &tm.tm_mon) ||
	    !parse_field(name, 6, 2, &tm.tm_mday) ||
	    !parse_field(name, 8, 2, &tm.tm_hour) ||
	    !parse_field(name, 10, 2, &tm.tm_min) ||
	    !parse_field(name, 12, 2, &tm.tm_sec))
		return false;
	tm.tm_year -= tm.tm_year >= 0 && tm.tm_year < 100 ? 0 : 1900;
	tm.tm_mon -= 1;
	*millis = (int64_t)timegm(&tm) * 1000;
	return true;
}

/* ---- load ---- */

static void
refuse_time(struct folder *folder, struct migration *m)
{
	struct err err = { 0 };

	err_set(&err, CAT_CONFIGURATION,
	    "the name of its folder does not begin with a time: drizzle-orm 1.0 could not "
	    "record it, and would roll back all that is pending");
	err_hint(&err, "name it as drizzle-kit does: 20261120055812_%s", m->id);
	err_where(&err, m->file, 0);
	folder_refuse(folder, m, &err);
}

/* 20261120055812_add_users -> add_users */
static const char *
name_of(const char *id)
{
	size_t n = strspn(id, DIGITS);

	return n == TIME_LEN && id[n] == '_' && id[n + 1] ? id + n + 1 : id;
}

static void
add_migration(struct folder *folder, struct file_dir *dir, const char *id)
{
	const char *file = mem_printf(folder, "%s/%s", id, FILE_NAME);
	struct migration *m = folder_add(folder, dir, id, file, LAYOUT_BREAKPOINT);

	m->name = name_of(m->id);
	if (!parse_time(m->id, &m->order))
		refuse_time(folder, m);
}

/* What drizzle-orm overlooks without a word. */
static void
note_stray(struct folder *folder, const char *name)
{
	static const char hint[] =
	    "let drizzle-kit generate --custom make the folder and put the SQL into its " FILE_NAME
	    ", or remove it";

	if (layout_ends_with(name, ".sql"))
		layout_pass_over(
		    folder, name, hint, "not in a folder of its own, so it is not run");
	else if (strspn(name, DIGITS) == TIME_LEN)
		layout_pass_over(folder, name, hint,
		    "there is no " FILE_NAME " in it, so nothing of it is run");
}

/* drizzle-orm 1.0 refuses such a folder, 0.x would go by the journal. */
static void
refuse_journal(struct folder *folder)
{
	layout_refuse(folder, LAYOUT_JOURNAL, 0,
	    "was drizzle-kit up interrupted, or a branch merged? Restore the folder and run "
	    "drizzle-kit up to its end; or go by the journal alone: layout = drizzle",
	    "a journal of drizzle-kit 0.x beside folders of drizzle-kit 1.0: what stands in "
	    "both could run twice");
}

/* Its migrations look the same, but it has another tracking table: all would run again. */
static void
refuse_prisma(struct folder *folder, const char *lock_file)
{
	layout_refuse(folder, lock_file, 0,
	    "what Prisma has applied would run again. If Drizzle has taken it over, remove "
	    "this file",
	    "this is a folder of Prisma's, whose tracking table is not supported");
}

static int
drizzle1_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	static const char prisma[] = "migration_lock.toml";
	void *scratch = mem_context(NULL, "drizzle1");
	const char **found = mem_array(scratch, const char *, root->n + 1);
	size_t n = 0;

	(void)err; /* folders cannot be broken as a journal can */
	if (file_dir_has(dir, LAYOUT_JOURNAL))
		refuse_journal(folder);
	if (layout_lists(root, prisma))
		refuse_prisma(folder, prisma);
	for (size_t i = 0; i < root->n; i++) {
		if (has_migration(dir, root->names[i], scratch) ||
		    is_closed(dir, root->names[i], scratch))
			found[n++] = root->names[i];
		else
			note_stray(folder, root->names[i]);
	}
	qsort(found, n, sizeof(*found), compare_names);
	for (size_t i = 0; i < n; i++)
		add_migration(folder, dir, found[i]);
	talloc_free(scratch);
	return 0;
}

static char *
drizzle1_snapshot_file(const void *ctx, const struct migration *m)
{
	return mem_printf(ctx, "%s/%s", m->id, SNAPSHOT);
}

/* No remedy for a late one: what has no row of its name is applied, wherever it stands. */
const struct layout layout_drizzle1 = {
	.name = "drizzle1",
	.summary = "drizzle-kit 1.0: a folder with a migration.sql for each migration",
	.sample = "20261120055812_name/" FILE_NAME,
	.tracking = "drizzle1",
	.snapshot_file = drizzle1_snapshot_file,
	.detect = drizzle1_detect,
	.load = drizzle1_load,
};
