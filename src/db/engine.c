/* SPDX-License-Identifier: PostgreSQL */
#include "db/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"

#define MINUTE_MS INT64_C(60000)

#define POSTGRESQL                                                                \
	(ENGINE_ADVISORY | ENGINE_SETTINGS | ENGINE_TIMEOUTS | ENGINE_ROW_LOCKS | \
	    ENGINE_WITNESS | ENGINE_ACTIVITY | ENGINE_PID | ENGINE_MANY_DDL |     \
	    ENGINE_SERIAL | ENGINE_CONCURRENT | ENGINE_CATALOG)

static void settle_yugabytedb(struct engine *engine, const PGresult *answer);

/*
 * One row for each. The first is what is not told to be another. Sources: the answers of
 * Aurora DSQL clusters from 2026-09-15 to 2026-10-01; YugabyteDB's documentation of
 * transactional DDL (2025.2) and its answers on advisory locks; CockroachDB's compatibility
 * page (26.3) and autocommit_before_ddl; Citus on locks, which are a node's own.
 */
static const struct engine_profile profiles[] = {
	{ .name = "postgresql", .can = POSTGRESQL, .note = "" },
	{ .name = "aurora-postgresql", .can = POSTGRESQL, .note = "" },
	{ .name = "alloydb", .can = POSTGRESQL, .note = "" },
	{ .name = "neon", .host = ".neon.tech", .can = POSTGRESQL, .note = "" },
	{ .name = "supabase", .host = ".supabase.", .can = POSTGRESQL, .note = "" },
	{ .name = "citus",
	    /* to be asked of one node; a lock of another excludes nobody here */
	    .can = POSTGRESQL,
	    .note =
		"connect to the coordinator, always the same: locks are a node's own" },
	{ .name = "yugabytedb",
	    .product = "-YB-",
	    .can = POSTGRESQL &
		~(ENGINE_ADVISORY | ENGINE_CONCURRENT | ENGINE_WITNESS | ENGINE_MANY_DDL),
	    .dialect = &dialect_yugabytedb,
	    .settle = settle_yugabytedb,
	    .note =
		"each DDL statement is a transaction by itself, so a migration with any "
		"runs statement by statement and is resumed where it stopped; the lock "
		"is a lease" },
	{ .name = "cockroachdb",
	    .product = "CockroachDB",
	    .can = ENGINE_TIMEOUTS | ENGINE_ROW_LOCKS | ENGINE_SERIAL,
	    .dialect = &dialect_cockroachdb,
	    .note =
		"each DDL statement is a transaction by itself, so a migration with any "
		"runs statement by statement and is resumed where it stopped; the lock "
		"is a lease" },
	{ .name = "aurora-dsql",
	    .host = ".dsql",
	    .can = ENGINE_JOBS,
	    .dialect = &dialect_dsql,
	    .max_age_ms = 50 * MINUTE_MS, /* the service ends it at 60 */
	    .note =
		"each DDL statement is a transaction by itself, so a migration with any "
		"runs statement by statement and is resumed where it stopped; the lock "
		"is a lease; 3,000 rows and 5 minutes are a transaction's limit" },
};

/* Speak the protocol, and are none of those: what they lack is not known. */
static const char *const strangers[] = { "Redshift", "Spanner", "Materialize",
	"Greenplum", "Greengage", "RisingWave", "QuestDB", "CrateDB" };

const char *
engine_name(size_t i)
{
	return i < ARRAY_SIZE(profiles) ? profiles[i].name : NULL;
}

static const struct engine_profile *
profile_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++)
		if (strcmp(profiles[i].name, name) == 0)
			return &profiles[i];
	return NULL;
}

static void
take_profile(struct engine *engine, const struct engine_profile *profile)
{
	engine->profile = profile;
	engine->can = profile->can;
	engine->dialect = profile->dialect;
	(void)snprintf(engine->note, sizeof(engine->note), "%s", profile->note);
}

/* ---- which one is it? ---- */

enum {
	ASKED_VERSION,
	ASKED_JOBS,
	ASKED_COUNT
};

const struct pgconn_statement *
engine_ask(void)
{
	static const struct pgconn_statement ask = {
		.sql = "SELECT pg_catalog.version(), EXISTS (SELECT 1 "
		       "FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n "
		       "ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		       "WHERE n.nspname OPERATOR(pg_catalog.=) 'sys' "
		       "AND c.relname OPERATOR(pg_catalog.=) 'jobs')",
	};

	return &ask;
}

/* "PostgreSQL 16", and not a word more: Aurora DSQL (2026-09). */
static bool
is_bare_version(const char *version)
{
	static const char head[] = "PostgreSQL ";
	const char *number = version + sizeof(head) - 1;

	return strncmp(version, head, sizeof(head) - 1) == 0 && *number != '\0' &&
	    number[strspn(number, "0123456789")] == '\0';
}

static bool
is_product(const struct engine_profile *profile, const char *version, const char *host)
{
	if (profile->product != NULL && strstr(version, profile->product) != NULL)
		return true;
	return profile->host != NULL && strstr(host, profile->host) != NULL;
}

/* The host up to the slash: the name of a database may be anything. */
static void
copy_host(char *buf, size_t size, const struct pgconn *conn)
{
	const char *describe = pgconn_describe(conn);

	(void)snprintf(buf, size, "%.*s", (int)strcspn(describe, "/"), describe);
}

static const struct engine_profile *
find_profile(const char *version, bool has_jobs, const struct pgconn *conn)
{
	char host[256];

	copy_host(host, sizeof(host), conn);
	for (size_t i = 1; i < ARRAY_SIZE(profiles); i++) {
		const struct engine_profile *p = &profiles[i];

		/* Aurora DSQL: its table has the last word */
		if ((p->can & ENGINE_JOBS) != 0 ? has_jobs &&
			    (is_bare_version(version) || is_product(p, version, host))
						: is_product(p, version, host))
			return p;
	}
	return &profiles[0];
}

static void
note_stranger(struct engine *engine)
{
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++)
		if (strstr(engine->product, strangers[i]) != NULL)
			(void)snprintf(engine->note, sizeof(engine->note),
			    "%s is not known here and treated as PostgreSQL; set engine to "
			    "the one it is most like",
			    strangers[i]);
}

int
engine_identify(struct engine *engine, const char *forced, const struct pgconn *conn,
    const PGresult *result, struct err *err)
{
	const char *version;

	if (PQntuples(result) != 1 || PQnfields(result) != ASKED_COUNT)
		return err_set(err, CAT_INTERNAL, "the server did not say what it is");
	version = PQgetvalue(result, 0, ASKED_VERSION);
	*engine = (struct engine){ 0 };
	(void)snprintf(engine->product, sizeof(engine->product), "%.*s",
	    (int)sizeof(engine->product) - 1, version);
	take_profile(engine,
	    forced != NULL ? profile_named(forced)
			   : find_profile(version,
				 PQgetvalue(result, 0, ASKED_JOBS)[0] == 't', conn));
	if (forced == NULL)
		note_stranger(engine);
	return 0;
}

/* ---- and what does it say of itself? ---- */

enum column {
	COLUMN_VERSION,
	COLUMN_VERSION_TEXT,
	COLUMN_PID,
	COLUMN_DATABASE,
	COLUMN_SCHEMA,
	COLUMN_IN_RECOVERY,
	COLUMN_READ_ONLY,
	COLUMN_INHERITED,
	COLUMN_KIND,
	COLUMN_YB_DDL,
	COLUMN_COUNT
};

#define COMMON                                                      \
	"SELECT pg_catalog.current_setting('server_version_num'), " \
	"pg_catalog.current_setting('server_version'), "            \
	"pg_catalog.pg_backend_pid(), "                             \
	"pg_catalog.current_database(), "                           \
	"COALESCE(pg_catalog.current_schema(), ''), "

/* What a session has once it was RESET is what it would have without our own settings. */
const struct pgconn_statement *
engine_query(const struct engine *engine)
{
	static const struct pgconn_statement whole = {
		.sql = COMMON
		"pg_catalog.pg_is_in_recovery(), "
		"pg_catalog.current_setting('transaction_read_only'), "
		"(SELECT pg_catalog.string_agg(pg_catalog.concat("
		"s.name, ' = ', s.reset_val, s.unit), ', ' ORDER BY s.name) "
		"FROM pg_catalog.pg_settings AS s "
		"WHERE s.name OPERATOR(pg_catalog.=) ANY (ARRAY["
		"'statement_timeout', 'lock_timeout', "
		"'idle_in_transaction_session_timeout', 'transaction_timeout']) "
		"AND s.reset_val OPERATOR(pg_catalog.<>) '0'), "
		"CASE WHEN pg_catalog.to_regproc('pg_catalog.citus_version') IS NOT NULL "
		"THEN 'citus' "
		"WHEN pg_catalog.to_regproc('pg_catalog.aurora_version') IS NOT NULL "
		"THEN 'aurora-postgresql' "
		"WHEN pg_catalog.current_setting('neon.timeline_id', true) IS NOT NULL "
		"THEN 'neon' "
		"WHEN pg_catalog.current_setting('alloydb.iam_authentication', true) "
		"IS NOT NULL THEN 'alloydb' END, "
		"pg_catalog.current_setting('yb_ddl_transaction_block_enabled', true)",
	};
	/* nothing that one of them may lack */
	static const struct pgconn_statement plain = {
		.sql = COMMON "false, 'off', NULL, NULL, NULL",
	};

	return engine_can(engine, ENGINE_CATALOG) ? &whole : &plain;
}

static void
copy_column(char *buf, size_t size, const PGresult *result, enum column column)
{
	(void)snprintf(buf, size, "%s", PQgetvalue(result, 0, (int)column));
}

/*
 * "-YB-2025.1.0.0-b0": advisory locks since then. Whether DDL is part of a transaction is a
 * setting that the releases differ in.
 */
static void
settle_yugabytedb(struct engine *engine, const PGresult *answer)
{
	const char *at = strstr(engine->product, "-YB-");
	long major = at != NULL ? strtol(at + strlen("-YB-"), NULL, 10) : 0;

	if (major >= 2025)
		engine->can |= ENGINE_ADVISORY;
	if (strcmp(PQgetvalue(answer, 0, COLUMN_YB_DDL), "on") != 0)
		return;
	engine->dialect = NULL;
	engine->can |= ENGINE_MANY_DDL;
	(void)snprintf(engine->note, sizeof(engine->note), "%s",
	    "yb_ddl_transaction_block_enabled is on: DDL is part of its transaction");
}

/* What version() and host do not tell. */
static void
read_kind(struct engine *engine, const PGresult *result)
{
	const struct engine_profile *kind =
	    profile_named(PQgetvalue(result, 0, COLUMN_KIND));

	if (engine->profile == &profiles[0] && kind != NULL && engine->note[0] == '\0')
		take_profile(engine, kind);
	if (engine->profile->settle != NULL)
		engine->profile->settle(engine, result);
}

int
engine_read(struct engine *engine, const struct pgconn *conn, const PGresult *result,
    struct err *err)
{
	struct engine e = *engine;

	if (PQntuples(result) != 1 || PQnfields(result) != COLUMN_COUNT)
		return err_set(err, CAT_INTERNAL, "the server did not say what it is");
	e.version = (int)strtol(PQgetvalue(result, 0, COLUMN_VERSION), NULL, 10);
	copy_column(e.version_text, sizeof(e.version_text), result, COLUMN_VERSION_TEXT);
	copy_column(e.database, sizeof(e.database), result, COLUMN_DATABASE);
	copy_column(e.current_schema, sizeof(e.current_schema), result, COLUMN_SCHEMA);
	e.in_recovery = strcmp(PQgetvalue(result, 0, COLUMN_IN_RECOVERY), "t") == 0;
	e.read_only = strcmp(PQgetvalue(result, 0, COLUMN_READ_ONLY), "on") == 0;
	copy_column(e.inherited, sizeof(e.inherited), result, COLUMN_INHERITED);
	read_kind(&e, result);
	/* a pooler makes up the process id that it greets with */
	e.pooled = engine_can(&e, ENGINE_PID) &&
	    strtol(PQgetvalue(result, 0, COLUMN_PID), NULL, 10) !=
		pgconn_backend_pid(conn);
	*engine = e;
	return 0;
}

bool
engine_is_conflict(const struct err *err)
{
	static const char *const states[] = { "40001", "OC000", "OC001" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(err->sqlstate, states[i]) == 0)
			return true;
	return false;
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
	(void)snprintf(facts->engine, sizeof(facts->engine), "%s", engine->profile->name);
	(void)snprintf(
	    facts->engine_note, sizeof(facts->engine_note), "%s", engine->note);
	facts->dialect = engine->dialect;
	facts->in_recovery = engine->in_recovery;
	facts->pooled = engine->pooled;
	facts->looked = facts->reachable = true;
	facts->refreshed_at_us = clock_now_us();
}
