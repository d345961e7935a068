/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
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
		text_addf(&sql, " (id %s PRIMARY KEY", tracking_serial(table));
		text_add(&sql,
		    ", step_number INTEGER NOT NULL, "
		    "description pg_catalog.text NOT NULL, "
		    "sql_executed pg_catalog.text, "
		    "status VARCHAR(20) DEFAULT 'pending', "
		    "error_message pg_catalog.text, "
		    "executed_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT description, status, error_message, ");
	tracking_add_epoch(&sql, "executed_at");
	text_add(&sql, " FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " ORDER BY step_number LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

/* "pending" and whatever else a tool may write is no success either. */
static void
read_row(struct history *history, const PGresult *result, int row)
{
	const char *status = tracking_value(result, row, 1);
	const char *executed_at = tracking_value(result, row, 3);
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.failed = !status || strcmp(status, "completed") != 0,
		.error = tracking_value(result, row, 2),
		.applied_at_us = executed_at ? strtoll(executed_at, NULL, 10) : 0,
	};

	r.has_order = tracking_leading_number(r.key, &r.order);
	history_add(history, &r);
}

static void
add_insert(struct text *sql, const struct tracking_table *table, const char *more_columns,
    const char *values)
{
	text_add(sql, "INSERT INTO ");
	tracking_add_name(sql, table);
	text_addf(sql,
	    " (step_number, description, status%s) SELECT "
	    "(SELECT COALESCE(pg_catalog.max(m.step_number), 0) OPERATOR(pg_catalog.+) 1 FROM ",
	    more_columns);
	tracking_add_name(sql, table);
	text_addf(sql, " AS m), $1::pg_catalog.text, %s", values);
}

/* A row of an earlier failure stays as it is: the history is only added to. */
static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	add_insert(&sql, table, "", "'completed'");
	text_add(&sql, " WHERE NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.description::pg_catalog.text OPERATOR(pg_catalog.=) "
	    "$1::pg_catalog.text AND t.status::pg_catalog.text "
	    "OPERATOR(pg_catalog.=) 'completed')");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 1,
		.params = { migration->file },
	};
}

static struct pgconn_statement
record_failure(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, const char *message)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	add_insert(&sql, table, ", error_message", "'failed', $2::pg_catalog.text");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 2,
		.params = { migration->file, message },
	};
}

/*
 * All its attempts go with it: a failure that came before it would be the last word on the
 * file else.
 */
static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	return tracking_delete(ctx, table, "description", gone->row->key);
}

const struct tracking tracking_migration_log = {
	.name = "migration_log",
	.default_table = "migration_log",
	.keeps_time = true,
	.key = HISTORY_BY_FILE,
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
	.record_failure = record_failure,
};
