/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The history: the rows of the tracking table as read at one moment.
 *
 * Filled by the tracking modules of db, one history_add per row, in the order
 * of the table; read by plan_build. Owned by the talloc context it was made in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct elsewhere; /* core/elsewhere.h */

/* Which word of a migration the tracking table stores to know it again. */
enum history_key {
	HISTORY_BY_VERSION, /* schema_migrations: the version; drizzle: `when`, then the hash */
	HISTORY_BY_FILE, /* migration_log: the file name */
	/*
	 * drizzle1: the version alone. An equal text under another name is another migration;
	 * or the same one renamed, which is asked.
	 */
	HISTORY_BY_NAME,
	/* A table of drizzle-orm 0.x with a folder of 1.0: `when`, cut to the second. */
	HISTORY_BY_SECOND,
};

struct history_row {
	const char *key;      /* as stored; NULL where the table allows NULL */
	const char *name;     /* for people; NULL when the table has none */
	const char *checksum; /* NULL when the table has none */
	const char *error;    /* of a row that records a failure, else NULL */
	bool failed;          /* the row says "failed": it does not count as applied */
	bool baseline;        /* our journal says it was recorded without being run */
	bool
	    covers_older; /* it stands for all that is older, too: a watermark, a baseline */
	bool has_order; /* `order` is known: a number to compare with migration.order */
	int64_t order;
	int64_t applied_at_us; /* 0: the table does not say (drizzle) */
};

struct history {
	bool table_exists;
	enum history_key key;
	const char
	    *needs_layout; /* the one layout whose migrations it can hold, or NULL */
	/* rows of other tracking tables, where this one has none; NULL: none, or not looked */
	struct elsewhere *elsewhere;
	/* what its own tool would not go on with, and neither do we; NULL: nothing */
	struct err *stop;
	struct history_row *rows;
	size_t n_rows;
	int64_t as_of_mono_us; /* what came later may not be in it */
	/* private to history.c: what our journal knows of files, by id */
	struct history_note *notes;
	size_t n_notes;
	/*
	 * Private to history.c: the rows with a key, sorted by it; made when it
	 * is first needed.
	 */
	struct history_row **by_key;
	size_t n_by_key;
};

struct history *history_new(const void *ctx, enum history_key key);

/* A copy of `row`, strings too, becomes the last row. */
void history_add(struct history *history, const struct history_row *row);

/*
 * The table says that its own tool stopped half-way (golang-migrate's dirty): nothing may run. A
 * copy of `err`; the first one stays.
 */
void history_stop(struct history *history, const struct err *err);

/*
 * The checksum that the migration of that id had when we applied it, as our journal has it: for
 * tables that keep none. To be noted in the order of the ids' bytes. And what was noted of it;
 * NULL: nothing.
 */
void history_note_checksum(struct history *history, const char *id, const char *checksum);
const char *history_noted_checksum(const struct history *history, const char *id);

/* What is equal to `row` in key and checksum, and no failure, is there no more. */
void history_remove(struct history *history, const struct history_row *row);

/* Mark the row(s) with that key as baseline; nothing when there is none. */
void history_mark_baseline(struct history *history, const char *key);
