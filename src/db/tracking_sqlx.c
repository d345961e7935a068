/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>

#include "base/mem.h"
#include "db/tracking_kind.h"

/*
 * sqlx 0.8 (sqlx-postgres/src/migrate.rs): (version bigint, description, installed_on, success,
 * checksum bytea, execution_time bigint). The checksum is the SHA-384 of the file; execution_time
 * is in nanoseconds, and -1 as long as it is not known. sqlx migrate revert deletes the row.
 */

static const char *const columns[] = {
	"version",
	"description",
	"installed_on",
	"success",
	"checksum",
	"execution_time",
	NULL,
};

static void
read_more(struct history *history, struct history_row *row, const char *const *more)
{
	if (!tracking_is_true(more[0]))
		tracking_stop(history,
		    "see how much of it is done; then undo that and delete the row, or "
		    "finish it and set success = true",
		    "version %s is recorded without success: sqlx stopped within that file",
		    row->key);
}

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us)
{
	return (struct pgconn_statement){
		.sql = tracking_insert_absent(ctx, table,
		    "version, description, success, checksum, execution_time",
		    "$1::pg_catalog.int8, $2::pg_catalog.text, true, "
		    "pg_catalog.decode($3::pg_catalog.text, 'hex'), $4::pg_catalog.int8",
		    "t.version OPERATOR(pg_catalog.=) $1::pg_catalog.int8"),
		.n_params = 4,
		.params = {
			migration->version,
			migration->name,
			migration_recorded_checksum(migration),
			mem_printf(ctx, "%" PRId64,
			    duration_us > 0 ? duration_us * 1000 : -1),
		},
	};
}

static struct pgconn_statement
bless(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "UPDATE {table} AS t "
		    "SET checksum = pg_catalog.decode($3::pg_catalog.text, 'hex') "
		    "WHERE pg_catalog.encode(t.checksum, 'hex') OPERATOR(pg_catalog.=) "
		    "$1::pg_catalog.text "
		    "AND t.version OPERATOR(pg_catalog.=) $2::pg_catalog.int8"),
		.n_params = 3,
		.params = { gone->row->checksum, gone->row->key,
		    migration_recorded_checksum(gone->migration) },
	};
}

const struct tracking tracking_sqlx = {
	.name = "sqlx",
	.default_table = "_sqlx_migrations",
	.key = HISTORY_BY_NAME,
	.needs_layout = "sqlx", /* its checksums and descriptions */
	.columns = columns,
	.create =
	    "CREATE TABLE IF NOT EXISTS {table} "
	    "(version BIGINT PRIMARY KEY, description pg_catalog.text NOT NULL, "
	    "installed_on TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT pg_catalog.now(), "
	    "success BOOLEAN NOT NULL, checksum pg_catalog.bytea NOT NULL, "
	    "execution_time BIGINT NOT NULL)",
	.row = { .key = "version",
	    .name = "description",
	    .checksum = "pg_catalog.encode(checksum, 'hex')",
	    .more = { "success" },
	    .time = "installed_on",
	    .order_by = "version" },
	.number = tracking_leading_number,
	.read_more = read_more,
	.record = record,
	.forget = tracking_forget,
	.bless = bless,
};
