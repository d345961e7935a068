/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Rows in another tracking table, while the one that we are told to use has none: the folder may
 * have run already, recorded there, and would run a second time. Or the table is another
 * application's, as auth.schema_migrations of Supabase: its rows tell.
 *
 *	const struct elsewhere_table *table = elsewhere_find(history->elsewhere, folder);
 *
 *	if (table != NULL)
 *		elsewhere_refuse(history->elsewhere, table, folder->layout, &err);
 *	else
 *		elsewhere_note(history->elsewhere, &err);
 *
 * A row is of the folder when it has the checksum of one of its files, or its file's name; or its
 * number, and a name that goes with it. By a short number alone ("1", "0002") any two folders
 * are alike: that counts where it holds of half of the rows, as of golang-migrate's only one.
 *
 * db/tracking_elsewhere.c finds them.
 */

#include <stddef.h>

#include "base/err.h"
#include "core/folder.h"
#include "core/history.h"

struct elsewhere_table {
	const char *schema;
	const char *table;
	const char *kind; /* a kind of tracking table */
	const struct history *history;
};

struct elsewhere {
	const char *ours;               /* schema.table that has no rows */
	struct elsewhere_table *tables; /* that have some; never empty */
	size_t n;
};

/* The first table that has recorded migrations of the folder; NULL: none has. */
const struct elsewhere_table *elsewhere_find(
    const struct elsewhere *elsewhere, const struct folder *folder);

/*
 * CONFIGURATION (409, exit 8): the table, whose it is, and the settings to write. `layout` is the
 * folder's, or NULL.
 */
void elsewhere_refuse(const struct elsewhere *elsewhere,
    const struct elsewhere_table *table, const struct layout *layout, struct err *err);

/* None of them has: that they were seen, for who knows better. */
void elsewhere_note(const struct elsewhere *elsewhere, struct err *err);
