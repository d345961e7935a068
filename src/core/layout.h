/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * How a folder is laid out. One row per layout; a new layout is one file in core and one row in
 * layout.c, nothing else.
 *
 * drizzle    meta/_journal.json lists the tags in order, <tag>.sql beside it; parts are cut at
 *            "--> statement-breakpoint" (drizzle-kit 0.x, journal versions 5, 6, 7)
 * drizzle1   <14 digits of UTC>_<name>/migration.sql, ordered by name, cut likewise
 *            (drizzle-kit 1.0)
 * sequence   NNNN_description.sql, NNN-description.sql or 14-digit timestamps; gaps are fine,
 *            order is numeric
 * manifest   a list beside the files says which are run, and in which order
 * goose, dbmate, flyway, golang-migrate, sqlx, diesel
 *            as the tools of that name have their folders; see the head of each layout_*.c
 * dated      YYYY-MM-DD_description.sql, the data migrations beside the schema's folder
 * files      any *.sql by name: what is run again when it has changed
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/file.h"
#include "base/macros.h"

struct author_made;
struct author_request;
struct folder;
struct migration;

struct layout {
	const char *name;
	const char *summary; /* for --help and messages */
	const char *sample;  /* a name that such folders have: "meta/_journal.json" */
	/* the tracking table its own tool keeps: the default; NULL: it is none for the schema */
	const char *tracking;
	/*
	 * What to do about a migration that is out of order; NULL: there is no such thing, what
	 * is not recorded is pending wherever it stands, as this layout's own tool has it.
	 */
	const char *remedy;

	/*
	 * Its own tool runs only what has a higher `order` than the newest recorded, and that is
	 * a time in milliseconds.
	 */
	bool by_watermark;

	/*
	 * The snapshot of the schema that its generator keeps beside that migration, a path
	 * beneath the folder owned by `ctx`. NULL: it keeps none.
	 */
	char *(*snapshot_file)(const void *ctx, const struct migration *m);
	/* where all of them lie, as *_snapshot.json; NULL: each beside its migration */
	const char *snapshot_folder;

	/*
	 * Another layout whose folders look the same: then nothing but a person can tell, and
	 * the layout has to be named. NULL: none.
	 */
	const char *twin;

	/*
	 * The order of a recorded version that has no migration in the folder: between those
	 * that it lies between. False: it has none. NULL: the number that the row holds.
	 */
	bool (*place)(const struct folder *folder, const char *version, int64_t *order);

	/* Whether the folder looks like this layout. `root` lists the folder. Rows are asked in
	 * order. NULL: it has to be named. */
	bool (*detect)(struct file_dir *dir, const struct file_list *root);

	/* Add every migration (folder_add), unregistered file and problem. -1 only where the
	 * folder cannot be told apart into migrations at all (broken journal): err becomes a
	 * problem of the folder. */
	int (*load)(struct folder *folder, struct file_dir *dir,
	    const struct file_list *root, struct err *err);

	/*
	 * The files of a new migration (core/author_kind.h). NULL: none is written, its own
	 * tool knows the form.
	 */
	int (*author)(const struct author_request *request, struct author_made *made,
	    struct err *err);
};

extern const struct layout layout_drizzle;
extern const struct layout layout_drizzle1;
extern const struct layout layout_diesel;
extern const struct layout layout_goose;
extern const struct layout layout_dbmate;
extern const struct layout layout_flyway;
extern const struct layout layout_golang_migrate;
extern const struct layout layout_manifest;
extern const struct layout layout_sequence;
extern const struct layout layout_sqlx;
/* Of the folders beside the schema's: never found by their looks, nor to be chosen. */
extern const struct layout layout_dated;
extern const struct layout layout_files;

/* The row of that name, or NULL. */
const struct layout *layout_find(const char *name);

/* Whether it is one of the folders beside the schema's. */
bool layout_is_beside(const struct layout *layout);

/* The first row whose own tool keeps that kind of tracking table, or NULL. */
const struct layout *layout_find_tracking(const char *tracking);

bool layout_looks_so(
    const struct layout *layout, struct file_dir *dir, const struct file_list *root);

/* The first row that recognises the folder, or NULL. */
const struct layout *layout_detect(struct file_dir *dir, const struct file_list *root);

/* The name of each row that may be chosen: a names_fn (base/names.h). */
const char *layout_name(size_t i);

/* "drizzle (meta/_journal.json), sequence (0001_description.sql)". Owned by ctx. */
char *layout_samples(const void *ctx);
