/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The journal of batches, table migrationd.batches: how far a migration is that runs in
 * batches (core/batch.h). Its row is written in the transaction of each batch, so it
 * tells of exactly those that are committed; it goes when the migration is recorded.
 *
 *	look, create   is the table there; make it
 *	read           -> journal_batches_read_row
 *	size           what there is to do, where no earlier run has asked
 *	note           inside the transaction of a batch
 *	forget         inside the one that records the migration
 */

#include "core/batch.h"
#include "db/pgconn.h"
#include "db/tracking.h"

/*
 * Does the table exist, may we create it? One row, read by
 * journal_read_look.
 */
const struct pgconn_statement *journal_batches_look(void);
struct pgconn_statement journal_batches_create(const void *ctx, bool schema_exists);

/* One row or none: false, and `batch` stays as it is. */
struct pgconn_statement journal_batches_read(
    const void *ctx, const struct tracking_table *table, const char *version);
bool journal_batches_read_row(const PGresult *result, struct run_batch *batch);

/*
 * How many rows the table that is changed can have, from its statistics and its size: one
 * row; 0: not known.
 */
struct pgconn_statement journal_batches_bound(const void *ctx, const struct batch *batch);

/* One more batch, of so many rows; total and bound as `batch` has them. */
struct pgconn_statement journal_batches_note(const void *ctx,
    const struct tracking_table *table, const char *version,
    const struct run_batch *batch, uint64_t rows, const char *run_id);
struct pgconn_statement journal_batches_forget(
    const void *ctx, const struct tracking_table *table, const char *version);

/*
 * What may be a reason to wait: the greatest replay lag of the replicas in milliseconds
 * and the sessions that are active but ours; then whether there are replicas, and
 * sessions, of which this role may not see as much (pg_read_all_stats).
 */
const struct pgconn_statement *journal_batches_load(void);
