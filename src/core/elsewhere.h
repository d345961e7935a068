/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Rows in another tool's tracking table, while the one that we are told to use has none: the
 * folder may have run already, recorded there, and would run a second time.
 *
 *	if (history->elsewhere != NULL)
 *		elsewhere_refuse(history->elsewhere, folder->layout, &err);
 *
 * db/tracking_elsewhere.c finds them.
 */

#include <stddef.h>

#include "base/err.h"
#include "core/layout.h"

struct elsewhere {
	const char *schema; /* of the first table with rows, */
	const char *table;
	const char *kind; /* a kind of tracking table */
	const char *ours; /* schema.table that has none */
	size_t n_more;    /* tables with rows besides */
};

/*
 * CONFIGURATION (409, exit 8): the table, whose it is, and the settings to write. `layout` is the
 * folder's, or NULL.
 */
void elsewhere_refuse(
    const struct elsewhere *elsewhere, const struct layout *layout, struct err *err);
