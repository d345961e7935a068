/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Our own journal: schema migrationd, table runs. One row per run that did or refused
 * something (a run that found nothing to do writes nothing). Switched off by `journal =
 * off`; where the role may not create the schema it is quietly absent. It is never the
 * truth about what is applied: that is the tracking table.
 */

#include "core/history.h"
#include "core/run.h"
#include "db/pgconn.h"

/*
 * Does migrationd.runs exist, and may we create it? One row: exists, may_create. Reads
 * pg_catalog only.
 */
const struct pgconn_statement *journal_look(void);
void journal_read_look(const PGresult *result, bool *exists, bool *may_create);

/* CREATE SCHEMA/TABLE IF NOT EXISTS. */
const struct pgconn_statement *journal_create(void);

/* Insert the row of a finished run. `instance` says which daemon; may be NULL. */
struct pgconn_statement journal_insert(
    const void *ctx, const struct run *run, const char *instance);

/*
 * Keys of migrations that were baselined, one text column; for history_mark_baseline.
 * Needs the table of the journal.
 */
struct pgconn_statement journal_baselined(const void *ctx, const char *target);

/*
 * The checksums of files as they were applied or baselined last, one row each: id, checksum; and
 * into the history. Needs the table of the journal.
 */
struct pgconn_statement journal_checksums(const void *ctx, const char *target);
void journal_read_checksums(const PGresult *result, struct history *history);

/*
 * The newest finished runs, for /runs after a restart; journal_read_run makes a run of
 * row `row` (one reference).
 */
struct pgconn_statement journal_recent(
    const void *ctx, const char *target, unsigned limit);
struct run *journal_read_run(const PGresult *result, int row);
