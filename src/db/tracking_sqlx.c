/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "db/tracking_kind.h"

/*
 * sqlx 0.8 (sqlx-postgres/src/migrate.rs): (version bigint, description, installed_on, success,
 * checksum bytea, execution_time bigint). The checksum is the SHA-384 of the file; execution_time
 * is in nanoseconds, and -1 as long as it is not known.
 */

static const char *const columns[] = {
	"version",
	"description",
	"installed_on",
	"success",
	"checksum",
	"execution_time",
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
		text_add(&sql,
		    " (version BIGINT PRIMARY KEY, description pg_catalog.text NOT NULL, "
		    "installed_on TIMESTAMP WITH TIME ZONE NOT NULL "
		    "DEFAULT pg_catalog.now(), success BOOLEAN NOT NULL, "
		    "checksum pg_catalog.bytea NOT NULL, execution_time BIGINT NOT NULL)");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql,
	    "SELECT version, description, pg_catalog.encode(checksum, 'hex'), success, ");
	tracking_add_epoch(&sql, "installed_on");
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
		.name = tracking_value(result, row, 1),
		.checksum = tracking_value(result, row, 2),
		.applied_at_us = strtoll(PQgetvalue(result, row, 4), NULL, 10),
	};
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	r.has_order = tracking_leading_number(r.key, &r.order);
	if (strcmp(PQgetvalue(result, row, 3), "t") != 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "version %s is recorded without success: sqlx stopped within that file",
		    r.key);
		err_hint(&err,
		    "see how much of it is done; then undo that and delete the row, or "
		    "finish it and set success = true");
		history_stop(history, &err);
	}
	history_add(history, &r);
}

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "INSERT INTO ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (version, description, success, checksum, execution_time) "
	    "SELECT $1::pg_catalog.int8, $2::pg_catalog.text, true, "
	    "pg_catalog.decode($3::pg_catalog.text, 'hex'), $4::pg_catalog.int8 "
	    "WHERE NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(
	    &sql, " AS t WHERE t.version OPERATOR(pg_catalog.=) $1::pg_catalog.int8)");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 4,
		.params = {
			migration->version,
			migration->name,
			migration_recorded_checksum(migration),
			mem_printf(ctx, "%" PRId64,
			    duration_us > 0 ? duration_us * 1000 : -1),
		},
	};
}

/* As sqlx migrate revert does it. */
static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	return tracking_delete(ctx, table, "version", gone->row->key);
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
	    " AS t SET checksum = pg_catalog.decode($3::pg_catalog.text, 'hex') "
	    "WHERE pg_catalog.encode(t.checksum, 'hex') OPERATOR(pg_catalog.=) "
	    "$1::pg_catalog.text "
	    "AND t.version OPERATOR(pg_catalog.=) $2::pg_catalog.int8");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 3,
		.params = { gone->row->checksum, gone->row->key,
		    migration_recorded_checksum(gone->migration) },
	};
}

const struct tracking tracking_sqlx = {
	.name = "sqlx",
	.default_table = "_sqlx_migrations",
	.keeps_checksums = true,
	.key = HISTORY_BY_NAME,
	.keeps_time = true,
	.needs_layout = "sqlx", /* its checksums and descriptions */
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
	.bless = bless,
};
