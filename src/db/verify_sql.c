/* SPDX-License-Identifier: PostgreSQL */
#include "db/verify_sql.h"

#include <stdio.h>

#include "base/bounds.h"
#include "base/digest.h"
#include "base/text.h"

#define COMMENT "scratch database of migrationd, made by session "

/*
 * A leftover is ours by prefix and comment, and the session that made it is gone. Another's
 * process id may have become the same since: then it stays until the next time.
 */
static const char leftovers[] =
    "::text)) SELECT 1 AS step, format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname)"
    " FROM pg_database AS d, shobj_description(d.oid, 'pg_database') AS about"
    " WHERE starts_with(datname, '" VERIFY_DATABASE_PREFIX "')"
    " AND about ~ '^" COMMENT "[0-9]+$' AND pg_has_role(datdba, 'USAGE')"
    " AND NOT EXISTS (SELECT FROM pg_stat_activity"
    "  WHERE pid::text = substring(about FROM '[0-9]+$')) ";

/*
 * Encoding and collation can only be chosen freely with template0. The provider's columns
 * were added in PostgreSQL 15 and renamed in 17.
 */
static const char create[] =
    "UNION ALL SELECT 2, format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L"
    " LC_COLLATE %L LC_CTYPE %L%s', name, pg_encoding_to_char(encoding), datcollate,"
    " datctype, CASE j->>'datlocprovider'"
    "  WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L',"
    "   COALESCE(j->>'datlocale', j->>'daticulocale'))"
    "  WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L',"
    "   j->>'datlocale')"
    "  ELSE '' END) FROM pg_database AS d, to_jsonb(d) AS j, "
    "scratch WHERE datname = current_database() "
    "UNION ALL SELECT 3, format('COMMENT ON DATABASE %I IS %L', name,"
    " '" COMMENT "' || pg_backend_pid()) FROM scratch ORDER BY 1";

void
verify_sql_name(char name[VERIFY_DATABASE_NAME])
{
	snprintf(name, VERIFY_DATABASE_NAME, VERIFY_DATABASE_PREFIX "%08x%08x",
	    digest_random(UINT32_MAX), digest_random(UINT32_MAX));
}

const char *
verify_sql_statements(const void *ctx, const char *name)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql,
	    "SET LOCAL search_path TO pg_catalog, pg_temp;"
	    "WITH scratch(name) AS (VALUES (");
	text_add_literal(&sql, name);
	text_add(&sql, leftovers);
	text_add(&sql, create);
	return sql.data;
}

const char *
verify_sql_drop(const void *ctx, const char *name)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "DROP DATABASE IF EXISTS ");
	text_add_identifier(&sql, name);
	text_add(&sql, " WITH (FORCE)");
	return sql.data;
}
