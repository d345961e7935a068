/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/author_kind.h"
#include "core/layout_kind.h"
#include "core/rollback_comment.h"

/*
 * Files in the order of a list beside them. The list is manifest.txt, one name a line and "#"
 * before a comment; or manifest.json: an array of names, or an object whose arrays, one behind the
 * other, are the list. Names are plain, with ".sql" at the end; no digits are needed. What is not
 * listed is not run, and nothing is run while a listed file is not there.
 *
 * The order is the place in the list: the numbers in rows of files that are gone say nothing.
 */

struct manifest {
	struct folder *folder;
	struct file_dir *dir;
	const struct file_list *root;
	json_t *lines;    /* name -> the line it is in */
	json_t *versions; /* those that are taken */
};

/* ---- entries ---- */

static bool
check_name(struct manifest *manifest, const char *name, unsigned line)
{
	const json_t *first = json_object_get(manifest->lines, name);
	struct err err = { 0 };

	if (first) {
		layout_refuse(manifest->folder, manifest->folder->list, line,
		    "leave it in one place of the list",
		    "%s is listed twice, first in line %" JSON_INTEGER_FORMAT, name,
		    json_integer_value(first));
		return false;
	}
	if (migration_check_id(name, &err) < 0) {
		err_where(&err, manifest->folder->list, line);
		folder_add_problem(manifest->folder, MIGRATION_INVALID, true, &err);
		return false;
	}
	if (layout_ends_with(name, ".sql") && strlen(name) > strlen(".sql"))
		return true;
	layout_refuse(manifest->folder, manifest->folder->list, line,
	    "list the names of the files, with .sql at their end",
	    "%s is not the name of an SQL file", name);
	return false;
}

static void
take_name(json_t *names, const char *name, unsigned line)
{
	int rc = json_object_set_new(names, name, json_integer(line));

	assert(rc == 0);
	(void)rc;
}

/* The digits in front, where no other file has them. */
static const char *
version_of(struct manifest *manifest, const struct migration *m)
{
	size_t n = strspn(m->id, "0123456789");
	const char *version = n > 0 ? mem_strndup(m, m->id, n) : m->id;

	if (json_object_get(manifest->versions, version))
		version = m->id;
	take_name(manifest->versions, version, 0);
	return version;
}

static void
add(struct manifest *manifest, const char *name, unsigned line)
{
	size_t len = strlen(name) - strlen(".sql");
	char *id = mem_strndup(NULL, name, len);
	char *down = mem_printf(id, "%s.down.sql", id);
	struct migration *m = folder_add(manifest->folder, manifest->dir, id, name, NULL);
	size_t digits = strspn(m->id, "0123456789");

	m->listing.line = line;
	m->order = (int64_t)m->position + 1;
	m->version = version_of(manifest, m);
	if (digits > 0 && strcspn(m->id + digits, "_-") == 0 && m->id[digits + 1])
		m->name = m->id + digits + 1;
	if (layout_lists(manifest->root, down))
		folder_add_down(manifest->folder, manifest->dir, m, down);
	else
		rollback_comment_read(m);
	talloc_free(id);
}

static void
add_entry(struct manifest *manifest, const char *text, size_t len, unsigned line)
{
	char *name = mem_strndup(NULL, text, len);
	struct err err = { 0 };

	if (!check_name(manifest, name, line))
		goto out;
	take_name(manifest->lines, name, line);
	if (layout_lists(manifest->root, name)) {
		add(manifest, name, line);
		goto out;
	}
	err_set(&err, CAT_RESOURCE_NOT_FOUND, "%s is listed, but there is no such file",
	    name);
	err_hint(&err, "put the file back, or take it out of the list");
	err_where(&err, manifest->folder->list, line);
	folder_add_problem(manifest->folder, MIGRATION_MISSING, true, &err);
out:
	talloc_free(name);
}

/* ---- the list ---- */

static void
read_text_list(struct manifest *manifest, const char *data, size_t len)
{
	struct layout_line line = { 0 };

	while (layout_next_line(data, len, &line)) {
		const char *comment = memchr(line.text, '#', line.len);
		const char *end = comment ? comment : line.text + line.len;

		while (line.text < end && strchr(" \t", *line.text))
			line.text++;
		while (end > line.text && strchr(" \t", end[-1]))
			end--;
		if (line.text < end)
			add_entry(
			    manifest, line.text, (size_t)(end - line.text), line.number);
	}
}

/* Of an array: jansson takes nothing but arrays and objects for a whole text. */
static bool
is_list(const json_t *array)
{
	size_t index;
	const json_t *value;

	json_array_foreach(array, index, value) {
		if (!json_is_string(value))
			return false;
	}
	return true;
}

static int
check_json(const json_t *parsed, struct err *err)
{
	bool object = json_is_object(parsed);
	const char *key;
	const json_t *value;
	size_t n = 0;

	if (object) {
		/* clang-format off */
		json_object_foreach ((json_t *)(uintptr_t)parsed, key, value) {
			if (json_is_array(value) && !is_list(value))
				return err_set(err, CAT_CONFIGURATION,
				    "\"%s\" is not an array of file names", key);
			n += json_is_array(value);
		}
		/* clang-format on */
	}
	if (object ? n > 0 : is_list(parsed))
		return 0;
	return err_set(err, CAT_CONFIGURATION,
	    "neither an array of file names nor an object with such arrays");
}

/*
 * Jansson keeps no lines, so the strings are found in the text, which is valid JSON: those in an
 * array. A name with an escape in it is none that may be used, and refused as it stands.
 */
static void
read_json_strings(struct manifest *manifest, const char *data, size_t len)
{
	unsigned line = 1, arrays = 0;

	for (size_t i = 0; i < len; i++) {
		size_t from = i + 1;

		line += data[i] == '\n';
		arrays += data[i] == '[';
		arrays -= data[i] == ']';
		if (data[i] != '"')
			continue;
		for (i++; data[i] != '"'; i++)
			i += data[i] == '\\';
		if (arrays > 0)
			add_entry(manifest, data + from, i - from, line);
	}
}

static int
read_json_list(struct manifest *manifest, const char *data, size_t len, struct err *err)
{
	json_error_t cause = { 0 };
	json_t *parsed = json_loadb(data, len, 0, &cause);
	int rc = -1;

	if (parsed) {
		rc = check_json(parsed, err);
		err_where(err, manifest->folder->list, 0);
	} else {
		err_set(err, CAT_CONFIGURATION, "not valid JSON: %s", cause.text);
		err_where(err, manifest->folder->list, (unsigned)cause.line);
	}
	if (rc == 0)
		read_json_strings(manifest, data, len);
	json_decref(parsed);
	return rc;
}

/* ---- the folder ---- */

static const char *const usual_names[] = { "manifest.txt", "manifest.json" };

static bool
manifest_detect(struct file_dir *dir, const struct file_list *root)
{
	(void)dir; /* the names tell */
	for (size_t i = 0; i < ARRAY_SIZE(usual_names); i++) {
		if (layout_lists(root, usual_names[i]))
			return true;
	}
	return false;
}

static const char *
choose_list(const struct folder *folder, const struct file_list *root)
{
	if (folder->manifest)
		return folder->manifest;
	return layout_lists(root, usual_names[1]) && !layout_lists(root, usual_names[0])
	    ? usual_names[1]
	    : usual_names[0];
}

static void
pass_over_unlisted(struct manifest *manifest)
{
	const struct file_list *root = manifest->root;

	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];
		size_t len = strlen(file);
		bool down = layout_ends_with(file, ".down.sql");
		char *up = mem_printf(NULL, "%.*s.sql",
		    (int)(len - (down ? strlen(".down.sql") : strlen(".sql"))), file);

		if (layout_ends_with(file, ".sql") &&
		    !json_object_get(manifest->lines, file) &&
		    !(down && json_object_get(manifest->lines, up)))
			layout_pass_over(manifest->folder, file,
			    "put it into the list where it is to run, or remove the file",
			    "not listed in %s, so it is not run", manifest->folder->list);
		talloc_free(up);
	}
}

static int
manifest_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err)
{
	void *scratch = mem_context(NULL, "manifest");
	struct manifest manifest = { .folder = folder, .dir = dir, .root = root };
	char *data = NULL;
	size_t len = 0;
	int rc = -1;

	folder->list = choose_list(folder, root);
	manifest.lines = json_object();
	manifest.versions = json_object();
	if (file_dir_read(
		dir, scratch, folder->list, BOUND_JOURNAL_BYTES, &data, &len, err) < 0) {
		err_hint(err, "list the files in it, in their order");
		err_where(err, folder->list, 0);
		goto out;
	}
	if (layout_ends_with(folder->list, ".json")) {
		if (read_json_list(&manifest, data, len, err) < 0)
			goto out;
	} else {
		read_text_list(&manifest, data, len);
	}
	pass_over_unlisted(&manifest);
	rc = 0;
out:
	json_decref(manifest.lines);
	json_decref(manifest.versions);
	talloc_free(scratch);
	return rc;
}

/* A version that the list does not have has no place in it. */
static bool
manifest_place(const struct folder *folder, const char *version, int64_t *order)
{
	(void)folder;
	(void)version;
	(void)order;
	return false;
}

const struct layout layout_manifest = {
	.name = "manifest",
	.summary = "a list of files in their order: manifest.txt or manifest.json",
	.sample = "manifest.txt",
	.tracking = "migration_log",
	.remedy =
	    "list it behind the newest applied one; or run with out_of_order = apply",
	.detect = manifest_detect,
	.load = manifest_load,
	.author = author_listed,
	.place = manifest_place,
};
