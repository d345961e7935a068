/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/flyway.h"
#include "core/layout_kind.h"

/*
 * Flyway: V1.2__add_users.sql, undone by U1.2__add_users.sql. V1_2 is the same version.
 * B1.2__all.sql stands in for all up to that version on an empty database. What is named
 * otherwise Flyway reads as well, in part, and we do not: each such file is refused, or passed
 * over with the reason.
 *
 * `order` is twice the place among the versions of the folder, so that a version that has no file
 * finds its place in between.
 */

struct flyway_file {
	const char *file;
	const char *version; /* with dots */
	const char *name;    /* into `file`, behind "__" */
	size_t id_len;
};

struct flyway_files {
	struct flyway_file *files;
	size_t n;
};

static bool
has_suffix(const char *file, const char *suffix)
{
	size_t len = strlen(file);
	size_t n = strlen(suffix);

	return len > n && strcasecmp(file + len - n, suffix) == 0;
}

/* Prefix, version, "__", description, suffix; the last but one may be missing with its "__". */
static bool
read_name(const char *file, const char *prefixes, const char *suffix,
    struct flyway_file *out, void *ctx)
{
	size_t id_len;
	const char *separator, *version_end;
	char *version;

	if (!strchr(prefixes, file[0]) || !has_suffix(file, suffix))
		return false;
	id_len = strlen(file) - strlen(suffix);
	separator = memmem(file, id_len, "__", 2);
	version_end = separator ? separator : file + id_len;
	if (!flyway_is_version(file + 1, (size_t)(version_end - file - 1)))
		return false;
	version = mem_strndup(ctx, file + 1, (size_t)(version_end - file - 1));
	for (char *p = version; *p; p++) {
		if (*p == '_')
			*p = '.';
	}
	*out = (struct flyway_file){
		.file = file,
		.version = version,
		.name = separator ? separator + 2 : file + id_len,
		.id_len = id_len,
	};
	return true;
}

static int
compare_versions(const void *a, const void *b)
{
	const struct flyway_file *x = a;
	const struct flyway_file *y = b;

	return flyway_compare(x->version, y->version);
}

/* What stands in for a version is behind it. */
static int
compare_files(const void *a, const void *b)
{
	const struct flyway_file *x = a;
	const struct flyway_file *y = b;
	int order = compare_versions(a, b);

	return order != 0 ? order : y->file[0] - x->file[0];
}

static struct flyway_files
sort_files(struct folder *folder, const struct file_list *root, const char *prefixes,
    void *scratch)
{
	struct flyway_files files = {
		.files = mem_array(scratch, struct flyway_file, root->n),
	};

	for (size_t i = 0; i < root->n; i++)
		files.n += read_name(
		    root->names[i], prefixes, ".sql", &files.files[files.n], scratch);
	if (files.n > 0)
		qsort(files.files, files.n, sizeof(files.files[0]), compare_files);
	for (size_t i = 1; i < files.n; i++) {
		if (compare_files(&files.files[i - 1], &files.files[i]) == 0)
			layout_refuse(folder, files.files[i].file, 0,
			    "give one of them a version above all others",
			    "%s and %s have the same version", files.files[i - 1].file,
			    files.files[i].file);
	}
	return files;
}

/* The file of the same version, or NULL. */
static const struct flyway_file *
find_version(const struct flyway_files *files, const struct flyway_file *wanted)
{
	return files->n == 0
	    ? NULL
	    : bsearch(wanted, files->files, files->n, sizeof(*wanted), compare_versions);
}

static bool
flyway_detect(struct file_dir *dir, const struct file_list *root)
{
	void *scratch = mem_context(NULL, "names");
	struct flyway_file file;
	bool found = false;

	(void)dir; /* the names tell */
	for (size_t i = 0; i < root->n && !found; i++)
		found = read_name(root->names[i], "VB", ".sql", &file, scratch);
	talloc_free(scratch);
	return found;
}

/* ---- settings of one file: V1__x.sql.conf ---- */

struct settings {
	bool no_transaction;
	bool no_placeholders;
};

static bool
is_said(const struct layout_line *line, const char *key, const char *value)
{
	size_t n = strlen(key);

	return line->len == n + 1 + strlen(value) && strncmp(line->text, key, n) == 0 &&
	    line->text[n] == '=' &&
	    strncasecmp(line->text + n + 1, value, strlen(value)) == 0;
}

static void
take_setting(struct folder *folder, struct migration *m, const struct layout_line *line,
    struct settings *settings)
{
	int shown = (int)(line->len < 100 ? line->len : 100);

	if (line->len == 0 || line->text[0] == '#')
		return;
	if (is_said(line, "executeInTransaction", "false"))
		settings->no_transaction = true;
	else if (is_said(line, "placeholderReplacement", "false"))
		settings->no_placeholders = true;
	else if (!is_said(line, "executeInTransaction", "true") &&
	    !is_said(line, "placeholderReplacement", "true") &&
	    !is_said(line, "encoding", "UTF-8"))
		layout_refuse_migration(folder, m, 0,
		    "of these settings executeInTransaction, placeholderReplacement and "
		    "encoding=UTF-8 are understood",
		    "line %u of its .conf asks Flyway for something else: %.*s",
		    line->number, shown, line->text);
}

static struct settings
read_settings(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct migration *m)
{
	void *scratch = mem_context(NULL, "settings");
	const char *file = mem_printf(scratch, "%s.conf", m->file);
	struct layout_line line = { 0 };
	struct settings settings = { 0 };
	struct err err = { 0 };
	char *data = NULL;
	size_t len = 0;

	if (!layout_lists(root, file))
		;
	else if (file_dir_read(
		     dir, scratch, file, BOUND_CONFIG_BYTES, &data, &len, &err) < 0)
		folder_refuse(folder, m, &err);
	else
		while (layout_next_line(data, len, &line))
			take_setting(folder, m, &line, &settings);
	talloc_free(scratch);
	return settings;
}

/* ---- migrations ---- */

static void
refuse_placeholder(struct folder *folder, struct migration *m)
{
	const char *at = memmem(m->text, m->text_len, "${", 2);
	size_t shown = 0;
	unsigned line, column;

	if (!at)
		return;
	while (shown < 40 && at[shown] && at[shown] != '\n' && at[shown++] != '}')
		;
	migration_locate(&m->parts[0], (size_t)(at - m->text), &line, &column);
	layout_refuse_migration(folder, m, line,
	    "write the value out; or, if it is none of Flyway's placeholders, put "
	    "placeholderReplacement=false into a file of the same name with .conf behind",
	    "Flyway puts a value in for %.*s, migrationd does not", (int)shown, at);
}

static const char *
describe(const void *ctx, const struct flyway_file *file)
{
	char *name = mem_strndup(
	    ctx, file->name, (size_t)(file->file + file->id_len - file->name));

	for (char *p = name; *p; p++) {
		if (*p == '_')
			*p = ' ';
	}
	return name;
}

static void
add(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    const struct flyway_file *file, const struct flyway_files *undo)
{
	char *id = mem_strndup(NULL, file->file, file->id_len);
	struct migration *m = folder_add(folder, dir, id, file->file, NULL);
	char *checksum = mem_array(m, char, FLYWAY_CHECKSUM);
	struct settings settings = read_settings(folder, dir, root, m);
	const struct flyway_file *back = NULL;

	talloc_free(id);
	m->order = 2 * (int64_t)(m->position + 1);
	m->version = mem_strdup(m, file->version);
	m->name = describe(m, file);
	m->no_transaction = settings.no_transaction;
	m->stands_in = file->file[0] == 'B';
	if (m->checksum[0] != '\0') {
		flyway_checksum(m->text, m->text_len, checksum);
		m->tool_checksum = checksum;
	}
	if (!settings.no_placeholders)
		refuse_placeholder(folder, m);
	back = find_version(undo, file);
	if (back)
		folder_add_down(folder, dir, m, back->file);
}

/* ---- other files ---- */

static void
refuse_code(struct folder *folder, const char *file, void *scratch)
{
	static const char *const suffixes[] = { ".java", ".class", ".kt", ".groovy",
		".scala", ".py", ".ps1", ".sh", ".bat", ".cmd", ".bash" };
	struct flyway_file name;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (read_name(file, "V", suffixes[i], &name, scratch))
			layout_refuse(folder, file, 0,
			    "write it as SQL, or let Flyway run this folder",
			    "a migration that is a program cannot be run here");
	}
}

static void
look_at(struct folder *folder, const char *file, const struct flyway_files *versions,
    void *scratch)
{
	struct flyway_file name;

	if (!has_suffix(file, ".sql"))
		refuse_code(folder, file, scratch);
	else if (read_name(file, "VB", ".sql", &name, scratch))
		;
	else if (strncmp(file, "R__", 3) == 0)
		layout_pass_over(folder, file,
		    "name a folder of its own for what is to run again when it changes",
		    "a repeatable migration is not run with the others");
	else if (strncmp(file, "before", 6) == 0 || strncmp(file, "after", 5) == 0 ||
	    strncmp(file, "createSchema", 12) == 0)
		layout_pass_over(folder, file, "a hook can run it",
		    "a callback of Flyway's, which is not run here");
	else if (!read_name(file, "U", ".sql", &name, scratch))
		layout_pass_over(folder, file,
		    "names taken are V1__description.sql and U1__description.sql",
		    "Flyway passes it over, so it is not run");
	else if (!find_version(versions, &name))
		layout_pass_over(folder, file,
		    "it undoes the migration of the same version",
		    "an undo migration whose migration is not there");
}

/* Flyway looks into sub-folders, too. */
static void
look_into(struct folder *folder, struct file_dir *dir, const char *name, void *scratch)
{
	struct file_list list = { 0 };
	struct err err = { 0 };

	if (file_dir_list(dir, scratch, name, &list, &err) == 0 &&
	    flyway_detect(dir, &list))
		layout_refuse(folder, name, 0,
		    "name the folder with the migrations itself, one folder for all",
		    "Flyway would run the migrations in this sub-folder, too");
}

static int
flyway_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "flyway");
	struct flyway_files versions = sort_files(folder, root, "VB", scratch);
	struct flyway_files undo = sort_files(folder, root, "U", scratch);

	(void)err; /* file names cannot be broken as a journal can */
	for (size_t i = 0; i < versions.n; i++)
		add(folder, dir, root, &versions.files[i], &undo);
	for (size_t i = 0; i < root->n; i++) {
		look_at(folder, root->names[i], &versions, scratch);
		if (!strchr(root->names[i], '.'))
			look_into(folder, dir, root->names[i], scratch);
	}
	talloc_free(scratch);
	return 0;
}

static bool
flyway_place(const struct folder *folder, const char *version, int64_t *order)
{
	size_t low = 0, high = folder->n_migrations;
	int differs = 1;

	if (!flyway_is_version(version, strlen(version)))
		return false;
	while (low < high && differs != 0) {
		size_t middle = low + (high - low) / 2;

		differs = flyway_compare(folder->migrations[middle]->version, version);
		*order = folder->migrations[middle]->order;
		if (differs < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (differs != 0)
		*order = 2 * (int64_t)low + 1;
	return true;
}

const struct layout layout_flyway = {
	.name = "flyway",
	.summary = "Flyway: V1.2__description.sql, undone by U1.2__description.sql",
	.sample = "V1__description.sql",
	.tracking = "flyway",
	.remedy =
	    "give it a version above the newest applied one; or run with out_of_order = apply, "
	    "as Flyway's outOfOrder does",
	.detect = flyway_detect,
	.load = flyway_load,
	.place = flyway_place,
};
