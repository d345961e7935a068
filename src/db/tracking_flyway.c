/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "db/tracking_kind.h"

/*
 * Flyway (10, 11; JdbcTableSchemaHistory.java, PostgreSQLDatabase.java): flyway_schema_history, in
 * which rows are only added. Of several rows of a version the newest counts; DELETE and UNDO_* say
 * that it is applied no more, BASELINE that it and all below it are not to run. Rows without a
 * version are those of repeatable migrations and of a schema that Flyway made.
 */

static const char *const columns[] = {
	"installed_rank",
	"version",
	"description",
	"type",
	"script",
	"checksum",
	"installed_by",
	"installed_on",
	"execution_time",
	"success",
	NULL,
};

#define IS_APPLIED                                                          \
	"f.type::pg_catalog.text OPERATOR(pg_catalog.<>) 'DELETE' AND NOT " \
	"pg_catalog.starts_with(f.type::pg_catalog.text, 'UNDO')"

static void
add_name_with(struct text *sql, const struct tracking_table *table, const char *suffix)
{
	struct text name;

	text_init(&name, sql->ctx, BOUND_SQL);
	text_addf(&name, "%s%s", table->table, suffix);
	text_add_identifier(sql, name.data);
}

static struct pgconn_statement
create(
    const void *ctx, const struct tracking_table *table, const struct tracking_look *look)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	tracking_add_create_schema(&sql, table, look);
	if (look->table_exists)
		return (struct pgconn_statement){ .sql = sql.data };
	text_add(&sql, "CREATE TABLE ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (\"installed_rank\" INT NOT NULL, \"version\" VARCHAR(50), "
	    "\"description\" VARCHAR(200) NOT NULL, \"type\" VARCHAR(20) NOT NULL, "
	    "\"script\" VARCHAR(1000) NOT NULL, \"checksum\" INTEGER, "
	    "\"installed_by\" VARCHAR(100) NOT NULL, "
	    "\"installed_on\" TIMESTAMP NOT NULL DEFAULT pg_catalog.now(), "
	    "\"execution_time\" INTEGER NOT NULL, \"success\" BOOLEAN NOT NULL); "
	    "ALTER TABLE ");
	tracking_add_name(&sql, table);
	text_add(&sql, " ADD CONSTRAINT ");
	add_name_with(&sql, table, "_pk");
	text_add(&sql, " PRIMARY KEY (\"installed_rank\"); CREATE INDEX ");
	add_name_with(&sql, table, "_s_idx");
	text_add(&sql, " ON ");
	tracking_add_name(&sql, table);
	text_add(&sql, " (\"success\")");
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT f.version, f.description, f.checksum, f.success, ");
	tracking_add_epoch(&sql, "f.installed_on");
	text_add(&sql, ", f.type FROM (SELECT DISTINCT ON (r.version) r.* FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql,
	    " AS r WHERE r.version IS NOT NULL "
	    "ORDER BY r.version, r.installed_rank DESC) AS f WHERE " IS_APPLIED
	    " ORDER BY f.installed_rank LIMIT %u",
	    BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	const char *type = PQgetvalue(result, row, 5);
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.name = tracking_value(result, row, 1),
		.checksum = tracking_value(result, row, 2),
		.applied_at_us = strtoll(PQgetvalue(result, row, 4), NULL, 10),
		.baseline = strcmp(type, "BASELINE") == 0,
	};
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	/* SQL_BASELINE is what a file B1__x.sql leaves */
	r.covers_older = r.baseline || strcmp(type, "SQL_BASELINE") == 0;
	if (strcmp(PQgetvalue(result, row, 3), "t") != 0) {
		err_set(&err, CAT_CONFIGURATION,
		    "version %s is recorded as failed: Flyway stopped within that file",
		    r.key);
		err_hint(&err,
		    "undo what it has done and delete the row (flyway repair does that), "
		    "or finish it and set success = true");
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
	    " (installed_rank, version, description, type, script, checksum, installed_by, "
	    "execution_time, success) SELECT (SELECT "
	    "COALESCE(pg_catalog.max(m.installed_rank), 0) OPERATOR(pg_catalog.+) 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS m), $1::pg_catalog.text, $2::pg_catalog.text, $6::pg_catalog.text, "
	    "$3::pg_catalog.text, "
	    "$4::pg_catalog.int4, CURRENT_USER, $5::pg_catalog.int4, true "
	    "WHERE NOT COALESCE((SELECT " IS_APPLIED " FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS f WHERE f.version::pg_catalog.text OPERATOR(pg_catalog.=) "
	    "$1::pg_catalog.text ORDER BY f.installed_rank DESC LIMIT 1), false)");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 6,
		.params = {
			migration->version,
			migration->name,
			migration->file,
			migration_recorded_checksum(migration),
			mem_printf(ctx, "%" PRId64, duration_us / 1000),
			migration->stands_in ? "SQL_BASELINE" : "SQL",
		},
	};
}

const struct tracking tracking_flyway = {
	.name = "flyway",
	.default_table = "flyway_schema_history",
	.keeps_checksums = true,
	.key = HISTORY_BY_NAME,
	.keeps_time = true,
	.needs_layout = "flyway", /* its versions and checksums */
	.columns = columns,
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.stays_hint =
	    "flyway only ever adds rows, and has its own for this: flyway undo, or "
	    "flyway repair",
};
