/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Whether the folder may have run already, recorded in another tracking table: looked for only
 * while ours has no rows, and once more before a run creates ours.
 *
 *	tracking_elsewhere(ctx, &table, exists)     the catalog: tables with such names
 *	others = tracking_elsewhere_new(ctx, &table, result)
 *	while (tracking_elsewhere_ask(others, ctx, &statement))
 *		tracking_elsewhere_rows(others, reply, &err)
 *	history->elsewhere = tracking_elsewhere_end(others, history)
 *
 * Names and columns are those of the kinds in tracking.c. It is looked in the schema of our
 * table, in the search_path, in the schemas that a kind uses by default; and, unless the
 * configuration says which schema our table lies in, for its name in every schema. A table that
 * the role may not read is another's; so is one whose rows are not what its columns say. Which of
 * them is about the folder, core/elsewhere.h tells.
 */

#include "core/elsewhere.h"
#include "db/tracking.h"

struct tracking_elsewhere;

/* No row where ours (`table_exists`) has one. */
struct pgconn_statement tracking_elsewhere(
    const void *ctx, const struct tracking_table *table, bool table_exists);

/* From the answer to that, owned by `ctx`: those of a kind that we know. */
struct tracking_elsewhere *tracking_elsewhere_new(
    const void *ctx, const struct tracking_table *table, const PGresult *result);

/* The question for the rows of the next one; false: none is left. */
bool tracking_elsewhere_ask(const struct tracking_elsewhere *others, const void *ctx,
    struct pgconn_statement *statement);

/*
 * The answer to that, or its error. -1: it says nothing of the table (the connection was lost, it
 * took too long), so that nobody knows.
 */
int tracking_elsewhere_rows(struct tracking_elsewhere *others,
    const struct pgconn_reply *reply, struct err *err) MUST_CHECK;

/* What was found, owned by `ctx`; NULL: no table has rows. */
struct elsewhere *tracking_elsewhere_end(
    struct tracking_elsewhere *others, const void *ctx);
