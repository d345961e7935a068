/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Our own journal: schema migrationd, table runs. One row per run that did or refused
 * something (a run that found nothing to do writes nothing). Switched off by `journal =
 * off`; where the role may not create the schema it is quietly absent. It is never the
 * truth about what is applied: that is the tracking table.
 *
 * Services that share a database share the journal, and their files may have the same
 * names. So a row says which tracking table its run was about. Rows of releases that did
 * not say so count for all.
 */

#include "core/history.h"
#include "core/run.h"
#include "db/pgconn.h"
#include "db/tracking.h"

/* What is there of a table of ours. */
struct journal_look {
	bool exists;
	bool may_create;
	bool schema_exists;
	/* of runs alone: it says whose a run is; and where it does not, we may add that */
	bool says_whose;
	bool may_widen;
};

/*
 * Does migrationd.runs exist, and may we create it? One row, for journal_read_look. Reads
 * pg_catalog only.
 */
const struct pgconn_statement *journal_look(void);
struct journal_look journal_read_look(const PGresult *result);

/*
 * The same of another table of ours, whatever we may do with it. And where the server then says
 * that we may not, what to do (42501; else nothing).
 */
#define JOURNAL_LOOK(table) \
	"SELECT c.oid IS NOT NULL, " JOURNAL_MAY_CREATE " " JOURNAL_FROM(table)
void journal_hint_rights(const char *table, struct err *err);

/* Where there is a schema, the right to make another one is none. */
#define JOURNAL_MAY_CREATE                                                            \
	"CASE WHEN n.oid IS NULL THEN "                                               \
	"pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') " \
	"ELSE pg_catalog.has_schema_privilege(n.oid, 'CREATE') END, "                 \
	"n.oid IS NOT NULL"

/* One row, of schema `n` and table `c`, of NULLs where there are none. */
#define JOURNAL_FROM(table)                                 \
	"FROM (SELECT 1) AS one "                           \
	"LEFT JOIN pg_catalog.pg_namespace AS n "           \
	"ON n.nspname OPERATOR(pg_catalog.=) 'migrationd' " \
	"LEFT JOIN pg_catalog.pg_class AS c "               \
	"ON c.relnamespace OPERATOR(pg_catalog.=) n.oid "   \
	"AND c.relname OPERATOR(pg_catalog.=) '" table "'"

/*
 * CREATE TABLE IF NOT EXISTS, and before it the schema unless that is there: to name it
 * again needs the right to create one. DDL, for runner_send_ddl.
 */
struct pgconn_statement journal_create(const void *ctx, bool schema_exists);
struct pgconn_statement journal_create_with(
    const void *ctx, bool schema_exists, const char *create_table);

/*
 * A statement about what one of the journal's tables has of one migration: $1 is the label of the
 * tracking table, $2 the version, as JOURNAL_OF_MIGRATION of the table's alias wants them.
 */
struct pgconn_statement journal_about(const void *ctx, const struct tracking_table *table,
    const char *version, const char *sql);

#define JOURNAL_OF_MIGRATION(alias)                                             \
	alias ".tracking OPERATOR(pg_catalog.=) $1::pg_catalog.text AND " alias \
	      ".version OPERATOR(pg_catalog.=) $2::pg_catalog.text"

/*
 * The column that says whose a run is, for a table without. DDL as well. And what to say where only
 * another role can add it.
 */
struct pgconn_statement journal_widen(const void *ctx, bool with_timeout);
void journal_ask_to_widen(struct err *err);

/* Whose runs. */
struct journal_owner {
	const char *target;
	const char *tracking; /* its label; NULL: the table cannot say */
};

/* The target's, by its tracking table of any phase; as far as the look saw. */
struct journal_owner journal_owner_of(const void *ctx, const struct journal_look *look,
    const char *target, const struct tracking_table *table);

/* A question about the runs `r` of the owner; `behind` goes on after its WHERE. */
struct pgconn_statement journal_ask(const void *ctx, const struct journal_owner *owner,
    const char *before, const char *behind);

/* Insert the row of a finished run. `instance` says which daemon; may be NULL. */
struct pgconn_statement journal_insert(const void *ctx, const struct run *run,
    const struct journal_owner *owner, const char *instance);

/*
 * The newest word on each migration, in journal_words.c: which were baselined, and the checksums
 * of files as they were applied or baselined last. Needs the table of the journal.
 *
 * To find them all runs ever are looked through. Who looks all the time keeps the words, and asks
 * first whether there is anything new: the one text that journal_news answers with stays the same
 * until there is.
 */
struct pgconn_statement journal_news(const void *ctx, const struct journal_owner *owner);
struct pgconn_statement journal_baselined(
    const void *ctx, const struct journal_owner *owner);
struct pgconn_statement journal_checksums(
    const void *ctx, const struct journal_owner *owner);

/* What was answered to the last two, and into a history. */
struct journal_words *journal_words_new(const void *ctx);
void journal_read_baselined(struct journal_words *words, const PGresult *result);
void journal_read_checksums(struct journal_words *words, const PGresult *result);
void journal_tell(const struct journal_words *words, struct history *history);

/*
 * The newest finished runs, for /runs after a restart; journal_read_run makes a run of
 * row `row` (one reference).
 */
struct pgconn_statement journal_recent(
    const void *ctx, const struct journal_owner *owner, unsigned limit);
struct run *journal_read_run(const PGresult *result, int row);
