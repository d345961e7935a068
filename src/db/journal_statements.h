/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The journal of statements, table migrationd.statements: what has run of a
 * migration that runs in segments. A statement that runs alone is noted before its
 * first byte is sent, and noted done when it is proven done; those of a
 * transactional segment are noted in its own transaction. A row without finished_at
 * is a statement of which nobody knows whether it ran.
 *
 *	look, create          is the table there; make it
 *	read                  -> journal_statements_read_rows: struct resume_row[]
 *	start ... finish      around a statement that runs alone
 *	segment               inside the transaction of a segment
 *	forget                inside the transaction that records the migration
 *	repair_*              what a person answered about a statement in doubt
 *
 * A statement is known by tracking table, version of the migration, number and
 * digest.
 */

#include "core/resume.h"
#include "core/script.h"
#include "db/pgconn.h"
#include "db/tracking.h"

/*
 * Does the table exist, may we create it? One row of two bools; read by
 * journal_read_look.
 */
const struct pgconn_statement *journal_statements_look(void);
struct pgconn_statement journal_statements_create(const void *ctx, bool schema_exists);

struct pgconn_statement journal_statements_read(
    const void *ctx, const struct tracking_table *table, const char *version);
struct resume_row *journal_statements_rows(
    const void *ctx, const PGresult *result, size_t *n);

/* About to run; done. */
struct pgconn_statement journal_statements_start(const void *ctx,
    const struct tracking_table *table, const char *version,
    const struct script_statement *statement, const char *run_id);
struct pgconn_statement journal_statements_finish(const void *ctx,
    const struct tracking_table *table, const char *version, unsigned number);

/* All statements of a transactional segment are done. */
struct pgconn_statement journal_statements_segment(const void *ctx,
    const struct tracking_table *table, const char *version, const struct script *script,
    const struct script_segment *segment, const char *run_id);

/* The versions of which anything is noted, one in each row. */
struct pgconn_statement journal_statements_versions(
    const void *ctx, const struct tracking_table *table);

/* What stands for the version in the rows of its way back. */
const char *journal_statements_key_back(const void *ctx, const char *version);

/* The migration is recorded, or is no more: its rows go, those of the way back too. */
struct pgconn_statement journal_statements_forget(
    const void *ctx, const struct tracking_table *table, const char *version);

/*
 * What a person said: "retry" the statement in doubt (its row goes), it was
 * "applied" (its row is finished), or "pending": begin the migration anew (all rows
 * go). The number of rows affected tells whether there was anything in doubt.
 */
struct pgconn_statement journal_statements_repair(const void *ctx,
    const struct tracking_table *table, const char *version, const char *action);
