/* SPDX-License-Identifier: PostgreSQL */
#include "db/index_lookup.h"

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"

/* What the statement names without a schema is where the session finds it. */
struct pgconn_statement
index_lookup(const void *ctx, const struct sqlclass *class)
{
	return (struct pgconn_statement){
		.sql = "SELECT i.indisvalid, n.nspname, c.relname "
		       "FROM pg_catalog.pg_index i "
		       "JOIN pg_catalog.pg_class c "
		       "ON c.oid OPERATOR(pg_catalog.=) i.indexrelid "
		       "JOIN pg_catalog.pg_class t "
		       "ON t.oid OPERATOR(pg_catalog.=) i.indrelid "
		       "JOIN pg_catalog.pg_namespace n "
		       "ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		       "WHERE c.relname OPERATOR(pg_catalog.=) $1::pg_catalog.text "
		       "AND CASE WHEN $2::pg_catalog.text OPERATOR(pg_catalog.<>) '' "
		       "THEN n.nspname OPERATOR(pg_catalog.=) $2::pg_catalog.text "
		       "WHEN $3::pg_catalog.text OPERATOR(pg_catalog.<>) '' "
		       "THEN t.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass("
		       "pg_catalog.quote_ident($3::pg_catalog.text))::pg_catalog.oid "
		       "ELSE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass("
		       "pg_catalog.quote_ident($1::pg_catalog.text))::pg_catalog.oid END "
		       "AND ($3::pg_catalog.text OPERATOR(pg_catalog.=) '' "
		       "OR t.relname OPERATOR(pg_catalog.=) $3::pg_catalog.text) "
		       "ORDER BY i.indisvalid LIMIT 1",
		.n_params = 3,
		.params = { mem_strdup(ctx, class->name), mem_strdup(ctx, class->schema),
		    mem_strdup(ctx, class->table) },
	};
}

enum index_state
index_lookup_read(const PGresult *result)
{
	if (PQntuples(result) == 0)
		return INDEX_ABSENT;
	return PQgetvalue(result, 0, 0)[0] == 't' ? INDEX_VALID : INDEX_INVALID;
}

struct pgconn_statement
index_drop(const void *ctx, const PGresult *found, bool concurrently)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, concurrently ? "DROP INDEX CONCURRENTLY " : "DROP INDEX ");
	text_add_identifier(&sql, PQgetvalue(found, 0, 1));
	text_add_char(&sql, '.');
	text_add_identifier(&sql, PQgetvalue(found, 0, 2));
	return (struct pgconn_statement){ .sql = sql.data };
}
