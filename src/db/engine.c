/* SPDX-License-Identifier: PostgreSQL */
#include "db/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum column {
	COLUMN_VERSION,
	COLUMN_VERSION_TEXT,
	COLUMN_PID,
	COLUMN_DATABASE,
	COLUMN_SCHEMA,
	COLUMN_IN_RECOVERY,
	COLUMN_READ_ONLY,
	COLUMN_INHERITED,
	COLUMN_COUNT
};

/* What a session has once it was RESET is what it would have without our own settings. */
const struct pgconn_statement *
engine_query(void)
{
	static const struct pgconn_statement query = {
		.sql = "SELECT pg_catalog.current_setting('server_version_num'), "
		       "pg_catalog.current_setting('server_version'), "
		       "pg_catalog.pg_backend_pid(), "
		       "pg_catalog.current_database(), "
		       "COALESCE(pg_catalog.current_schema(), ''), "
		       "pg_catalog.pg_is_in_recovery(), "
		       "pg_catalog.current_setting('transaction_read_only'), "
		       "(SELECT pg_catalog.string_agg(pg_catalog.concat("
		       "s.name, ' = ', s.reset_val, s.unit), ', ' ORDER BY s.name) "
		       "FROM pg_catalog.pg_settings AS s "
		       "WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY["
		       "'statement_timeout', 'lock_timeout', "
		       "'idle_in_transaction_session_timeout', 'transaction_timeout']) "
		       "AND s.reset_val OPERATOR(pg_catalog.<>) '0')",
	};

	return &query;
}

static void
copy_column(char *buf, size_t size, const PGresult *result, enum column column)
{
	(void)snprintf(buf, size, "%s", PQgetvalue(result, 0, (int)column));
}

int
engine_read(struct engine *engine, const struct pgconn *conn, const PGresult *result,
    struct err *err)
{
	struct engine e = { .name = "postgresql" };

	if (PQntuples(result) != 1 || PQnfields(result) != COLUMN_COUNT)
		return err_set(err, CAT_INTERNAL, "the server did not say what it is");
	e.version = (int)strtol(PQgetvalue(result, 0, COLUMN_VERSION), NULL, 10);
	copy_column(e.version_text, sizeof(e.version_text), result, COLUMN_VERSION_TEXT);
	copy_column(e.database, sizeof(e.database), result, COLUMN_DATABASE);
	copy_column(e.current_schema, sizeof(e.current_schema), result, COLUMN_SCHEMA);
	e.in_recovery = strcmp(PQgetvalue(result, 0, COLUMN_IN_RECOVERY), "t") == 0;
	e.read_only = strcmp(PQgetvalue(result, 0, COLUMN_READ_ONLY), "on") == 0;
	copy_column(e.inherited, sizeof(e.inherited), result, COLUMN_INHERITED);
	/* a pooler makes up the process id that it greets with */
	e.pooled = strtol(PQgetvalue(result, 0, COLUMN_PID), NULL, 10) !=
	    pgconn_backend_pid(conn);
	*engine = e;
	return 0;
}

static int
refuse_read_only(const char *text, const char *hint, struct err *err)
{
	err_set(err, CAT_NETWORK_ERROR, "%s", text);
	err_hint(err, "%s", hint);
	(void)snprintf(err->sqlstate, sizeof(err->sqlstate), "25006");
	return -1;
}

int
engine_check_writable(const struct engine *engine, struct err *err)
{
	if (engine->in_recovery)
		return refuse_read_only(
		    "the server is a standby: nothing can be written there",
		    "connect to the primary: name all servers as host=a,b and add "
		    "target_session_attrs=read-write",
		    err);
	if (engine->read_only)
		return refuse_read_only("the database is read only for this role",
		    "see default_transaction_read_only of the server, database and role",
		    err);
	return 0;
}

void
engine_to_facts(const struct engine *engine, struct database_facts *facts)
{
	(void)snprintf(facts->name, sizeof(facts->name), "%s", engine->database);
	(void)snprintf(facts->server_version, sizeof(facts->server_version), "%s",
	    engine->version_text);
	(void)snprintf(facts->engine, sizeof(facts->engine), "%s", engine->name);
	facts->in_recovery = engine->in_recovery;
	facts->pooled = engine->pooled;
}
