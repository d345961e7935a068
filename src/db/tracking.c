/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking.h"

#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/text.h"
#include "db/tracking_kind.h"

static const struct tracking *const kinds[] = {
	&tracking_drizzle,
	&tracking_drizzle1,
	&tracking_schema_migrations,
	&tracking_migration_log,
	&tracking_golang_migrate,
	&tracking_goose,
	&tracking_dbmate,
	&tracking_sqlx,
	&tracking_flyway,
	&tracking_diesel,
};

static const struct tracking *const beside[] = {
	&tracking_data_migrations,
	&tracking_reruns,
};

const struct tracking *
tracking_at(size_t i)
{
	return i < ARRAY_SIZE(kinds) ? kinds[i] : NULL;
}

const struct tracking *
tracking_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		if (strcmp(beside[i]->name, name) == 0)
			return beside[i];
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

const char *
tracking_name(size_t i)
{
	return i < ARRAY_SIZE(kinds) ? kinds[i]->name : NULL;
}

const char *
tracking_label(const void *ctx, const struct tracking_table *table)
{
	if (table->kind->is_shared)
		return mem_printf(ctx, "%s.%s/%s", table->schema, table->table,
		    tracking_target_label(ctx, table));
	return mem_printf(ctx, "%s.%s", table->schema, table->table);
}

const char *
tracking_target_label(const void *ctx, const struct tracking_table *table)
{
	return mem_printf(ctx, "%s.%s", table->of_schema, table->of_table);
}

/*
 * Names are cast to `name`, which cuts them where CREATE TABLE does. Any unique index on
 * the guard's columns will do, whoever made it.
 */
struct pgconn_statement
tracking_look(const void *ctx UNUSED, const struct tracking_table *table)
{
	return (struct pgconn_statement){
		.sql = "SELECT n.oid IS NOT NULL, c.oid IS NOT NULL, "
		       "(SELECT pg_catalog.string_agg(a.attname::pg_catalog.text, ',' "
		       "ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a "
		       "WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid "
		       "AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped), "
		       "EXISTS (SELECT 1 FROM pg_catalog.pg_index AS i "
		       "WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid "
		       "AND i.indisunique AND i.indisvalid "
		       "AND i.indpred IS NULL AND i.indexprs IS NULL AND "
		       "(SELECT pg_catalog.string_agg(k.attname::pg_catalog.text, ',' "
		       "ORDER BY k.attname) FROM pg_catalog.pg_attribute AS k "
		       "WHERE k.attrelid OPERATOR(pg_catalog.=) c.oid "
		       "AND k.attnum OPERATOR(pg_catalog.=) ANY (i.indkey)) "
		       "OPERATOR(pg_catalog.=) $3::pg_catalog.text) "
		       "FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_namespace AS n "
		       "ON n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name "
		       "LEFT JOIN pg_catalog.pg_class AS c "
		       "ON c.relnamespace OPERATOR(pg_catalog.=) n.oid "
		       "AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
		.n_params = 3,
		.params = { table->schema, table->table, table->kind->guard_columns },
	};
}

static bool
is_true(const PGresult *result, int column)
{
	return PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, column), "t") == 0;
}

void
tracking_read_look(const void *ctx, const PGresult *result, struct tracking_look *look)
{
	look->schema_exists = is_true(result, 0);
	look->table_exists = is_true(result, 1);
	look->columns =
	    look->table_exists ? mem_printf(ctx, ",%s,", PQgetvalue(result, 0, 2)) : "";
	look->guarded = is_true(result, 3);
}

static bool
has_column(const struct tracking_look *look, const char *column)
{
	size_t len = strlen(column);

	for (const char *p = look->columns; p && *p; p = strchr(p + 1, ','))
		if (strncmp(p + 1, column, len) == 0 && p[1 + len] == ',')
			return true;
	return false;
}

static const char *
missing_column(const struct tracking *kind, const struct tracking_look *look)
{
	for (size_t i = 0; kind->columns[i]; i++)
		if (!has_column(look, kind->columns[i]))
			return kind->columns[i];
	return NULL;
}

void
tracking_settle(struct tracking_table *table, const struct tracking_look *look)
{
	const struct tracking *older = table->kind->older;

	if (look->table_exists && older && missing_column(table->kind, look) &&
	    !missing_column(older, look))
		table->kind = older;
}

static bool
has_foreign_column(const struct tracking *kind, const struct tracking_look *look)
{
	return kind->foreign_column && has_column(look, kind->foreign_column);
}

const struct tracking *
tracking_kind_of(const char *table, bool any_name, const struct tracking_look *look)
{
	const struct tracking *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = 0;

		while (kinds[i]->columns[n])
			n++;
		if (n <= most ||
		    (!any_name && strcmp(kinds[i]->default_table, table) != 0) ||
		    missing_column(kinds[i], look) || has_foreign_column(kinds[i], look))
			continue;
		best = kinds[i];
		most = n;
	}
	return best;
}

/* The table of a phase beside the schema, which no option names. */
static bool
is_beside(const struct tracking *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++)
		if (beside[i] == kind)
			return true;
	return false;
}

static void
hint_at_kind(
    const struct tracking_table *table, const struct tracking_look *look, struct err *err)
{
	const struct tracking *other = tracking_kind_of(table->table, false, look);
	char *known = other ? NULL : names_list(NULL, tracking_name);

	if (is_beside(table->kind))
		err_hint(err,
		    "no option names this table: see who made it, and rename it where it is "
		    "another's; the next run makes its own");
	/* both: a tracking that is set already wins over the layout's own */
	else if (other && other->needs_layout)
		err_hint(err, "it looks like %s's: set layout = %s, tracking = %s",
		    other->name, other->needs_layout, other->name);
	else if (other)
		err_hint(err, "it looks like %s's: set tracking = %s", other->name,
		    other->name);
	else
		err_hint(err,
		    "choose another tracking table or kind (%s), or see who made this table",
		    known);
	talloc_free(known);
}

static int
refuse(struct err *err)
{
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
	return -1;
}

int
tracking_check(
    const struct tracking_table *table, const struct tracking_look *look, struct err *err)
{
	const struct tracking *kind = table->kind;
	const char *missing = NULL;

	if (!look->table_exists)
		return 0;
	missing = missing_column(kind, look);
	if (missing) {
		err_set(err, CAT_CONFIGURATION,
		    "table %s.%s has no column \"%s\", so it is no %s tracking table",
		    table->schema, table->table, missing, kind->name);
		hint_at_kind(table, look, err);
		return refuse(err);
	}
	if (!has_foreign_column(kind, look))
		return 0;
	err_set(err, CAT_CONFIGURATION,
	    "table %s.%s has a column \"%s\": another version of its tool has made or changed it",
	    table->schema, table->table, kind->foreign_column);
	err_hint(err, "%s", kind->foreign_hint);
	return refuse(err);
}

void
tracking_hint_rights(const struct tracking_table *table, struct err *err)
{
	struct text schema, name;

	if (strcmp(err->sqlstate, "42501") != 0)
		return;
	text_init(&schema, NULL, BOUND_SQL);
	text_init(&name, NULL, BOUND_SQL);
	text_add_identifier(&schema, table->schema);
	text_add_identifier(&name, table->table);
	/* without the first, the second changes nothing, and the server names them in turn */
	err_hint(err,
	    "let its owner GRANT USAGE ON SCHEMA %s TO this role, and GRANT SELECT, INSERT, "
	    "UPDATE, DELETE ON %s.%s TO this role, and USAGE on its sequence where it has "
	    "one",
	    schema.data, schema.data, name.data);
	talloc_free(schema.data);
	talloc_free(name.data);
}
