/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_elsewhere.h"

#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/tracking_kind.h"

struct tracking_elsewhere {
	struct tracking_table *tables;
	size_t n;
	size_t at; /* whose rows are asked for */
	struct elsewhere *found;
};

/* ---- which tables ---- */

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

static const char catalog[] =
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
    /* on some columns is enough where the kind reads no others; the read itself tells */
    "AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT') ";

struct pgconn_statement
tracking_elsewhere(const void *ctx, const struct tracking_table *table, bool table_exists)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, catalog);
	if (table_exists)
		text_addf(&sql, "AND NOT EXISTS (%s) ", tracking_read(ctx, table).sql);
	text_add(&sql, "ORDER BY n.nspname, c.relname LIMIT 32");
	return (struct pgconn_statement){
		.sql = sql.data,
		.n_params = 5,
		.params = { table->schema, table->table, defaults_of(ctx, false),
		    defaults_of(ctx, true), table->schema_is_said ? "f" : "t" },
	};
}

struct tracking_elsewhere *
tracking_elsewhere_new(
    const void *ctx, const struct tracking_table *table, const PGresult *result)
{
	struct tracking_elsewhere *others = mem_zero(ctx, struct tracking_elsewhere);

	others->tables =
	    mem_array(others, struct tracking_table, (size_t)PQntuples(result));
	others->found = mem_zero(others, struct elsewhere);
	others->found->ours =
	    mem_printf(others->found, "%s.%s", table->schema, table->table);
	for (int i = 0; i < PQntuples(result); i++) {
		const char *name = PQgetvalue(result, i, 1);
		const struct tracking_look look = { true, true,
			mem_printf(others, ",%s,", PQgetvalue(result, i, 2)), false };
		const struct tracking *kind =
		    tracking_kind_of(name, strcmp(table->table, name) == 0, &look);

		if (kind == NULL)
			continue;
		others->tables[others->n++] = (struct tracking_table){
			.kind = kind,
			.schema = mem_strdup(others, PQgetvalue(result, i, 0)),
			.table = mem_strdup(others, name),
		};
	}
	return others;
}

/* ---- their rows ---- */

bool
tracking_elsewhere_ask(const struct tracking_elsewhere *others, const void *ctx,
    struct pgconn_statement *statement)
{
	const struct tracking_table *table = &others->tables[others->at];

	if (others->at == others->n)
		return false;
	*statement = tracking_read(ctx, table);
	return true;
}

static void
keep(struct tracking_elsewhere *others, const struct tracking_table *table,
    struct history *history)
{
	struct elsewhere *found = others->found;

	found->tables =
	    mem_grow(found, found->tables, struct elsewhere_table, found->n + 1);
	found->tables[found->n++] = (struct elsewhere_table){
		.schema = mem_strdup(found, table->schema),
		.table = mem_strdup(found, table->table),
		.kind = table->kind->name,
		.history = talloc_steal(found, history),
	};
}

/*
 * Whether the error is about the table: we may not read it, or its columns are not what their
 * names say (class 22, a value; 42, a type). Any other says that nobody could look, and to go on
 * may run all of the folder again.
 */
static bool
is_about_table(const struct err *err)
{
	return strncmp(err->sqlstate, "22", 2) == 0 ||
	    strncmp(err->sqlstate, "42", 2) == 0; /* 42501 too */
}

int
tracking_elsewhere_rows(
    struct tracking_elsewhere *others, const struct pgconn_reply *reply, struct err *err)
{
	const struct tracking_table *table = &others->tables[others->at];
	struct history *history = NULL;
	struct err why = reply->err;

	if (reply->lost || (err_is_set(&why) && !is_about_table(&why))) {
		*err = why;
		return err_wrap(err, "table %s.%s", table->schema, table->table);
	}
	others->at++;
	if (err_is_set(&why)) {
		log_debug("taken for no tracking table: its rows cannot be read",
		    LOG_STR("schema", table->schema), LOG_STR("table", table->table),
		    LOG_STR("error", why.text));
		return 0;
	}
	if (tracking_read_history(
		others, table, reply->result, clock_mono_us(), &history, err) < 0)
		return -1;
	if (history->n_rows > 0)
		keep(others, table, history);
	return 0;
}

struct elsewhere *
tracking_elsewhere_end(struct tracking_elsewhere *others, const void *ctx)
{
	return others->found->n > 0 ? talloc_steal(ctx, others->found) : NULL;
}
