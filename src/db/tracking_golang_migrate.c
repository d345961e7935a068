/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_kind.h"

/*
 * golang-migrate v4 (database/postgres): (version bigint, dirty boolean) with one row, which says
 * how far the database is. It sets dirty before a file and takes it back behind; in between a
 * failure leaves it, and then it refuses to go on. Ours is written in the file's own transaction,
 * so we never leave it.
 */

static const char *const columns[] = { "version", "dirty", NULL };

static void
read_more(struct history *history, struct history_row *row, const char *const *more)
{
	row->covers_older = true;
	if (tracking_is_true(more[0]))
		tracking_stop(history,
		    "see how much of it is done; then undo that and set the row to the version "
		    "before, or finish it and leave the version, with dirty = false "
		    "(migrate force VERSION does the same)",
		    "the database is dirty at version %s: golang-migrate stopped within that "
		    "file",
		    row->key);
	if (history->n_rows > 0)
		tracking_stop(history, "leave the one with the right version",
		    "the tracking table has more than one row, and golang-migrate reads "
		    "any one of them");
}

/* Not TRUNCATE, as golang-migrate does: readers need not wait for us. */
static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "WITH older AS (DELETE FROM {table} AS o "
		    "WHERE o.version OPERATOR(pg_catalog.<) $1::pg_catalog.int8) "
		    "INSERT INTO {table} (version, dirty) "
		    "SELECT $1::pg_catalog.int8, false "
		    "WHERE NOT EXISTS (SELECT 1 FROM {table} AS t "
		    "WHERE t.version OPERATOR(pg_catalog.>=) $1::pg_catalog.int8 "
		    "OR t.dirty)"),
		.n_params = 1,
		.params = { migration->version },
	};
}

/*
 * The row goes back to the version below, as migrate down does it; where there is none, it goes.
 * A migration that the row stands for without naming it cannot be taken back alone.
 */
static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	const char *version = gone->migration ? gone->migration->version : gone->row->key;

	if (!gone->before)
		return tracking_delete(ctx, table, version);
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "UPDATE {table} AS t SET version = $2::pg_catalog.int8 "
		    "WHERE t.version OPERATOR(pg_catalog.=) $1::pg_catalog.int8 "
		    "AND NOT t.dirty"),
		.n_params = 2,
		.params = { version, gone->before->version },
	};
}

const struct tracking tracking_golang_migrate = {
	.name = "golang-migrate",
	.default_table = "schema_migrations",
	.has_one_row = true,
	.key = HISTORY_BY_VERSION,
	.needs_layout = "golang-migrate", /* a row stands for all files below it */
	.columns = columns,
	.create = "CREATE TABLE IF NOT EXISTS {table} "
		  "(version bigint not null primary key, dirty boolean not null)",
	.row = { .key = "version", .more = { "dirty" }, .order_by = "version" },
	.number = tracking_leading_number,
	.read_more = read_more,
	.record = record,
	.forget = forget,
};
