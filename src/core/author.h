/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * For authors: a new migration in the folder's own style. What is to be written is
 * decided first and without touching anything, so that it can be shown; then written.
 *
 *	const struct author_request request = { folder, "add users", .now_us = clock_now_us() };
 *	struct author_made *made;
 *
 *	if (author_create(ctx, &request, &made, err) < 0)
 *		return -1;
 *	... made->id, made->files[0].path, made->advice for people
 *	return author_write(folder->path, made, err);
 *
 * Numbers go on from the highest of the folder, as wide and with the separator that the
 * newest file has: 0043_, 043-, 20261120055812_. Where a list names the files, the name is
 * put at its end. A Drizzle folder gets the file, an entry in the journal and a snapshot, as
 * `drizzle-kit generate --custom` writes them: each layout has its own way
 * (core/author_kind.h). Those that have none are refused: their own tools know their forms.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "core/folder.h"

struct author_file {
	const char *path; /* beneath the folder */
	const char *text;
	size_t len;
	bool replaces; /* it is there already, as the journal is */
};

struct author_made {
	const char *id; /* of the migration */
	/* in the order to write them: what makes it known comes last */
	struct author_file *files;
	size_t n_files;
	const char *advice; /* what to do next, a sentence */
};

struct author_request {
	const struct folder *folder;
	const char *description; /* in the file's name and head */
	/* what the file is to hold, and where it is from, for messages; NULL: a template */
	const char *sql;
	size_t len;
	const char *file;
	int64_t now_us;
};

/*
 * A file to write SQL into, or with the SQL that is there already; in numbered folders that
 * gets a head and the section for the way back, where it has none. CONFIGURATION: nothing in
 * the description can be part of a name; the layout is not one we write; the folder has a
 * problem that blocks, which is told; the SQL could not be run, with file and line.
 */
int author_create(const void *ctx, const struct author_request *request,
    struct author_made **made, struct err *err) MUST_CHECK;

/*
 * A data migration, YYYY-MM-DD_name.sql: each runs once, after the schema, whatever the
 * folder holds.
 */
int author_new_data(const void *ctx, const char *description, int64_t now_us,
    struct author_made **made, struct err *err) MUST_CHECK;

/*
 * Write the files into the folder `path`: each is there as a whole or not at all. What is
 * new and there already is CONFIGURATION, and nothing behind it is written.
 */
int author_write(
    const char *path, const struct author_made *made, struct err *err) MUST_CHECK;
