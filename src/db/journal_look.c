/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal.h"

/*
 * Whether a table of ours is there, and how it is made: for all of them alike. And of the
 * runs, whose they are.
 */

#include <string.h>

#include "base/mem.h"

struct journal_look
journal_read_look(const PGresult *result)
{
	bool row = PQntuples(result) == 1;
	bool runs = row && PQnfields(result) > 3;

	return (struct journal_look){
		.exists = row && strcmp(PQgetvalue(result, 0, 0), "t") == 0,
		.may_create = row && strcmp(PQgetvalue(result, 0, 1), "t") == 0,
		.schema_exists = row && strcmp(PQgetvalue(result, 0, 2), "t") == 0,
		.says_whose = runs && strcmp(PQgetvalue(result, 0, 3), "t") == 0,
		.may_widen = runs && strcmp(PQgetvalue(result, 0, 4), "t") == 0,
	};
}

void
journal_hint_rights(const char *table, struct err *err)
{
	if (strcmp(err->sqlstate, "42501") == 0)
		err_hint(err,
		    "let its owner GRANT USAGE ON SCHEMA migrationd TO this role, and GRANT "
		    "SELECT, INSERT, UPDATE, DELETE ON migrationd.%s TO this role",
		    table);
}

struct pgconn_statement
journal_create_with(const void *ctx, bool schema_exists, const char *create_table)
{
	return (struct pgconn_statement){
		.sql = mem_printf(ctx, "%s%s",
		    schema_exists ? "" : "CREATE SCHEMA IF NOT EXISTS migrationd; ",
		    create_table),
	};
}

struct pgconn_statement
journal_about(const void *ctx, const struct tracking_table *table, const char *version,
    const char *sql)
{
	return (struct pgconn_statement){
		.sql = sql,
		.n_params = 2,
		.params = { tracking_label(ctx, table), version },
	};
}

/* ---- the runs ---- */

#define FROM_RUNS JOURNAL_FROM("runs")

/*
 * Usable is what counts: a table that the role may not write is as good as none.
 * pg_catalog and the privilege functions can be asked by anybody.
 */
const struct pgconn_statement *
journal_look(void)
{
	static const struct pgconn_statement look = {
		.sql =
		    "SELECT c.oid IS NOT NULL "
		    "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
		    "AND pg_catalog.has_table_privilege(c.oid, 'SELECT') "
		    "AND pg_catalog.has_table_privilege(c.oid, 'INSERT'), "
		    "c.oid IS NULL AND " JOURNAL_MAY_CREATE ", "
		    "t.attname IS NOT NULL, "
		    "t.attname IS NULL AND pg_catalog.pg_has_role(c.relowner, 'USAGE') " FROM_RUNS
		    " LEFT JOIN pg_catalog.pg_attribute AS t "
		    "ON t.attrelid OPERATOR(pg_catalog.=) c.oid "
		    "AND t.attname OPERATOR(pg_catalog.=) 'tracking' "
		    "AND NOT t.attisdropped",
	};

	return &look;
}

struct journal_owner
journal_owner_of(const void *ctx, const struct journal_look *look, const char *target,
    const struct tracking_table *table)
{
	return (struct journal_owner){
		.target = target,
		.tracking = look->says_whose ? tracking_target_label(ctx, table) : NULL,
	};
}

struct pgconn_statement
journal_ask(const void *ctx, const struct journal_owner *owner, const char *before,
    const char *behind)
{
	return (struct pgconn_statement){
		.sql = mem_printf(ctx,
		    "%s WHERE r.target OPERATOR(pg_catalog.=) $1::pg_catalog.text%s%s",
		    before,
		    owner->tracking == NULL
			? ""
			: " AND (r.tracking IS NULL "
			  "OR r.tracking OPERATOR(pg_catalog.=) $2::pg_catalog.text)",
		    behind),
		.n_params = owner->tracking == NULL ? 1 : 2,
		.params = { owner->target, owner->tracking },
	};
}
