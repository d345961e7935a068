/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_kind.h"

/*
 * schema_migrations (version text, name text, applied_at timestamptz) as hand-made
 * runners of NNNN_description.sql folders keep it: version "0001", name "description",
 * applied_at by default. version may be an integer in an older table, and applied_at
 * without a zone.
 */

static const char *const columns[] = { "version", "name", "applied_at", NULL };

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return (struct pgconn_statement){
		.sql = tracking_insert_absent(ctx, table, "version, name",
		    "$1::pg_catalog.text, $2::pg_catalog.text",
		    TRACKING_IS("version", "$1")),
		.n_params = 2,
		.params = { migration->version, migration->name },
	};
}

const struct tracking tracking_schema_migrations = {
	.name = "schema_migrations",
	.default_table = "schema_migrations",
	.key = HISTORY_BY_VERSION,
	.columns = columns,
	.create =
	    "CREATE TABLE IF NOT EXISTS {table} (version pg_catalog.text PRIMARY KEY, "
	    "name pg_catalog.text NOT NULL, "
	    "applied_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT pg_catalog.now())",
	.row = { .key = "version",
	    .name = "name",
	    .time = "applied_at",
	    .order_by = "version" },
	.number = tracking_leading_number,
	.record = record,
	.forget = tracking_forget,
};
