/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The snapshots that a generator keeps beside the migrations: the schema as it is behind
 * each of them, and which snapshot it was made from. Running migrations needs none; the next
 * `drizzle-kit generate` does, and a chain that forks after a merge gives wrong migrations.
 *
 *	drizzle-kit 0.x	meta/NNNN_snapshot.json: "id", "prevId"
 *	drizzle-kit 1.0	<folder>/snapshot.json: "id", "prevIds", for it joins branches
 *
 * Only what stands at the top of a document is read, and no tree is built: a snapshot holds
 * the whole schema, and a folder hundreds of them.
 *
 *	struct snapshot_reading *reading = snapshot_reading_new(ctx, folder, NULL);
 *
 *	while (reading && !snapshot_reading_step(reading, &budget))
 *		...		a turn of the loop
 *	list = snapshot_reading_end(reading, ctx);
 *	for (size_t i = 0; list && i < list->n; i++) ... list->snapshots[i].id
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/folder.h"

struct snapshot {
	const char *file;     /* beneath the folder: "meta/0003_snapshot.json" */
	const char *id;       /* NULL only where there is a problem */
	const char **parents; /* ids; SNAPSHOT_ORIGIN where nothing was before */
	size_t n_parents;
	bool joins;          /* of a generator that lets branches be and joins them */
	unsigned version;    /* of its format; 0: not known */
	struct err *problem; /* why it cannot be read, or is no snapshot; NULL: fine */
	unsigned long long stamp; /* of the file that it was read from; 0: it was not */
};

struct snapshot_list {
	struct snapshot *snapshots; /* sorted by file */
	size_t n;
};

#define SNAPSHOT_ORIGIN "00000000-0000-0000-0000-000000000000"

/*
 * Begin to read the snapshots in the folder as they are on disk now. NULL when its layout keeps
 * none, or the folder cannot be opened, which is the folder's own problem. What is the same file
 * as in `known` (may be NULL; kept until the end) is not read again: a folder may hold 100 MB of
 * them. Owned by `ctx`.
 */
struct snapshot_reading *snapshot_reading_new(
    const void *ctx, const struct folder *folder, const struct snapshot_list *known);

/*
 * Read some more: whole files, until the bytes of `*budget` are used up, which are taken from it.
 * True: there is none left.
 */
bool snapshot_reading_step(struct snapshot_reading *reading, size_t *budget);

/* Frees the reading. The list, owned by `ctx`; NULL for NULL. */
struct snapshot_list *snapshot_reading_end(
    struct snapshot_reading *reading, const void *ctx);

/* All of it at once, where nobody waits for the loop. */
struct snapshot_list *snapshot_list_read(const void *ctx, const struct folder *folder);

/* The one of that file, or NULL. */
const struct snapshot *snapshot_find(const struct snapshot_list *list, const char *file);

/*
 * Fill in what the `len` bytes at `data` say, a whole document; strings are owned by `ctx`.
 * `s->file` is set already. For snapshot_list_read and its tests.
 */
void snapshot_parse(struct snapshot *s, const void *ctx, const char *data, size_t len);
