/* SPDX-License-Identifier: PostgreSQL */
#include "core/snapshot.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"

#define SUFFIX "_snapshot.json"

/* drizzle-kit nests some ten deep, writes UUIDs as ids, and joins a handful of branches. */
#define MAX_DEPTH   64u
#define MAX_ID      64u
#define MAX_PARENTS 64u

/* ---- the top level of a JSON document ---- */

struct span {
	const char *text;
	size_t len;
};

struct reader {
	struct snapshot *snapshot;
	const void *ctx;
	const char *data;
	const char *end;
	const char *at;
	char closers[MAX_DEPTH]; /* what ends each level that is open */
	unsigned depth;
	struct span key; /* of the member at hand at the top level */
};

static bool
span_is(const struct span *span, const char *word)
{
	return span->len == strlen(word) && memcmp(span->text, word, span->len) == 0;
}

static int
refuse(struct reader *r, const char *why)
{
	struct snapshot *s = r->snapshot;
	unsigned line = 1;

	for (const char *p = r->data; p < r->at; p++)
		line += *p == '\n';
	s->problem = mem_zero(r->ctx, struct err);
	err_set(s->problem, CAT_CONFIGURATION, "%s", why);
	err_where(s->problem, s->file, line);
	return -1;
}

/* Those of a UUID, and of the short names that people give. */
#define ID_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

/*
 * An id or a version; what is too long for one is none, and neither is what has other
 * letters: it goes into commands that a person is told to type, and any branch may bring it.
 */
static const char *
keep(struct reader *r, const struct span *value)
{
	char *id;

	if (value->len > MAX_ID)
		return NULL;
	id = mem_strndup(r->ctx, value->text, value->len);
	return id[strspn(id, ID_LETTERS)] == '\0' ? id : NULL;
}

static void
add_parent(struct reader *r, const struct span *value)
{
	struct snapshot *s = r->snapshot;
	/* some that were made by hand or by old kits have "" for the first */
	const char *id = value->len > 0 ? keep(r, value) : SNAPSHOT_ORIGIN;

	if (!id || s->n_parents == MAX_PARENTS)
		return;
	s->parents = mem_grow(r->ctx, s->parents, const char *, s->n_parents + 1);
	s->parents[s->n_parents++] = id;
}

static void
take_string(struct reader *r, const struct span *value)
{
	struct snapshot *s = r->snapshot;

	if (r->depth == 2 && r->closers[1] == ']' && span_is(&r->key, "prevIds"))
		add_parent(r, value);
	if (r->depth != 1)
		return;
	if (span_is(&r->key, "id")) {
		s->id = keep(r, value);
	} else if (span_is(&r->key, "prevId")) {
		add_parent(r, value);
	} else if (span_is(&r->key, "version")) {
		const char *text = keep(r, value);

		s->version = text ? (unsigned)strtoul(text, NULL, 10) : 0;
	}
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* r->at is behind the opening quote. */
static int
read_string(struct reader *r)
{
	struct span span = { .text = r->at };
	const char *next;

	while (r->at < r->end && *r->at != '"')
		r->at += *r->at == '\\' && r->at + 1 < r->end ? 2 : 1;
	if (r->at >= r->end)
		return refuse(r, "not valid JSON: it ends in the middle of a string");
	span.len = (size_t)(r->at - span.text);
	r->at++;
	for (next = r->at; next < r->end && is_blank(*next);)
		next++;
	if (r->depth == 1 && next < r->end && *next == ':')
		r->key = span;
	else
		take_string(r, &span);
	return 0;
}

static int
open_level(struct reader *r, char opener)
{
	if (r->depth == MAX_DEPTH)
		return refuse(r, "nested too deeply for a snapshot");
	if (r->depth == 1 && opener == '[' && span_is(&r->key, "prevIds"))
		r->snapshot->joins = true;
	r->closers[r->depth++] = opener == '{' ? '}' : ']';
	return 0;
}

static int
close_level(struct reader *r, char closer)
{
	if (r->depth == 0 || r->closers[r->depth - 1] != closer)
		return refuse(r, "not valid JSON: a bracket that nothing opened");
	r->depth--;
	return 0;
}

static int
read_document(struct reader *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
	if (r->at == r->end || *r->at != '{')
		return refuse(r, "not a JSON object");
	do {
		char c = *r->at++;
		int rc = 0;

		if (c == '"')
			rc = read_string(r);
		else if (c == '{' || c == '[')
			rc = open_level(r, c);
		else if (c == '}' || c == ']')
			rc = close_level(r, c);
		if (rc < 0)
			return -1;
	} while (r->depth > 0 && r->at < r->end);
	if (r->depth > 0)
		return refuse(r, "not valid JSON: it ends in the middle");
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
	if (r->at < r->end)
		return refuse(r, "not valid JSON: something stands behind its end");
	return 0;
}

void
snapshot_parse(struct snapshot *s, const void *ctx, const char *data, size_t len)
{
	unsigned conflict = migration_conflict_line(data, len);
	struct reader r = {
		.snapshot = s, .ctx = ctx, .data = data, .end = data + len, .at = data
	};

	if (conflict) {
		refuse(&r, "unresolved merge conflict");
		s->problem->line = conflict;
	} else if (read_document(&r) == 0 &&
	    (!s->id || (s->n_parents == 0 && !s->joins))) {
		r.at = data;
		refuse(&r, "no \"id\" and \"prevId\", as a snapshot has");
	}
}

/* ---- the files ---- */

static void
read_snapshot(struct snapshot *s, const void *ctx, struct file_dir *dir, size_t *total)
{
	void *scratch = mem_context(NULL, "snapshot");
	struct err err = { 0 };
	char *data = NULL;
	size_t len = 0;

	if (*total >= BOUND_SNAPSHOTS_BYTES)
		err_set(&err, CAT_CONFIGURATION,
		    "not read: the snapshots hold more than %u MiB",
		    BOUND_SNAPSHOTS_BYTES >> 20);
	else if (file_dir_read(
		     dir, scratch, s->file, BOUND_SNAPSHOT_BYTES, &data, &len, &err) == 0)
		snapshot_parse(s, ctx, data, len);
	if (err_is_set(&err)) {
		err_where(&err, s->file, 0);
		s->problem = mem_zero(ctx, struct err);
		*s->problem = err;
		s->stamp = 0; /* it may be readable the next time */
	}
	*total += len;
	talloc_free(scratch);
}

static void
copy_snapshot(struct snapshot *s, const void *ctx, const struct snapshot *from)
{
	const char *file = s->file;

	*s = *from;
	s->file = file;
	s->id = mem_strdup(ctx, from->id);
	s->parents = mem_array(ctx, const char *, from->n_parents);
	for (size_t i = 0; i < from->n_parents; i++)
		s->parents[i] = mem_strdup(ctx, from->parents[i]);
	if (from->problem) {
		s->problem = mem_zero(ctx, struct err);
		*s->problem = *from->problem;
	}
}

static bool
is_snapshot_name(const char *name)
{
	size_t len = strlen(name);
	size_t n = strlen(SUFFIX);

	/* drizzle-kit passes over names that begin with "_" */
	return len > n && name[0] != '_' && strcmp(name + len - n, SUFFIX) == 0;
}

/* The files in the layout's folder of snapshots, which are sorted already. */
static void
list_folder(struct snapshot_list *list, struct file_dir *dir, const char *sub)
{
	struct file_list files = { 0 };
	struct err err = { 0 };

	if (file_dir_list(dir, list, sub, &files, &err) < 0)
		return; /* without it nothing of the layout can be read: that is told there */
	list->snapshots = mem_array(list, struct snapshot, files.n);
	for (size_t i = 0; i < files.n; i++) {
		if (is_snapshot_name(files.names[i]))
			list->snapshots[list->n++].file =
			    mem_printf(list, "%s/%s", sub, files.names[i]);
	}
}

static int
compare_files(const void *a, const void *b)
{
	const struct snapshot *x = a;
	const struct snapshot *y = b;

	return strcmp(x->file, y->file);
}

/* The file beside each migration. */
static void
list_beside(struct snapshot_list *list, struct file_dir *dir, const struct folder *folder)
{
	list->snapshots = mem_array(list, struct snapshot, folder->n_migrations);
	for (size_t i = 0; i < folder->n_migrations; i++) {
		char *file = folder->layout->snapshot_file(list, folder->migrations[i]);

		if (file && file_dir_has(dir, file))
			list->snapshots[list->n++].file = file;
	}
	qsort(list->snapshots, list->n, sizeof(struct snapshot), compare_files);
}

/* ---- a piece at a time ---- */

/* To open a file costs as much as to read so many bytes of it. */
#define OPEN_BYTES 4096u

struct snapshot_reading {
	struct file_dir *dir;
	const struct snapshot_list *known;
	struct snapshot_list *list;
	size_t at;    /* the first that is not read */
	size_t total; /* bytes read */
};

struct snapshot_reading *
snapshot_reading_new(
    const void *ctx, const struct folder *folder, const struct snapshot_list *known)
{
	struct snapshot_reading *reading = NULL;
	struct err err = { 0 };

	if (!folder->layout || !folder->layout->snapshot_file)
		return NULL;
	reading = mem_zero(ctx, struct snapshot_reading);
	if (file_dir_open(reading, folder->path, &reading->dir, &err) < 0) {
		talloc_free(reading);
		return NULL;
	}
	reading->known = known;
	reading->list = mem_zero(reading, struct snapshot_list);
	if (folder->layout->snapshot_folder)
		list_folder(reading->list, reading->dir, folder->layout->snapshot_folder);
	else
		list_beside(reading->list, reading->dir, folder);
	return reading;
}

static void
read_next(struct snapshot_reading *reading)
{
	const struct snapshot_list *known = reading->known;
	struct snapshot *s = &reading->list->snapshots[reading->at++];
	const struct snapshot *old = known ? snapshot_find(known, s->file) : NULL;
	/* of before the reading: what is written meanwhile is read the next time */
	unsigned long long stamp = file_dir_stamp(reading->dir, s->file);

	if (old && stamp != 0 && old->stamp == stamp) {
		copy_snapshot(s, reading->list, old);
		return;
	}
	s->stamp = stamp;
	read_snapshot(s, reading->list, reading->dir, &reading->total);
}

bool
snapshot_reading_step(struct snapshot_reading *reading, size_t *budget)
{
	while (reading->at<reading->list->n && * budget> 0) {
		size_t before = reading->total;
		size_t cost = 0;

		read_next(reading);
		cost = OPEN_BYTES + reading->total - before;
		*budget -= cost < *budget ? cost : *budget;
	}
	return reading->at == reading->list->n;
}

struct snapshot_list *
snapshot_reading_end(struct snapshot_reading *reading, const void *ctx)
{
	struct snapshot_list *list = reading ? talloc_steal(ctx, reading->list) : NULL;

	talloc_free(reading);
	return list;
}

struct snapshot_list *
snapshot_list_read(const void *ctx, const struct folder *folder)
{
	struct snapshot_reading *reading = snapshot_reading_new(ctx, folder, NULL);
	size_t budget = SIZE_MAX;

	if (reading)
		(void)snapshot_reading_step(reading, &budget);
	return snapshot_reading_end(reading, ctx);
}

const struct snapshot *
snapshot_find(const struct snapshot_list *list, const char *file)
{
	const struct snapshot wanted = { .file = file };

	if (list->n == 0)
		return NULL;
	return bsearch(&wanted, list->snapshots, list->n, sizeof(wanted), compare_files);
}
