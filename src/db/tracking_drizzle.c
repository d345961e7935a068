/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/failpoint.h"
#include "db/tracking_kind.h"

/*
 * drizzle-orm 0.x, node-postgres and postgres.js: (id serial, hash text, created_at
 * bigint), created_at the `when` of meta/_journal.json. The statements are those of its
 * migrator (0.45), made safe against any search_path; `serial` and `bigint` are
 * keywords to the parser and need no schema.
 */

static const char *const columns[] = { "id", "hash", "created_at", NULL };

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
		    ", hash pg_catalog.text NOT NULL, "
		    "created_at bigint)");
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

static struct pgconn_statement
read_all(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT created_at, hash FROM ");
	tracking_add_name(&sql, table);
	text_addf(&sql, " ORDER BY id LIMIT %u", BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
read_row(struct history *history, const PGresult *result, int row)
{
	struct history_row r = {
		.key = tracking_value(result, row, 0),
		.checksum = tracking_value(result, row, 1),
	};
	char *end = NULL;

	if (r.key) {
		r.order = strtoll(r.key, &end, 10);
		r.has_order = *end == '\0';
	}
	history_add(history, &r);
}

/* INSERT ... SELECT draws no number from the sequence where the row is there already. */
static struct pgconn_statement
record(const void *ctx, const struct tracking_table *table,
    const struct migration *migration, int64_t duration_us UNUSED)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "INSERT INTO ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " (\"hash\", \"created_at\") "
	    "SELECT $1::pg_catalog.text, $2::pg_catalog.int8 WHERE ");
	text_add(&sql, MUTANT("no-fence") ? "true OR " : "");
	text_add(&sql, "NOT EXISTS (SELECT 1 FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.created_at OPERATOR(pg_catalog.=) $2::pg_catalog.int8 "
	    "AND t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text)");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 2,
		.params = { migration->checksum, migration->version },
	};
}

/* drizzle-orm has no way back. */
static struct pgconn_statement
forget(
    const void *ctx, const struct tracking_table *table, const struct tracking_gone *gone)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "DELETE FROM ");
	tracking_add_name(&sql, table);
	text_add(&sql,
	    " AS t WHERE t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text "
	    "AND (t.created_at OPERATOR(pg_catalog.=) $2::pg_catalog.int8 "
	    "OR (t.created_at IS NULL AND $2::pg_catalog.int8 IS NULL))");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 2,
		.params = { gone->row->checksum, gone->row->key },
	};
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
	    " AS t SET hash = $3::pg_catalog.text "
	    "WHERE t.hash OPERATOR(pg_catalog.=) $1::pg_catalog.text "
	    "AND t.created_at OPERATOR(pg_catalog.=) $2::pg_catalog.int8");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 3,
		.params = { gone->row->checksum, gone->row->key,
		    gone->migration->checksum },
	};
}

const struct tracking tracking_drizzle = {
	.name = "drizzle",
	.default_schema = "drizzle",
	.default_table = "__drizzle_migrations",
	.keeps_checksums = true,
	.key = HISTORY_BY_VERSION,
	.needs_layout = "drizzle", /* no other has a `when` */
	.columns = columns,
	.guard_columns = "created_at,hash",
	.foreign_column = "name",
	.foreign_hint =
	    "drizzle-orm 1.0 has taken the table over, and would run again what is recorded "
	    "from a folder with meta/_journal.json: turn the folder into 1.0's with "
	    "drizzle-kit up, or give it a table of its own",
	.create = create,
	.read = read_all,
	.read_row = read_row,
	.record = record,
	.forget = forget,
	.bless = bless,
};
