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
	bool modified; /* `row` has another checksum than the file */
};

struct plan_match {
	struct plan_found *found;       /* one for each migration, in folder order */
	const struct migration **owner; /* one for each row of the history */
};

/* Owned by `ctx`; points into folder and history. */
struct plan_match *plan_match(
    const void *ctx, const struct folder *folder, const struct history *history);
