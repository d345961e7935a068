/* SPDX-License-Identifier: PostgreSQL */
#include "base/mem.h"
#include "db/tracking_kind.h"

/*
 * drizzle-orm 0.x, node-postgres and postgres.js: (id serial, hash text, created_at
 * bigint), created_at the `when` of meta/_journal.json. The statements are those of its
 * migrator (0.45), made safe against any search_path; `serial` and `bigint` are
 * keywords to the parser and need no schema.
 */

static const char *const columns[] = { "id", "hash", "created_at", NULL };

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return (struct pgconn_statement){
		.sql = tracking_insert_absent(ctx, table, "\"hash\", \"created_at\"",
		    "$1::pg_catalog.text, $2::pg_catalog.int8",
		    "t.created_at OPERATOR(pg_catalog.=) $2::pg_catalog.int8 "
		    "AND t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text"),
		.n_params = 2,
		.params = { migration->checksum, migration->version },
	};
}

/* drizzle-orm has no way back. */
struct pgconn_statement
tracking_forget_drizzle(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	const char *key = table->kind->row.key;

	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    mem_printf(ctx,
			"DELETE FROM {table} AS t WHERE " TRACKING_IS(
			    "hash", "$1") " AND (" TRACKING_IS("%s",
			    "$2") " OR (t.%s IS NULL AND $2::pg_catalog.text IS NULL))",
			key, key)),
		.n_params = 2,
		.params = { gone->row->checksum, gone->row->key },
	};
}

struct pgconn_statement
tracking_bless_drizzle(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    mem_printf(ctx,
			"UPDATE {table} AS t SET hash = $3::pg_catalog.text "
			"WHERE " TRACKING_IS("hash", "$1") " AND " TRACKING_IS(
			    "%s", "$2"),
			table->kind->row.key)),
		.n_params = 3,
		.params = { gone->row->checksum, gone->row->key,
		    gone->migration->checksum },
	};
}

const struct tracking tracking_drizzle = {
	.name = "drizzle",
	.default_schema = "drizzle",
	.default_table = "__drizzle_migrations",
	.key = HISTORY_BY_VERSION,
	.needs_layout = "drizzle", /* no other has a `when` */
	.columns = columns,
	.guard_columns = "created_at,hash",
	.foreign_column = "name",
	.foreign_hint =
	    "drizzle-orm 1.0 has taken the table over, and would run again what is recorded "
	    "from a folder with meta/_journal.json: turn the folder into 1.0's with "
	    "drizzle-kit up, or give it a table of its own",
	.create = "CREATE TABLE IF NOT EXISTS {table} (id {serial} PRIMARY KEY, "
		  "hash pg_catalog.text NOT NULL, created_at bigint)",
	.row = { .key = "created_at", .checksum = "hash", .order_by = "id" },
	.number = tracking_whole_number,
	.record = record,
	.forget = tracking_forget_drizzle,
	.bless = tracking_bless_drizzle,
};
