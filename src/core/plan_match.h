/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Which row of the tracking table belongs to which migration: the rules at the head of
 * plan.h, for any number of rows and migrations in O(n log n). Part of plan_build.
 *
 *	struct plan_match *match = plan_match(ctx, folder, history);
 *
 *	match->found[m->position].row ...        NULL: not applied
 *	match->owner[i] ...                      of history->rows[i]; NULL: nobody's
 */

#include <stdbool.h>

#include "core/folder.h"
#include "core/history.h"

/* What was found for one migration. */
struct plan_found {
	const struct history_row *row; /* NULL: not applied */
	const struct history_row
	    *failed;   /* the last row that records a failure, or NULL */
	bool modified; /* it was applied with another checksum than the file has */
	const char
	    *noted; /* that checksum, where `row` keeps none and our journal does */
	/*
	 * HISTORY_BY_NAME, and no row: one of the same text that is nobody's. Perhaps the
	 * migration was applied under that name.
	 */
	const struct history_row *renamed;
};

struct plan_match {
	struct plan_found *found;       /* one for each migration, in folder order */
	const struct migration **owner; /* one for each row of the history */
};

/*
 * Where a row stands among the migrations: the order of its migration `m`, or, where that is NULL,
 * what the layout or the row says. False: nowhere.
 */
bool plan_row_order(const struct folder *folder, const struct history_row *row,
    const struct migration *m, int64_t *order);

/* Owned by `ctx`; points into folder and history. */
struct plan_match *plan_match(
    const void *ctx, const struct folder *folder, const struct history *history);

/*
 * The same for HISTORY_BY_SECOND, into the empty `match`, in plan_match_seconds.c: the rows
 * of a drizzle-orm 0.x table and the folders that drizzle-kit up has made of its journal. As
 * drizzle-orm 1.0 (rc.5, up-migrations) finds them, for it gives the rows their names by it:
 *
 *	1. one migration of the second that created_at lies in: that one, whatever its text
 *	2. several: the first of them with the row's checksum
 *	3. none: the last migration with the row's checksum
 *
 * Any number of rows may be one migration's.
 */
void plan_match_seconds(
    struct plan_match *match, const struct folder *folder, const struct history *history);
