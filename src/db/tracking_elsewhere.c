/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_elsewhere.h"

#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "db/tracking_kind.h"

/* The names, or schemas, that the kinds have by default: "{a,b}". */
static const char *
defaults_of(const void *ctx, bool schemas)
{
	struct text list;
	const struct tracking *kind = NULL;

	text_init(&list, ctx, BOUND_SQL);
	text_add_char(&list, '{');
	for (size_t i = 0; (kind = tracking_at(i)) != NULL; i++) {
		const char *name = schemas ? kind->default_schema : kind->default_table;

		if (name != NULL)
			text_addf(&list, "%s%s", list.len > 1 ? "," : "", name);
	}
	text_add_char(&list, '}');
	return list.data;
}

struct pgconn_statement
tracking_elsewhere(const void *ctx, const struct tracking_table *table)
{
	return (struct pgconn_statement){
		.sql =
		    "SELECT n.nspname, c.relname, "
		    "(SELECT pg_catalog.string_agg(t.attname::pg_catalog.text, ',') "
		    "FROM pg_catalog.pg_attribute AS t "
		    "WHERE t.attrelid OPERATOR(pg_catalog.=) c.oid "
		    "AND t.attnum OPERATOR(pg_catalog.>) 0 AND NOT t.attisdropped) "
		    "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
		    "ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		    "WHERE c.relkind::pg_catalog.text OPERATOR(pg_catalog.=) "
		    "ANY ('{r,p}'::pg_catalog.text[]) "
		    "AND c.relpersistence::pg_catalog.text OPERATOR(pg_catalog.<>) 't' "
		    "AND (c.relname::pg_catalog.text OPERATOR(pg_catalog.=) "
		    "ANY ($3::pg_catalog.text[]) "
		    "OR c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name) "
		    "AND NOT (n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name "
		    "AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name) "
		    "AND (n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name "
		    "OR n.nspname OPERATOR(pg_catalog.=) "
		    "ANY (pg_catalog.current_schemas(false)) "
		    "OR n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) "
		    "ANY ($4::pg_catalog.text[]) "
		    "OR ($5::pg_catalog.bool "
		    "AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name)) "
		    "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
		    "AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') "
		    "ORDER BY n.nspname, c.relname LIMIT 32",
		.n_params = 5,
		.params = { table->schema, table->table, defaults_of(ctx, false),
		    defaults_of(ctx, true), table->schema_is_said ? "f" : "t" },
	};
}

/* The kind whose columns it has, the most of them; NULL: it is of no kind that we know. */
static const struct tracking *
kind_of(const struct tracking_table *ours, const char *name, const char *columns)
{
	const struct tracking_look look = { true, true, columns, false };
	const struct tracking *kind = NULL, *best = NULL;
	size_t most = 0;

	for (size_t i = 0; (kind = tracking_at(i)) != NULL; i++) {
		const struct tracking_table table = { kind, "", name, "", "", false,
			false };
		struct err err = { 0 };
		size_t n = 0;

		if (strcmp(kind->default_table, name) != 0 &&
		    strcmp(ours->table, name) != 0)
			continue;
		if (tracking_check(&table, &look, &err) < 0)
			continue;
		while (kind->columns[n] != NULL)
			n++;
		if (n > most) {
			best = kind;
			most = n;
		}
	}
	return best;
}

/* What its kind takes for rows: goose's table has one of version 0 from the beginning. */
static void
add_table(struct text *sql, const void *ctx, const struct tracking_table *table)
{
	text_add(sql, sql->len > 0 ? " UNION ALL SELECT " : "SELECT ");
	text_add_literal(sql, table->schema);
	text_add(sql, "::pg_catalog.text, ");
	text_add_literal(sql, table->table);
	text_add(sql, "::pg_catalog.text, ");
	text_add_literal(sql, table->kind->name);
	text_addf(sql, "::pg_catalog.text WHERE EXISTS (%s)",
	    table->kind->read(ctx, table).sql);
}

struct pgconn_statement
tracking_elsewhere_rows(const void *ctx, const struct tracking_table *table,
    bool table_exists, const PGresult *result)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	for (int i = 0; i < PQntuples(result); i++) {
		struct tracking_table other = {
			.schema = PQgetvalue(result, i, 0),
			.table = PQgetvalue(result, i, 1),
		};

		other.kind = kind_of(table, other.table,
		    mem_printf(ctx, ",%s,", PQgetvalue(result, i, 2)));
		if (other.kind == NULL)
			continue;
		add_table(&sql, ctx, &other);
		if (table_exists)
			text_addf(&sql, " AND NOT EXISTS (%s)",
			    table->kind->read(ctx, table).sql);
	}
	return (struct pgconn_statement){ .sql = sql.data };
}

struct elsewhere *
tracking_read_elsewhere(
    const void *ctx, const struct tracking_table *table, const PGresult *result)
{
	struct elsewhere *elsewhere = NULL;

	if (PQntuples(result) == 0)
		return NULL;
	elsewhere = mem_zero(ctx, struct elsewhere);
	elsewhere->schema = mem_strdup(elsewhere, PQgetvalue(result, 0, 0));
	elsewhere->table = mem_strdup(elsewhere, PQgetvalue(result, 0, 1));
	elsewhere->kind = tracking_find(PQgetvalue(result, 0, 2))->name;
	elsewhere->ours = mem_printf(elsewhere, "%s.%s", table->schema, table->table);
	elsewhere->n_more = (size_t)PQntuples(result) - 1;
	return elsewhere;
}
