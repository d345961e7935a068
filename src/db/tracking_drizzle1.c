/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/tracking_kind.h"

/*
 * drizzle-orm 1.0 (1.0.0-rc.5): the table of 0.x, and besides it name, the folder's, and
 * applied_at. A row is known by its name alone; created_at is the time in the name. A table
 * without `name` is 0.x's: it is upgraded as up-migrations/pg.js does.
 */

/* applied_at may be missing: drizzle-orm does not write it, and does not look for it. */
static const char *const columns[] = { "id", "hash", "created_at", "name", NULL };
static const char *const older_columns[] = { "id", "hash", "created_at", NULL };

#define DEFAULT_SCHEMA "drizzle"
#define DEFAULT_TABLE  "__drizzle_migrations"
#define LAYOUT         "drizzle1" /* no other has a time and a name of folders */

static void
read_more(
    struct history *history UNUSED, struct history_row *row, const char *const *more)
{
	row->has_order = tracking_whole_number(more[0], &row->order);
}

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return (struct pgconn_statement){
		.sql = tracking_insert_absent(ctx, table,
		    "\"hash\", \"created_at\", \"name\"",
		    "$1::pg_catalog.text, $2::pg_catalog.int8, $3::pg_catalog.text",
		    "t.name OPERATOR(pg_catalog.=) $3::pg_catalog.text"),
		.n_params = 3,
		.params = { migration->checksum,
		    mem_printf(ctx, "%" PRId64, migration->order), migration->version },
	};
}

/* ---- the table of 0.x ---- */

/* (created_at, hash, name) of each row; those that are there twice get the same name. */
static void
add_names(
    struct text *sql, const struct history *history, const struct migration *const *owner)
{
	for (size_t i = 0; i < history->n_rows; i++) {
		const struct history_row *row = &history->rows[i];

		text_add(sql, i ? ", (" : "(");
		if (row->key)
			text_add_literal(sql, row->key);
		else
			text_add(sql, "NULL");
		text_add(sql, "::pg_catalog.int8, ");
		text_add_literal(sql, row->checksum ? row->checksum : "");
		text_add(sql, ", ");
		text_add_literal(sql, owner[i]->version);
		text_add_char(sql, ')');
	}
}

static void
add_update(struct text *sql, const struct tracking_table *table,
    const struct history *history, const struct migration *const *owner)
{
	if (history->n_rows == 0)
		return;
	text_add(sql,
	    tracking_sql(sql->ctx, table,
		"; UPDATE {table} AS t SET \"name\" = v.name, \"applied_at\" = NULL "
		"FROM (VALUES "));
	add_names(sql, history, owner);
	text_add(sql,
	    ") AS v (created_at, hash, name) WHERE t.hash OPERATOR(pg_catalog.=) v.hash "
	    "AND (t.created_at OPERATOR(pg_catalog.=) v.created_at "
	    "OR (t.created_at IS NULL AND v.created_at IS NULL))");
}

/*
 * The lock first: a drizzle-orm 0.x that is at work holds one of its own from its first row
 * on, and the names must be given to all rows that it leaves.
 */
static struct pgconn_statement
upgrade(const void *ctx, const struct tracking_table *table,
    const struct history *history, const struct migration *const *owner)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_UPGRADE_BYTES);
	text_add(&sql,
	    tracking_sql(ctx, table,
		"BEGIN; SET LOCAL lock_timeout = '5s'; "
		"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE; "
		"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS \"name\" pg_catalog.text; "
		"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS \"applied_at\" "
		"timestamp with time zone DEFAULT pg_catalog.now()"));
	add_update(&sql, table, history, owner);
	text_add(&sql,
	    tracking_sql(ctx, table,
		"; SELECT NOT EXISTS (SELECT 1 FROM {table} AS t WHERE t.name IS NULL)"));
	return (struct pgconn_statement){ .sql = sql.data };
}

static const struct tracking older = {
	.name = "drizzle1",
	.default_schema = DEFAULT_SCHEMA,
	.default_table = DEFAULT_TABLE,
	.key = HISTORY_BY_SECOND,
	.needs_layout = LAYOUT,
	.columns = older_columns,
	.row = { .key = "created_at", .checksum = "hash", .order_by = "id" },
	.number = tracking_whole_number,
	.upgrade = upgrade,
};

const struct tracking tracking_drizzle1 = {
	.name = "drizzle1",
	.default_schema = DEFAULT_SCHEMA,
	.default_table = DEFAULT_TABLE,
	.key = HISTORY_BY_NAME,
	.needs_layout = LAYOUT,
	.columns = columns,
	.guard_columns = "created_at,hash",
	.older = &older,
	.create = "CREATE TABLE IF NOT EXISTS {table} (id {serial} PRIMARY KEY, "
		  "hash pg_catalog.text NOT NULL, created_at bigint, "
		  "name pg_catalog.text, "
		  "applied_at timestamp with time zone DEFAULT pg_catalog.now())",
	/* through JSON a column that is not there is NULL */
	.row = { .key = "name",
	    .checksum = "hash",
	    .more = { "created_at" },
	    .time = "(pg_catalog.row_to_json(t) OPERATOR(pg_catalog.->>) 'applied_at')",
	    .from = "{table} AS t",
	    .order_by = "id" },
	.read_more = read_more,
	.record = record,
	.forget = tracking_forget_drizzle,
	.bless = tracking_bless_drizzle,
};
