/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/bounds.h"
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
	    " (id pg_catalog.text PRIMARY KEY, description pg_catalog.text, "
	    "executed_at TIMESTAMP WITH TIME ZONE DEFAULT pg_catalog.now(), "
	    "success BOOLEAN NOT NULL DEFAULT true, error pg_catalog.text)");
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT id, description, success, error, ");
	tracking_add_epoch(&sql, "executed_at");
	text_add(&sql, " FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " ORDER BY id LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	const char *success = tracking_value(result, row, 2);
	const char *executed_at = tracking_value(result, row, 4);
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.name = tracking_value(result, row, 1),
		.failed = !success || success[0] != 't',
		.error = tracking_value(result, row, 3),
		.applied_at_us = executed_at ? strtoll(executed_at, NULL, 10) : 0,
	};

	history_add(history, &r);
}

/* The row of a try that failed becomes that of the one that did not. */
static struct pgconn_statement
upsert(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, const char *error)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "INSERT INTO ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t (id, description, executed_at, success, error) VALUES "
	    "($1::pg_catalog.text, $2::pg_catalog.text, pg_catalog.now(), "
	    "$3::pg_catalog.text IS NULL, $3::pg_catalog.text) "
	    "ON CONFLICT (id) DO UPDATE SET executed_at = excluded.executed_at, "
	    "success = excluded.success, error = excluded.error WHERE NOT t.success");
	return (struct pgconn_statement){
		.sql = sql.data,
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
	.keeps_time = true,
	.key = HISTORY_BY_FILE,
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.record_failure = upsert,
};
