/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_kind.h"

/*
 * data_migrations (id, description, executed_at, success, error) as the post-migration
 * script of stellarsoft-tech/IdaraOS keeps it: one row for each, which says whether the
 * last try went well; what failed is tried again until it does.
 */

static const char *const columns[] = {
	"id",
	"description",
	"executed_at",
	"success",
	"error",
	NULL,
};

static void
read_more(
    struct history *history UNUSED, struct history_row *row, const char *const *more)
{
	row->failed = !tracking_is_true(more[0]);
	row->error = more[1];
}

/* The row of a try that failed becomes that of the one that did not. */
static struct pgconn_statement
upsert(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, const char *error)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "INSERT INTO {table} AS t (id, description, executed_at, success, error) "
		    "VALUES ($1::pg_catalog.text, $2::pg_catalog.text, pg_catalog.now(), "
		    "$3::pg_catalog.text IS NULL, $3::pg_catalog.text) "
		    "ON CONFLICT (id) DO UPDATE SET executed_at = excluded.executed_at, "
		    "success = excluded.success, error = excluded.error "
		    "WHERE NOT t.success"),
		.n_params = 3,
		.params = { migration->id, migration->name, error },
	};
}

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return upsert(ctx, table, migration, NULL);
}

const struct tracking tracking_data_migrations = {
	.name = "data_migrations",
	.default_table = "data_migrations",
	.key = HISTORY_BY_FILE,
	.columns = columns,
	.create = "CREATE TABLE IF NOT EXISTS {table} "
		  "(id pg_catalog.text PRIMARY KEY, description pg_catalog.text, "
		  "executed_at TIMESTAMP WITH TIME ZONE DEFAULT pg_catalog.now(), "
		  "success BOOLEAN NOT NULL DEFAULT true, error pg_catalog.text)",
	.row = { .key = "id",
	    .name = "description",
	    .more = { "success", "error" },
	    .time = "executed_at",
	    .order_by = "id" },
	.read_more = read_more,
	.record = record,
	.record_failure = upsert,
};
