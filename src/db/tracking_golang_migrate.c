/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/bounds.h"
#include "db/tracking_kind.h"

/*
 * golang-migrate v4 (database/postgres): (version bigint, dirty boolean) with one row, which says
 * how far the database is. It sets dirty before a file and takes it back behind; in between a
 * failure leaves it, and then it refuses to go on. Ours is written in the file's own transaction,
 * so we never leave it.
 */

static const char *const columns[] = { "version", "dirty", NULL };

static struct pgconn_statement
create(
    const void *ctx, const struct tracking_table *table, const struct tracking_look *look)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	tracking_add_create_schema(&sql, table, look);
	if (!look->table_exists) {
		text_add(&sql, "CREATE TABLE IF NOT EXISTS ");
		tracking_add_name(&sql, table);
		text_add(&sql,
		    " (version bigint not null primary key, dirty boolean not null)");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT version, dirty FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " ORDER BY version LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
stop_at_dirty(struct history *history, const char *version)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&err, CAT_CONFIGURATION,
	    "the database is dirty at version %s: golang-migrate stopped within that file",
	    version);
	err_hint(&err,
	    "see how much of it is done; then undo that and set the row to the version "
	    "before, or finish it and leave the version, with dirty = false "
	    "(migrate force VERSION does the same)");
	history_stop(history, &err);
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.covers_older = true,
	};
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	r.has_order = tracking_leading_number(r.key, &r.order);
	if (strcmp(PQgetvalue(result, row, 1), "t") == 0)
		stop_at_dirty(history, r.key);
	if (history->n_rows > 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "the tracking table has more than one row, and golang-migrate reads "
		    "any one of them");
		err_hint(&err, "leave the one with the right version");
		history_stop(history, &err);
	}
	history_add(history, &r);
}

/* Not TRUNCATE, as golang-migrate does: readers need not wait for us. */
static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "WITH older AS (DELETE FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS o WHERE o.version OPERATOR(pg_catalog.<) $1::pg_catalog.int8) "
	    "INSERT INTO ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (version, dirty) SELECT $1::pg_catalog.int8, false "
	    "WHERE NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.version OPERATOR(pg_catalog.>=) $1::pg_catalog.int8 OR t.dirty)");
	return (struct pgconn_statement){
		.sql = sql.data,
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
	struct text sql;

	if (!gone->before)
		return tracking_delete(ctx, table, "version", version);
	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "UPDATE ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t SET version = $2::pg_catalog.int8 "
	    "WHERE t.version OPERATOR(pg_catalog.=) $1::pg_catalog.int8 AND NOT t.dirty");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 2,
		.params = { version, gone->before->version },
	};
}

const struct tracking tracking_golang_migrate = {
	.name = "golang-migrate",
	.default_table = "schema_migrations",
	.key = HISTORY_BY_VERSION,
	.needs_layout = "golang-migrate", /* a row stands for all files below it */
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
};
