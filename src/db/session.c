/* SPDX-License-Identifier: PostgreSQL */
#include "db/session.h"

#include <stddef.h>

#include "base/macros.h"

/*
 * default_transaction_read_only is not in the list: who made a database or role read
 * only meant it. Keepalives and user timeout are the server's side of what pgconn sets
 * on ours, and do nothing on a unix socket.
 */
static const struct {
	int since; /* server version */
	const char *sql;
} settings[] = {
	{ 0, "SET statement_timeout = 0;" },
	{ 0, "SET lock_timeout = 0;" },
	{ 90600, "SET idle_in_transaction_session_timeout = 0;" },
	{ 140000, "SET idle_session_timeout = 0;" },
	{ 170000, "SET transaction_timeout = 0;" },
	{ 0, "SET synchronous_commit = on;" },
	{ 0, "SET default_transaction_isolation = 'read committed';" },
	{ 0, "SET default_transaction_deferrable = off;" },
	{ 0, "SET standard_conforming_strings = on;" },
	{ 0, "SET client_min_messages = notice;" },
	{ 0, "SET DateStyle = 'ISO';" },
	{ 0, "SET bytea_output = 'hex';" },
	{ 0, "SET tcp_keepalives_idle = 5;" },
	{ 0, "SET tcp_keepalives_interval = 2;" },
	{ 0, "SET tcp_keepalives_count = 3;" },
	{ 120000, "SET tcp_user_timeout = 10000;" },
	/*
	 * version 14 refuses it where the kernel cannot tell (macOS), any version on
	 * Windows
	 */
	{ 140000,
	    "SELECT pg_catalog.set_config('client_connection_check_interval', '1s', false) "
	    "WHERE pg_catalog.strpos(pg_catalog.version(), 'linux') "
	    "OPERATOR(pg_catalog.>) 0;" },
};

void
session_add_unwatched(struct text *sql, const struct engine *engine)
{
	if (engine_can(engine, ENGINE_SETTINGS) && engine->version >= 140000)
		text_add(sql,
		    "SELECT pg_catalog.set_config("
		    "'client_connection_check_interval', '0', false);");
}

void
session_add_settings(struct text *sql, const struct engine *engine)
{
	bool all = engine_can(engine, ENGINE_SETTINGS);

	if (!all && engine_can(engine, ENGINE_TIMEOUTS))
		text_add(sql, "SET statement_timeout = 0;SET lock_timeout = 0;");
	for (size_t i = 0; all && i < ARRAY_SIZE(settings); i++)
		if (engine->version >= settings[i].since)
			text_add(sql, settings[i].sql);
}

/* RESET ALL takes the encoding too, of which a pooler thinks that it knows it. */
#define RESET_POOLED                                        \
	"RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;" \
	"SET client_encoding = 'UTF8';"

void
session_add_pooled_start(struct text *sql, bool begin)
{
	if (begin)
		text_add(sql, "BEGIN ISOLATION LEVEL READ COMMITTED;");
	text_add(sql,
	    RESET_POOLED
	    "SET LOCAL synchronous_commit = on;SET LOCAL standard_conforming_strings = on;"
	    "SET LOCAL idle_in_transaction_session_timeout = '60s';");
}

void
session_add_pooled_end(struct text *sql)
{
	text_add(sql, RESET_POOLED "SET LOCAL synchronous_commit = on;");
}

void
session_add_fresh_start(struct text *sql, const struct engine *engine, bool begin)
{
	bool reset = engine_can(engine, ENGINE_SETTINGS);

	/*
	 * In a transaction of its own: the statements of one query string are one
	 * transaction, and the migration's has to start with the isolation level and
	 * access mode that are set here.
	 */
	if (begin)
		text_add(sql, "BEGIN;");
	if (!reset)
		return;
	text_add(sql, "RESET SESSION AUTHORIZATION;RESET ROLE;RESET ALL;");
	session_add_settings(sql, engine);
	if (begin)
		text_add(sql, "COMMIT;BEGIN;");
}
