/* SPDX-License-Identifier: PostgreSQL */
#include "db/effect_lookup.h"

#include "base/mem.h"

#define IN_SCHEMA                                                \
	"(n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.text " \
	"OR ($1::pg_catalog.text OPERATOR(pg_catalog.=) '' AND " \
	"n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false)))) "
#define OF_RELATION                          \
	"JOIN pg_catalog.pg_namespace AS n " \
	"ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
#define RELATION IN_SCHEMA "AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.text "

static const char *const queries[] = {
	[SQLEFFECT_RELATION] =
	    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c " OF_RELATION
	    "WHERE " RELATION ")",
	[SQLEFFECT_COLUMN] =
	    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute AS a "
	    "JOIN pg_catalog.pg_class AS c "
	    "ON c.oid OPERATOR(pg_catalog.=) a.attrelid " OF_RELATION "WHERE " RELATION
	    "AND a.attname OPERATOR(pg_catalog.=) $3::pg_catalog.text "
	    "AND NOT a.attisdropped)",
	[SQLEFFECT_CONSTRAINT] =
	    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS k "
	    "JOIN pg_catalog.pg_class AS c "
	    "ON c.oid OPERATOR(pg_catalog.=) k.conrelid " OF_RELATION "WHERE " RELATION
	    "AND k.conname OPERATOR(pg_catalog.=) $3::pg_catalog.text)",
	[SQLEFFECT_SCHEMA] =
	    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace AS n "
	    "WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.text)",
	[SQLEFFECT_TYPE] =
	    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_type AS t "
	    "JOIN pg_catalog.pg_namespace AS n "
	    "ON n.oid OPERATOR(pg_catalog.=) t.typnamespace WHERE " IN_SCHEMA
	    "AND t.typname OPERATOR(pg_catalog.=) $2::pg_catalog.text)",
};

struct pgconn_statement
effect_lookup(const void *ctx, const struct sqleffect *effect)
{
	bool has_part =
	    effect->kind == SQLEFFECT_COLUMN || effect->kind == SQLEFFECT_CONSTRAINT;
	bool is_schema = effect->kind == SQLEFFECT_SCHEMA;

	return (struct pgconn_statement){
		.sql = queries[effect->kind],
		.n_params = is_schema ? 1
		    : has_part        ? 3
				      : 2,
		.params = { mem_strdup(ctx, is_schema ? effect->name : effect->schema),
		    mem_strdup(ctx, effect->name), mem_strdup(ctx, effect->part) },
	};
}

bool
effect_lookup_ran(const struct sqleffect *effect, const PGresult *result)
{
	bool there = PQntuples(result) == 1 && PQgetvalue(result, 0, 0)[0] == 't';

	return there != effect->gone;
}
