/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "core/author_kind.h"
#include "core/author_name.h"
#include "core/snapshot.h"

/* drizzle-kit 0.31 generate --custom, to the byte. */
#define CUSTOM "-- Custom SQL migration file, put your code below! --"

#define MAX_FILES 3u

struct drizzle {
	const struct folder *folder;
	struct file_dir *dir;
	json_t *journal;
	int64_t now_us;
	const char *number;
	struct author_made *made;
};

static void
add_file(struct drizzle *d, const char *path, const char *text, size_t len, bool replaces)
{
	d->made->files[d->made->n_files++] = (struct author_file){
		.path = path, .text = text, .len = len, .replaces = replaces
	};
}

/* As JSON.stringify(document, null, 2) writes it; without a newline at the end, too. */
static void
add_document(struct drizzle *d, const char *path, const json_t *document, bool replaces)
{
	char *dumped = json_dumps(document, JSON_INDENT(2));
	char *text = mem_strdup(d->made, dumped);

	free(dumped);
	add_file(d, path, text, strlen(text), replaces);
}

static int
read_document(
    struct drizzle *d, const char *file, size_t max, json_t **document, struct err *err)
{
	void *scratch = mem_context(NULL, "document");
	json_error_t cause;
	char *data = NULL;
	size_t len = 0;
	int rc = file_dir_read(d->dir, scratch, file, max, &data, &len, err);

	if (rc == 0) {
		*document = json_loadb(data, len, 0, &cause);
		if (*document == NULL || !json_is_object(*document)) {
			json_decref(*document);
			*document = NULL;
			rc = err_set(err, CAT_CONFIGURATION, "not a JSON object");
		}
	}
	if (rc < 0)
		err_where(err, file, 0);
	talloc_free(scratch);
	return rc;
}

/* ---- the snapshot ---- */

/*
 * The schema does not change by a custom file as far as drizzle-kit knows: the last
 * snapshot once more, one further in the chain. Without one there is none to go on from.
 */
static int
add_snapshot(struct drizzle *d, struct err *err)
{
	const struct snapshot_list *list = snapshot_list_read(d->made, d->folder);
	const struct snapshot *last =
	    list != NULL && list->n > 0 ? &list->snapshots[list->n - 1] : NULL;
	json_t *document = NULL;
	char id[UUID_TEXT];

	if (last == NULL)
		return 0;
	if (read_document(d, last->file, BOUND_SNAPSHOT_BYTES, &document, err) < 0)
		return -1;
	digest_uuid7(d->now_us, id);
	json_object_set(document, "prevId", json_object_get(document, "id"));
	json_object_set_new(document, "id", json_string(id));
	add_document(
	    d, mem_printf(d->made, "meta/%s_snapshot.json", d->number), document, false);
	json_decref(document);
	return 0;
}

/* ---- the journal ---- */

static int64_t
next_when(const struct folder *folder, int64_t now_us)
{
	int64_t when = now_us / 1000;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		if (folder->migrations[i]->order >= when)
			when = folder->migrations[i]->order + 1;
	}
	return when;
}

static int64_t
next_index(const struct folder *folder)
{
	int64_t index = 0;

	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct listing *listing = &folder->migrations[i]->listing;

		if (listing->has_index && listing->index >= index)
			index = listing->index + 1;
	}
	return index;
}

static void
add_entry(struct drizzle *d)
{
	json_t *entries = json_object_get(d->journal, "entries");
	json_t *version = json_object_get(d->journal, "version");

	json_array_append_new(entries,
	    json_pack("{s:I, s:O, s:I, s:s, s:b}", "idx",
		(json_int_t)next_index(d->folder), "version", version, "when",
		(json_int_t)next_when(d->folder, d->now_us), "tag", d->made->id,
		"breakpoints", 1));
	add_document(d, d->folder->list, d->journal, true);
}

int
author_drizzle(
    const struct author_request *request, struct author_made *made, struct err *err)
{
	const struct folder *folder = request->folder;
	struct author_style style = author_style_of(folder, 0);
	struct drizzle d = { .folder = folder, .now_us = request->now_us, .made = made };
	bool is_custom = request->sql == NULL;
	char *slug = NULL;
	int rc = -1;

	if (author_slug(made, request->description, '_', &slug, err) < 0 ||
	    file_dir_open(made, folder->path, &d.dir, err) < 0 ||
	    read_document(&d, folder->list, BOUND_JOURNAL_BYTES, &d.journal, err) < 0)
		goto out;
	d.number = author_number(made, &style, request->now_us);
	made->id = mem_printf(made, "%s_%s", d.number, slug);
	made->files = mem_array(made, struct author_file, MAX_FILES);
	add_file(&d, mem_printf(made, "%s.sql", made->id),
	    is_custom ? CUSTOM : mem_strndup(made, request->sql, request->len),
	    is_custom ? strlen(CUSTOM) : request->len, false);
	if (add_snapshot(&d, err) < 0)
		goto out;
	add_entry(&d);
	made->advice =
	    "for changes of the schema edit it in TypeScript, and let drizzle-kit "
	    "generate write the file; this one is for what it cannot say";
	rc = 0;
out:
	json_decref(d.journal);
	return rc;
}
