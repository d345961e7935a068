/* SPDX-License-Identifier: PostgreSQL */
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

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "INSERT INTO {table} AS t (id, checksum, target, applied_at, runs) "
		    "VALUES ($1::pg_catalog.text, $2::pg_catalog.text, {target}, "
		    "pg_catalog.now(), 1) ON CONFLICT (target, id) DO UPDATE SET "
		    "checksum = excluded.checksum, applied_at = excluded.applied_at, "
		    "runs = t.runs OPERATOR(pg_catalog.+) 1"),
		.n_params = 2,
		.params = { migration->id, migration->checksum },
	};
}

const struct tracking tracking_reruns = {
	.name = "reruns",
	.default_schema = "migrationd",
	.is_shared = true,
	.key = HISTORY_BY_VERSION,
	.columns = columns,
	.create = "CREATE TABLE IF NOT EXISTS {table} "
		  "(target pg_catalog.text NOT NULL, id pg_catalog.text NOT NULL, "
		  "checksum pg_catalog.text NOT NULL, "
		  "applied_at pg_catalog.timestamptz NOT NULL, "
		  "runs pg_catalog.int8 NOT NULL, PRIMARY KEY (target, id))",
	.row = { .key = "id",
	    .checksum = "checksum",
	    .time = "applied_at",
	    .from = "{table} WHERE target OPERATOR(pg_catalog.=) "
		    "{target}::pg_catalog.text",
	    .order_by = "id" },
	.record = record,
};
