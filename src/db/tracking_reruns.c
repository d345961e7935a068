/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "db/tracking_kind.h"

/*
 * Files that run again: tables of our own, migrationd.repeatable and migrationd.seeds,
 * with the content that each file had when it ran last. Targets that share a database
 * share them, so a row says which tracking table its target has.
 */

static const char *const columns[] = {
	"target",
	"id",
	"checksum",
	"applied_at",
	"runs",
	NULL,
};

static const char *
target_of(const void *ctx, const struct tracking_table *table)
{
	return mem_printf(ctx, "%s.%s", table->of_schema, table->of_table);
}

static struct pgconn_statement
create(
    const void *ctx, const struct tracking_table *table, const struct tracking_look *look)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	tracking_add_create_schema(&sql, table, look);
	text_add(&sql, "CREATE TABLE IF NOT EXISTS ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (target pg_catalog.text NOT NULL, id pg_catalog.text NOT NULL, "
	    "checksum pg_catalog.text NOT NULL, "
	    "applied_at pg_catalog.timestamptz NOT NULL, "
	    "runs pg_catalog.int8 NOT NULL, PRIMARY KEY (target, id))");
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT id, checksum, ");
	tracking_add_epoch(&sql, "applied_at");
	text_add(&sql, " FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql,
	    " WHERE target OPERATOR(pg_catalog.=) $1::pg_catalog.text "
	    "ORDER BY id LIMIT %u",
	    BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 1,
		.params = { target_of(ctx, table) },
	};
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.checksum = tracking_value(result, row, 1),
		.applied_at_us = strtoll(PQgetvalue(result, row, 2), NULL, 10),
	};

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
	    " AS t (id, checksum, target, applied_at, runs) VALUES "
	    "($1::pg_catalog.text, $2::pg_catalog.text, $3::pg_catalog.text, "
	    "pg_catalog.now(), 1) ON CONFLICT (target, id) DO UPDATE SET "
	    "checksum = excluded.checksum, applied_at = excluded.applied_at, "
	    "runs = t.runs OPERATOR(pg_catalog.+) 1");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 3,
		.params = { migration->id, migration->checksum, target_of(ctx, table) },
	};
}

const struct tracking tracking_reruns = {
	.name = "reruns",
	.default_schema = "migrationd",
	.keeps_time = true,
	.key = HISTORY_BY_VERSION,
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
};
