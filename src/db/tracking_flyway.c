/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <string.h>

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
read_more(struct history *history, struct history_row *row, const char *const *more)
{
	const char *type = more[1] ? more[1] : "";

	row->baseline = strcmp(type, "BASELINE") == 0;
	/* SQL_BASELINE is what a file B1__x.sql leaves */
	row->covers_older = row->baseline || strcmp(type, "SQL_BASELINE") == 0;
	if (!tracking_is_true(more[0]))
		tracking_stop(history,
		    "undo what it has done and delete the row (flyway repair does that), "
		    "or finish it and set success = true",
		    "version %s is recorded as failed: Flyway stopped within that file",
		    row->key);
}

static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us)
{
	return (struct pgconn_statement){
		.sql = tracking_sql(ctx, table,
		    "INSERT INTO {table} (installed_rank, version, description, type, "
		    "script, checksum, installed_by, execution_time, success) "
		    "SELECT (SELECT COALESCE(pg_catalog.max(m.installed_rank), 0) "
		    "OPERATOR(pg_catalog.+) 1 FROM {table} AS m), $1::pg_catalog.text, "
		    "$2::pg_catalog.text, $6::pg_catalog.text, $3::pg_catalog.text, "
		    "$4::pg_catalog.int4, CURRENT_USER, $5::pg_catalog.int4, true "
		    "WHERE NOT COALESCE((SELECT " IS_APPLIED " FROM {table} AS f "
		    "WHERE f.version::pg_catalog.text OPERATOR(pg_catalog.=) "
		    "$1::pg_catalog.text ORDER BY f.installed_rank DESC LIMIT 1), false)"),
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
	.key = HISTORY_BY_NAME,
	.needs_layout = "flyway", /* its versions and checksums */
	.columns = columns,
	.create = "CREATE TABLE {table} (\"installed_rank\" INT NOT NULL, "
		  "\"version\" VARCHAR(50), \"description\" VARCHAR(200) NOT NULL, "
		  "\"type\" VARCHAR(20) NOT NULL, \"script\" VARCHAR(1000) NOT NULL, "
		  "\"checksum\" INTEGER, \"installed_by\" VARCHAR(100) NOT NULL, "
		  "\"installed_on\" TIMESTAMP NOT NULL DEFAULT pg_catalog.now(), "
		  "\"execution_time\" INTEGER NOT NULL, \"success\" BOOLEAN NOT NULL); "
		  "ALTER TABLE {table} ADD CONSTRAINT \"{name}_pk\" "
		  "PRIMARY KEY (\"installed_rank\"); "
		  "CREATE INDEX \"{name}_s_idx\" ON {table} (\"success\")",
	.row = { .key = "f.version",
	    .name = "f.description",
	    .checksum = "f.checksum",
	    .more = { "f.success", "f.type" },
	    .time = "f.installed_on",
	    .from = "(SELECT DISTINCT ON (r.version) r.* FROM {table} AS r "
		    "WHERE r.version IS NOT NULL "
		    "ORDER BY r.version, r.installed_rank DESC) AS f WHERE " IS_APPLIED,
	    .order_by = "f.installed_rank" },
	.read_more = read_more,
	.record = record,
	.stays_hint =
	    "flyway only ever adds rows, and has its own for this: flyway undo, or "
	    "flyway repair",
};
