/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/failpoint.h"
#include "base/mem.h"
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
		    " (id SERIAL PRIMARY KEY, hash pg_catalog.text NOT NULL, "
		    "created_at bigint, name pg_catalog.text, "
		    "applied_at timestamp with time zone DEFAULT pg_catalog.now())");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

/* Through JSON a column that is not there is NULL. */
static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT t.name, t.hash, t.created_at, ");
	tracking_add_epoch(
	    &sql, "(pg_catalog.row_to_json(t) OPERATOR(pg_catalog.->>) 'applied_at')");
	text_add(&sql, " FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " AS t ORDER BY t.id LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	const char *created_at = tracking_value(result, row, 2);
	const char *applied_at = tracking_value(result, row, 3);
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.checksum = tracking_value(result, row, 1),
		.has_order = created_at != NULL,
		.order = created_at ? strtoll(created_at, NULL, 10) : 0,
		.applied_at_us = applied_at ? strtoll(applied_at, NULL, 10) : 0,
	};

	history_add(history, &r);
}

/* INSERT ... SELECT draws no number from the sequence where the row is there already. */
static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "INSERT INTO ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (\"hash\", \"created_at\", \"name\") SELECT $1::pg_catalog.text, "
	    "$2::pg_catalog.int8, $3::pg_catalog.text WHERE ");
	text_add(&sql, MUTANT("no-fence") ? "true OR " : "");
	text_add(&sql, "NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql, " AS t WHERE t.name OPERATOR(pg_catalog.=) $3::pg_catalog.text)");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 3,
		.params = { migration->checksum,
		    mem_printf(ctx, "%" PRId64, migration->order), migration->version },
	};
}

/* drizzle-orm has no way back. */
static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "DELETE FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text "
	    "AND (t.name OPERATOR(pg_catalog.=) $2::pg_catalog.text "
	    "OR (t.name IS NULL AND $2::pg_catalog.text IS NULL))");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 2,
		.params = { gone->row->checksum, gone->row->key },
	};
}

static struct pgconn_statement
bless(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "UPDATE ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t SET hash = $3::pg_catalog.text "
	    "WHERE t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text "
	    "AND t.name OPERATOR(pg_catalog.=) $2::pg_catalog.text");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 3,
		.params = { gone->row->checksum, gone->row->key,
		    gone->migration->checksum },
	};
}

/* ---- the table of 0.x ---- */

static struct pgconn_statement
read_older(const void *ctx, const struct tracking_table *table)
{
	return tracking_drizzle.read(ctx, table);
}

static void
read_older_row(struct history *history, const PGresult *result, int row)
{
	tracking_drizzle.read_row(history, result, row);
}

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
	text_add(sql, "; UPDATE ");
	tracking_add_name(sql, table);
	text_add(sql, " AS t SET \"name\" = v.name, \"applied_at\" = NULL FROM (VALUES ");
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
	text_add(&sql, "BEGIN; SET LOCAL lock_timeout = '5s'; LOCK TABLE ");
	tracking_add_name(&sql, table);
	text_add(&sql, " IN ACCESS EXCLUSIVE MODE; ALTER TABLE ");
	tracking_add_name(&sql, table);
	text_add(
	    &sql, " ADD COLUMN IF NOT EXISTS \"name\" pg_catalog.text; ALTER TABLE ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " ADD COLUMN IF NOT EXISTS \"applied_at\" timestamp with time zone "
	    "DEFAULT pg_catalog.now()");
	add_update(&sql, table, history, owner);
	text_add(&sql, "; SELECT NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql, " AS t WHERE t.name IS NULL)");
	return (struct pgconn_statement){ .sql = sql.data };
}

static const struct tracking older = {
	.name = "drizzle1",
	.default_schema = DEFAULT_SCHEMA,
	.default_table = DEFAULT_TABLE,
	.key = HISTORY_BY_SECOND,
	.keeps_checksums = true,
	.needs_layout = LAYOUT,
	.columns = older_columns,
	.read = read_older,
	.read_row = read_older_row,
	.upgrade = upgrade,
};

const struct tracking tracking_drizzle1 = {
	.name = "drizzle1",
	.default_schema = DEFAULT_SCHEMA,
	.default_table = DEFAULT_TABLE,
	.key = HISTORY_BY_NAME,
	.keeps_time = true,
	.keeps_checksums = true,
	.needs_layout = LAYOUT,
	.columns = columns,
	.guard_columns = "created_at,hash",
	.older = &older,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
	.bless = bless,
};
