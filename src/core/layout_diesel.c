/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/layout_kind.h"

/*
 * diesel 2: a folder for each migration, 2019-02-26-002946_create_user, with up.sql and perhaps
 * down.sql. Its version is what stands before the first '_', without the '-', and is compared as
 * text; ours are numbers, so a folder where these orders differ is refused. In metadata.toml
 * run_in_transaction may be false, which it is, too, where the file does not say it
 * (migrations_internals: the default of the field is that of bool).
 */

struct entry {
	const char *name;
	char *version;
	size_t digits; /* of the version; 0: it is none */
};

struct entries {
	struct entry *entries;
	size_t n;
};

static bool
has_up(struct file_dir *dir, const char *name, void *scratch)
{
	return file_dir_has(dir, mem_printf(scratch, "%s/up.sql", name));
}

static bool
is_dated(const char *name)
{
	size_t n = strspn(name, "0123456789-");

	return n > 0 && name[0] != '-' && name[n] == '_';
}

static bool
diesel_detect(struct file_dir *dir, const struct file_list *root)
{
	void *scratch = mem_context(NULL, "names");
	bool found = false;

	for (size_t i = 0; i < root->n && !found; i++)
		found = is_dated(root->names[i]) && has_up(dir, root->names[i], scratch);
	talloc_free(scratch);
	return found;
}

/* ---- the folders ---- */

static int
compare_versions(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	return strcmp(x->version, y->version);
}

static char *
version_of(const void *ctx, const char *name)
{
	char *version = mem_strndup(ctx, name, strcspn(name, "_"));
	char *to = version;

	for (const char *from = version; *from; from++) {
		if (*from != '-')
			*to++ = *from;
	}
	*to = '\0';
	return version;
}

/* What is out of order as numbers: a shorter one behind a longer. */
static void
refuse_order(struct folder *folder, const struct entries *found)
{
	for (size_t i = 1; i < found->n; i++) {
		const struct entry *before = &found->entries[i - 1];
		const struct entry *entry = &found->entries[i];

		if (strcmp(before->version, entry->version) == 0)
			layout_refuse(folder, entry->name, 0,
			    "give one of them a version above all others",
			    "%s and %s have the same version", before->name, entry->name);
		else if (strtoll(before->version, NULL, 10) >=
		    strtoll(entry->version, NULL, 10))
			layout_refuse(folder, entry->name, 0,
			    "give all versions as many digits",
			    "diesel runs %s before %s, against their numbers",
			    before->name, entry->name);
	}
}

static struct entries
find_entries(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    void *scratch)
{
	struct entries found = { .entries = mem_array(scratch, struct entry, root->n) };

	for (size_t i = 0; i < root->n; i++) {
		struct entry *entry = &found.entries[found.n];
		size_t len;

		if (!has_up(dir, root->names[i], scratch))
			continue;
		entry->name = root->names[i];
		entry->version = version_of(scratch, entry->name);
		len = strlen(entry->version);
		entry->digits = strspn(entry->version, "0123456789");
		if (len == 0 || entry->digits < len || len > LAYOUT_DIGITS)
			layout_refuse(folder, entry->name, 0,
			    "name it 2026-11-20-055812_description",
			    "its version is not a number of at most %u digits",
			    LAYOUT_DIGITS);
		else
			found.n++;
	}
	if (found.n > 0)
		qsort(found.entries, found.n, sizeof(found.entries[0]), compare_versions);
	refuse_order(folder, &found);
	return found;
}

/* ---- one of them ---- */

/* "key = value" of the one key that there is, with any white space; NULL: another line. */
static const char *
value_of(const void *ctx, const struct layout_line *line)
{
	static const char key[] = "run_in_transaction=";
	char *words = mem_strndup(ctx, line->text, line->len);
	char *to = words;

	for (const char *from = words; *from && *from != '#'; from++) {
		if (*from != ' ' && *from != '\t')
			*to++ = *from;
	}
	*to = '\0';
	if (words[0] == '\0')
		return words;
	return strncmp(words, key, strlen(key)) == 0 ? words + strlen(key) : NULL;
}

static bool
runs_in_transaction(
    struct folder *folder, struct file_dir *dir, struct migration *m, void *scratch)
{
	const char *file = mem_printf(scratch, "%s/metadata.toml", m->id);
	struct layout_line line = { 0 };
	struct err err = { 0 };
	char *data = NULL;
	size_t len = 0;
	bool in_transaction = false;

	if (!file_dir_has(dir, file))
		return true;
	if (file_dir_read(dir, scratch, file, BOUND_CONFIG_BYTES, &data, &len, &err) < 0)
		folder_refuse(folder, m, &err);
	while (layout_next_line(data, len, &line)) {
		const char *value = value_of(scratch, &line);

		if (!value || (*value && strcmp(value, "true") && strcmp(value, "false")))
			layout_refuse_migration(folder, m, 0,
			    "run_in_transaction = true or false is all it may say",
			    "line %u of its metadata.toml is not understood",
			    line.number);
		else if (strcmp(value, "true") == 0)
			in_transaction = true;
	}
	return in_transaction;
}

static void
add(struct folder *folder, struct file_dir *dir, const struct entry *entry, void *scratch)
{
	struct migration *m = folder_add(folder, dir, entry->name,
	    mem_printf(scratch, "%s/up.sql", entry->name), NULL);
	const char *down = mem_printf(scratch, "%s/down.sql", entry->name);
	const char *name = strchr(m->id, '_');

	m->version = mem_strdup(m, entry->version);
	m->order = strtoll(entry->version, NULL, 10);
	if (name && name[1])
		m->name = name + 1;
	if (file_dir_has(dir, down))
		folder_add_down(folder, dir, m, down);
	m->no_transaction = !runs_in_transaction(folder, dir, m, scratch);
}

static int
diesel_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "diesel");
	struct entries found = find_entries(folder, dir, root, scratch);

	(void)err; /* names cannot be broken as a journal can */
	for (size_t i = 0; i < found.n; i++)
		add(folder, dir, &found.entries[i], scratch);
	for (size_t i = 0; i < root->n; i++) {
		if (layout_ends_with(root->names[i], ".sql"))
			layout_pass_over(folder, root->names[i],
			    "each migration has a folder, with up.sql in it",
			    "diesel passes it over, so it is not run");
	}
	talloc_free(scratch);
	return 0;
}

const struct layout layout_diesel = {
	.name = "diesel",
	.summary =
	    "diesel: folders 2026-11-20-055812_description with up.sql and down.sql",
	.sample = "2026-11-20-055812_description/up.sql",
	.tracking = "diesel",
	.remedy =
	    "give it a version above the newest applied one; or run with out_of_order = apply, "
	    "as diesel does",
	.detect = diesel_detect,
	.load = diesel_load,
};
