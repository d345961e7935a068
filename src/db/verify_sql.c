/* SPDX-License-Identifier: PostgreSQL */
#include "db/verify_sql.h"

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/text.h"

#define PREFIX "migrationd_verify_"

/*
 * It is idle while the folder is applied, for longer than a role's timeouts may allow; not every
 * server knows each of them.
 */
static const char patience[] =
    "SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN"
    " ('statement_timeout', 'lock_timeout', 'idle_session_timeout',"
    " 'idle_in_transaction_session_timeout', 'transaction_timeout');";

/*
 * A leftover: the session that made it is gone. Another's process id may have become the same
 * since: then it stays until the next time.
 */
static const char leftovers[] =
    ")) SELECT 1 AS step, format('DROP DATABASE IF EXISTS %I WITH (FORCE)', datname), ''"
    " FROM pg_database AS d WHERE datname ~ '^" PREFIX "[0-9]+_[0-9a-f]{16}$'"
    " AND pg_has_role(datdba, 'USAGE') AND NOT EXISTS (SELECT FROM pg_stat_activity"
    "  WHERE pid::text = split_part(datname, '_', 3)) ";

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
    "  ELSE '' END), name FROM pg_database AS d, to_jsonb(d) AS j, "
    "scratch WHERE datname = current_database() ";

/*
 * ALTER DATABASE ... SET search_path decides where a file makes its tables. The value is that of
 * this session, which no statement of ours has changed.
 */
static const char settings[] =
    "UNION ALL SELECT 3, format('ALTER DATABASE %I SET %I FROM CURRENT', scratch.name,"
    " split_part(pair, '=', 1)), scratch.name FROM scratch, pg_db_role_setting,"
    " unnest(setconfig) AS pair JOIN pg_settings AS s"
    "  ON lower(s.name) = lower(split_part(pair, '=', 1))"
    " WHERE setdatabase = (SELECT oid FROM pg_database"
    "  WHERE datname = current_database())"
    " AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))"
    " AND context = 'user' AND s.name !~ 'timeout|default_transaction_read_only'"
    " ORDER BY 1";

const char *
verify_sql_ask(const void *ctx)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SET LOCAL search_path TO pg_catalog, pg_temp;");
	text_add(&sql, patience);
	text_addf(&sql,
	    "WITH scratch(name) AS (VALUES ('" PREFIX
	    "' || pg_backend_pid() || '_%08x%08x'",
	    digest_random(UINT32_MAX), digest_random(UINT32_MAX));
	text_add(&sql, leftovers);
	text_add(&sql, create);
	text_add(&sql, settings);
	return sql.data;
}

struct verify_statement *
verify_sql_read(
    const void *ctx, const PGresult *result, size_t *n, char name[VERIFY_DATABASE_NAME])
{
	struct verify_statement *statements = NULL;

	*n = (size_t)PQntuples(result);
	statements = mem_array(ctx, struct verify_statement, *n);
	for (size_t i = 0; i < *n; i++) {
		statements[i].sql = mem_strdup(statements, PQgetvalue(result, (int)i, 1));
		statements[i].is_leftover =
		    strcmp(PQgetvalue(result, (int)i, 0), "1") == 0;
		if (!statements[i].is_leftover)
			(void)snprintf(name, VERIFY_DATABASE_NAME, "%s",
			    PQgetvalue(result, (int)i, 2));
	}
	return statements;
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
