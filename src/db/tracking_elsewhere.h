/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Whether the folder may have run already, recorded in another tool's tracking table: looked for
 * only while ours has no rows, and once more before a run creates ours.
 *
 *	tracking_elsewhere(ctx, &table)            the catalog: tables with such names
 *	tracking_elsewhere_rows(ctx, &table, ...)  those of them that have rows
 *	tracking_read_elsewhere(ctx, &table, ...)  -> history->elsewhere, elsewhere_refuse
 *
 * Names and columns are those of the kinds in tracking.c. It is looked in the schema of our
 * table, in the search_path, in the schemas that a kind uses by default; and, unless the
 * configuration says which schema our table lies in, for its name in every schema. A table that
 * the role may not read is another's.
 */

#include "core/elsewhere.h"
#include "db/tracking.h"

struct pgconn_statement tracking_elsewhere(
    const void *ctx, const struct tracking_table *table);

/*
 * From the answer to that: a statement that names those with rows, none if ours (`table_exists`)
 * has one. sql "" where no table is of a kind that we know: then there is nothing to ask.
 */
struct pgconn_statement tracking_elsewhere_rows(const void *ctx,
    const struct tracking_table *table, bool table_exists, const PGresult *result);

/* From the answer to that; NULL: none. Owned by `ctx`. */
struct elsewhere *tracking_read_elsewhere(
    const void *ctx, const struct tracking_table *table, const PGresult *result);
