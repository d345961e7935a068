/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/bounds.h"
#include "db/tracking_kind.h"

/*
 * schema_migrations (version text, name text, applied_at timestamptz) as hand-made
 * runners of NNNN_description.sql folders keep it: version "0001", name "description",
 * applied_at by default.
 */

static const char *const columns[] = { "version", "name", "applied_at", NULL };

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
		    " (version pg_catalog.text PRIMARY KEY, "
		    "name pg_catalog.text NOT NULL, "
		    "applied_at TIMESTAMP WITH TIME ZONE NOT NULL "
		    "DEFAULT pg_catalog.now())");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

/* version may be an integer in an older table, and applied_at without a zone. */
static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT version, name, ");
	tracking_add_epoch(&sql, "applied_at");
	text_add(&sql, " FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " ORDER BY version LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	const char *applied_at = tracking_value(result, row, 2);
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.name = tracking_value(result, row, 1),
		.applied_at_us = applied_at ? strtoll(applied_at, NULL, 10) : 0,
	};

	r.has_order = tracking_leading_number(r.key, &r.order);
	history_add(history, &r);
}

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "INSERT INTO ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (version, name) SELECT $1::pg_catalog.text, $2::pg_catalog.text "
	    "WHERE NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.version::pg_catalog.text OPERATOR(pg_catalog.=) $1::pg_catalog.text)");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 2,
		.params = { migration->version, migration->name },
	};
}

static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	return tracking_delete(ctx, table, "version", gone->row->key);
}

const struct tracking tracking_schema_migrations = {
	.name = "schema_migrations",
	.default_table = "schema_migrations",
	.keeps_time = true,
	.key = HISTORY_BY_VERSION,
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
};
