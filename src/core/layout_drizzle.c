/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/author_kind.h"
#include "core/folder.h"
#include "core/layout_kind.h"
#include "core/rollback_comment.h"

/*
 * What drizzle-kit 0.x generates. drizzle-orm 0.45 reads only `entries` of the journal, and of
 * an entry only `when` and `tag`; the order of the array is the order of execution. We look at
 * version and dialect too: a journal for MySQL is not for us.
 */

#define META    "meta"
#define JOURNAL LAYOUT_JOURNAL

/* JavaScript's numbers are doubles: beyond 2^53 not every integer is one. */
#define WHEN_MAX (INT64_C(1) << 53)

struct journal {
	struct folder *folder;
	struct file_dir *dir;
	json_t *entries;
	json_t *seen;          /* tag -> index of its first entry */
	const unsigned *lines; /* of each entry in the file */
};

/* ---- detect ---- */

/*
 * A journal that cannot be read, or snapshots whose journal is lost, are Drizzle's too: taken
 * for a sequence folder, everything that was ever applied would be pending again.
 */
static bool
drizzle_detect(struct file_dir *dir, const struct file_list *root)
{
	void *scratch = mem_context(NULL, "meta");
	struct file_list meta = { 0 };
	struct err err = { 0 };
	bool found = false;

	(void)root; /* tells of meta, but not what it holds */
	if (file_dir_list(dir, scratch, META, &meta, &err) < 0)
		found = err.category != CAT_RESOURCE_NOT_FOUND;
	for (size_t i = 0; i < meta.n && !found; i++)
		found = strcmp(meta.names[i], "_journal.json") == 0 ||
		    layout_ends_with(meta.names[i], "_snapshot.json");
	talloc_free(scratch);
	return found;
}

/* ---- the journal as JSON ---- */

static int
read_journal(
    struct file_dir *dir, const void *scratch, char **data, size_t *len, struct err *err)
{
	struct err cause = { 0 };

	if (file_dir_read(
		dir, scratch, JOURNAL, BOUND_JOURNAL_BYTES, data, len, &cause) == 0)
		return 0;
	if (cause.category == CAT_RESOURCE_NOT_FOUND) {
		err_set(err, CAT_RESOURCE_NOT_FOUND, "can't find " JOURNAL);
		memcpy(err->detail, cause.text, sizeof(err->detail));
		err_hint(err,
		    "drizzle-kit generate writes it; copy the whole folder with its meta/, "
		    "or name another layout");
	} else {
		*err = cause;
	}
	err_where(err, JOURNAL, 0);
	return -1;
}

static json_t *
parse_journal(const char *data, size_t len, struct err *err)
{
	unsigned conflict = migration_conflict_line(data, len);
	json_error_t cause = { 0 };
	json_t *root = NULL;

	if (conflict) {
		err_set(err, CAT_CONFIGURATION, "unresolved merge conflict");
		err_hint(err, "keep the entries of both sides, or generate yours again");
		err_where(err, JOURNAL, conflict);
	} else if (len >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0) {
		err_set(err, CAT_CONFIGURATION,
		    "begins with a byte order mark, which JSON has not");
		err_hint(err, "save it as UTF-8 without one");
		err_where(err, JOURNAL, 1);
	} else {
		root = json_loadb(data, len, 0, &cause);
	}
	if (root)
		return root;
	err_set(err, CAT_CONFIGURATION, "not valid JSON: %s", cause.text);
	err_where(err, JOURNAL, (unsigned)cause.line);
	return NULL;
}

/* The value as JSON, short, for a message. */
static const char *
show(const json_t *value, char *buf, size_t size)
{
	size_t len =
	    value ? json_dumpb(value, buf, size - 1, JSON_COMPACT | JSON_ENCODE_ANY) : 0;

	if (!value || len >= size)
		return value ? "something long" : "nothing";
	buf[len] = '\0';
	return buf;
}

static bool
is_one_of(const json_t *value, const char *const *words)
{
	const char *text = json_string_value(value);

	for (size_t i = 0; text && words[i]; i++) {
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static int
check_journal(const json_t *root, struct err *err)
{
	static const char *const versions[] = { "5", "6", "7", NULL };
	static const char *const dialects[] = { "postgresql", "pg", NULL };
	const json_t *version = json_object_get(root, "version");
	const json_t *dialect = json_object_get(root, "dialect");
	const json_t *entries = json_object_get(root, "entries");
	bool foreign = json_is_object(root) &&
	    (!is_one_of(version, versions) || !is_one_of(dialect, dialects));
	char found[80];

	if (!json_is_object(root))
		err_set(err, CAT_CONFIGURATION, "the journal is not a JSON object");
	else if (!is_one_of(version, versions))
		err_set(err, CAT_CONFIGURATION,
		    "the journal's \"version\" is %s; \"5\", \"6\" and \"7\" are supported",
		    show(version, found, sizeof(found)));
	else if (!is_one_of(dialect, dialects))
		err_set(err, CAT_CONFIGURATION,
		    "the journal's \"dialect\" is %s; \"postgresql\" and \"pg\" are supported",
		    show(dialect, found, sizeof(found)));
	else if (!json_is_array(entries))
		err_set(err, CAT_CONFIGURATION,
		    "the journal's \"entries\" is %s, not an array",
		    json_is_object(entries) ? "an object"
					    : show(entries, found, sizeof(found)));
	else if (json_array_size(entries) > BOUND_FOLDER_FILES)
		err_set(err, CAT_CONFIGURATION,
		    "the journal has %zu entries, the most is %u",
		    json_array_size(entries), BOUND_FOLDER_FILES);
	else
		return 0;
	if (foreign) { /* nothing in the files will mend it */
		err->exit_code = EXIT_CONFIGURATION;
		err_hint(err,
		    "set migrations to a folder that drizzle-kit 0.x has made for "
		    "PostgreSQL");
	}
	err_where(err, JOURNAL, 0);
	return -1;
}

/*
 * The line of each of the `n` entries, for jansson keeps none. The text is valid JSON. Depth 1
 * is inside the journal's braces, 2 inside the brackets of "entries"; where that key stands
 * twice the last wins, as in the parser.
 */
static const unsigned *
find_lines(const void *ctx, const char *data, size_t len, size_t n)
{
	unsigned *lines = mem_array(ctx, unsigned, n);
	bool in_string = false;
	bool is_entries = false; /* the last string of depth 1 */
	bool is_next = false;    /* an entry begins with the next sign */
	unsigned line = 1;
	unsigned depth = 0;
	size_t index = 0;

	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		line += c == '\n';
		if (in_string) {
			i += c == '\\';
			in_string = c != '"';
			continue;
		}
		if (strchr(" \t\r\n:", c))
			continue;
		if (is_next && depth == 2 && index < n)
			lines[index] = line;
		is_next = false;
		if (c == '"') {
			in_string = true;
			if (depth == 1)
				is_entries = strncmp(data + i, "\"entries\"", 9) == 0;
		} else if (c == '[' || c == '{') {
			depth++;
			if (depth == 2)
				index = 0;
			is_next = depth == 2 && is_entries;
		} else if (c == ']' || c == '}') {
			depth--;
		} else if (c == ',' && depth == 2) {
			index++;
			is_next = is_entries;
		}
	}
	return lines;
}

/* ---- entries ---- */

static int
parse_when(const json_t *value, int64_t *when)
{
	const char *text = json_string_value(value);
	double real = json_real_value(value);
	long long number = 0;
	char *end = NULL;

	errno = 0;
	if (json_is_integer(value))
		number = json_integer_value(value);
	else if (json_is_real(value) && real >= -(double)WHEN_MAX &&
	    real <= (double)WHEN_MAX)
		number = (long long)real;
	else if (text && *text)
		number = strtoll(text, &end, 10);
	else
		return -1;

	if (json_is_real(value) && (double)number != real)
		return -1;
	if (errno || (end && *end) || number > WHEN_MAX || number < -WHEN_MAX)
		return -1;
	*when = number;
	return 0;
}

/* 0003_add_users -> add_users */
static const char *
name_of(const char *tag)
{
	const char *rest = tag + strspn(tag, "0123456789");

	return rest[0] == '_' && rest[1] ? rest + 1 : tag;
}

static void
refuse_entry(struct journal *j, size_t index, struct err *err)
{
	err_hint(err, "fix or remove the entry, then it is picked up by itself");
	err_where(err, JOURNAL, j->lines[index]);
	folder_add_problem(j->folder, MIGRATION_INVALID, true, err);
}

/* The entry's tag when it is one that may be used, and not for the second time; else -1. */
static int
check_tag(struct journal *j, size_t index, const json_t *tag, struct err *err)
{
	const json_t *first = NULL;
	char found[80];
	int rc = 0;

	if (!json_is_string(tag))
		return err_set(err, CAT_CONFIGURATION,
		    "entries[%zu] has no usable \"tag\": it is %s", index,
		    show(tag, found, sizeof(found)));
	if (migration_check_id(json_string_value(tag), err) < 0)
		return err_wrap(
		    err, "entries[%zu], tag %s", index, show(tag, found, sizeof(found)));
	first = json_object_get(j->seen, json_string_value(tag));
	if (first)
		return err_set(err, CAT_CONFIGURATION,
		    "entries[%" JSON_INTEGER_FORMAT
		    "] and entries[%zu] have the same tag \"%s\"",
		    json_integer_value(first), index, json_string_value(tag));
	rc = json_object_set_new(
	    j->seen, json_string_value(tag), json_integer((json_int_t)index));
	assert(rc == 0);
	return 0;
}

static void
add_entry(struct journal *j, size_t index)
{
	const json_t *entry = json_array_get(j->entries, index);
	const json_t *tag = json_object_get(entry, "tag");
	const json_t *when = json_object_get(entry, "when");
	struct migration *m = NULL;
	struct err err = { 0 };
	char file[BOUND_NAME_BYTES + sizeof(".sql")];
	char found[80];
	int64_t order = 0;

	if (check_tag(j, index, tag, &err) < 0) {
		refuse_entry(j, index, &err);
		return;
	}
	if (parse_when(when, &order) < 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "entries[%zu] (\"%s\") has no usable \"when\": it is %s, "
		    "not whole milliseconds",
		    index, json_string_value(tag), show(when, found, sizeof(found)));
		refuse_entry(j, index, &err);
		return;
	}
	snprintf(file, sizeof(file), "%s.sql", json_string_value(tag));
	m = folder_add(
	    j->folder, j->dir, json_string_value(tag), file, LAYOUT_BREAKPOINT);
	m->order = order;
	m->version = mem_printf(m, "%" PRId64, order);
	m->name = name_of(m->id);
	m->listing = (struct listing){
		.line = j->lines[index],
		.has_index = json_is_integer(json_object_get(entry, "idx")),
		.index = json_integer_value(json_object_get(entry, "idx")),
	};
	rollback_comment_read(m);
}

static void
add_unlisted(struct journal *j, const struct file_list *root, const void *scratch)
{
	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];
		struct err err = { 0 };

		if (!layout_ends_with(file, ".sql") ||
		    json_object_get(
			j->seen, mem_strndup(scratch, file, strlen(file) - 4)))
			continue;
		err_set(&err, CAT_CONFIGURATION,
		    "not listed in " JOURNAL ", so it is not run");
		err_hint(&err,
		    "let drizzle-kit generate --custom make the entry, or remove the file");
		err_where(&err, file, 0);
		folder_add_unregistered(j->folder, file);
		folder_add_problem(j->folder, MIGRATION_UNREGISTERED, false, &err);
	}
}

static int
drizzle_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "journal");
	struct journal j = { .folder = folder, .dir = dir };
	json_t *parsed = NULL;
	char *data = NULL;
	size_t len = 0;
	int rc = -1;

	if (read_journal(dir, scratch, &data, &len, err) < 0)
		goto out;
	parsed = parse_journal(data, len, err);
	if (!parsed || check_journal(parsed, err) < 0)
		goto out;

	folder->list = JOURNAL;
	j.entries = json_object_get(parsed, "entries");
	j.seen = json_object();
	j.lines = find_lines(scratch, data, len, json_array_size(j.entries));
	for (size_t i = 0; i < json_array_size(j.entries); i++)
		add_entry(&j, i);
	add_unlisted(&j, root, scratch);
	rc = 0;
out:
	json_decref(j.seen);
	json_decref(parsed);
	talloc_free(scratch);
	return rc;
}

/*
 * drizzle-kit 0.31: what stands before the first "_" of the tag. A tag that does not begin with
 * a number was named by hand, or with the prefix "none", whose snapshot it does not read again.
 */
static char *
drizzle_snapshot_file(const void *ctx, const struct migration *m)
{
	size_t len = strspn(m->id, "0123456789");

	if (len == 0 || m->id[len] != '_')
		return NULL;
	return mem_printf(ctx, "%s/%.*s_snapshot.json", META, (int)len, m->id);
}

const struct layout layout_drizzle = {
	.name = "drizzle",
	.summary = "drizzle-kit 0.x: meta/_journal.json lists <tag>.sql files",
	.sample = JOURNAL,
	.tracking = "drizzle",
	.remedy =
	    "regenerate it on top of the others: delete the file and its journal entry, "
	    "pull, run drizzle-kit generate; or run with out_of_order = apply",
	.by_watermark = true,
	.snapshot_file = drizzle_snapshot_file,
	.snapshot_folder = META,
	.detect = drizzle_detect,
	.load = drizzle_load,
	.author = author_drizzle,
};
