/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/bounds.h"
#include "db/tracking_kind.h"

/*
 * diesel 2 (diesel/src/migration/setup_migration_table.sql): (version, run_on).
 */

static const char *const columns[] = { "version", "run_on", NULL };

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
		    " (version VARCHAR(50) PRIMARY KEY NOT NULL, "
		    "run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT version, ");
	tracking_add_epoch(&sql, "run_on");
	text_add(&sql, " FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " ORDER BY version LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.applied_at_us = strtoll(PQgetvalue(result, row, 1), NULL, 10),
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
	    " (version) SELECT $1::pg_catalog.varchar WHERE NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.version::pg_catalog.text OPERATOR(pg_catalog.=) "
	    "$1::pg_catalog.text)");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 1,
		.params = { migration->version },
	};
}

/* As diesel migration revert does it. */
static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	return tracking_delete(ctx, table, "version", gone->row->key);
}

const struct tracking tracking_diesel = {
	.name = "diesel",
	.default_table = "__diesel_schema_migrations",
	.key = HISTORY_BY_VERSION,
	.keeps_time = true,
	.needs_layout = "diesel", /* versions are numbers without the '-' of the names */
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
};
