/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "db/tracking_kind.h"

/*
 * migration_log (step_number, description, status, executed_at, error_message): a row
 * for each attempt, description is the file name, status "completed" or "failed". The
 * table that its own tools (psd401/aistudio) create has two columns more, id and
 * sql_executed, which others lack; so neither is read nor written.
 */

static const char *const columns[] = {
	"step_number",
	"description",
	"status",
	"executed_at",
	"error_message",
	NULL,
};

/* "pending" and whatever else a tool may write is no success either. */
static void
read_more(
    struct history *history UNUSED, struct history_row *row, const char *const *more)
{
	row->failed = !more[0] || strcmp(more[0], "completed") != 0;
	row->error = more[1];
}

#define NEXT_STEP                                                                      \
	"(SELECT COALESCE(pg_catalog.max(m.step_number), 0) OPERATOR(pg_catalog.+) 1 " \
	"FROM {table} AS m)"

/* A row of an earlier failure stays as it is: the history is only added to. */
static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	return (struct pgconn_statement){
		.sql =
		    tracking_insert_absent(ctx, table, "step_number, description, status",
			NEXT_STEP ", $1::pg_catalog.text, 'completed'",
			TRACKING_IS("description", "$1") " AND " TRACKING_IS(
			    "status", "'completed'")),
		.n_params = 1,
		.params = { migration->file },
	};
}

static struct pgconn_statement
record_failure(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, const char *message)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "INSERT INTO {table} (step_number, description, status, error_message) "
		    "SELECT " NEXT_STEP
		    ", $1::pg_catalog.text, 'failed', $2::pg_catalog.text"),
		.n_params = 2,
		.params = { migration->file, message },
	};
}

const struct tracking tracking_migration_log = {
	.name = "migration_log",
	.default_table = "migration_log",
	.key = HISTORY_BY_FILE,
	.columns = columns,
	.create = "CREATE TABLE IF NOT EXISTS {table} (id {serial} PRIMARY KEY, "
		  "step_number INTEGER NOT NULL, description pg_catalog.text NOT NULL, "
		  "sql_executed pg_catalog.text, status VARCHAR(20) DEFAULT 'pending', "
		  "error_message pg_catalog.text, "
		  "executed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)",
	.row = { .key = "description",
	    .more = { "status", "error_message" },
	    .time = "executed_at",
	    .order_by = "step_number" },
	.number = tracking_leading_number,
	.read_more = read_more,
	.record = record,
	/*
	 * All its attempts go with it: a failure that came before it would be the last word on
	 * the file else.
	 */
	.forget = tracking_forget,
	.record_failure = record_failure,
};
