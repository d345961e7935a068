/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What server is this, and what can it do? Two queries after connecting (state PROBE), and a
 * row of the table in engine.c.
 *
 *	send engine_ask(), or engine_query() where the engine is known
 *	engine_identify(&engine, params->engine, conn, result, &err)
 *	send engine_query(&engine)
 *	engine_read(&engine, conn, result, &err)
 *
 * What speaks PostgreSQL's protocol is not always PostgreSQL: some have no advisory lock, some
 * commit each DDL by itself, some refuse to be told a timeout. Whoever needs to know asks
 * engine_can; a name is for people.
 */

#include "core/dialect.h"
#include "core/status.h"
#include "db/pgconn.h"

/* What it can, in the table and then in struct engine, where a server's settings count. */
enum engine_ability {
	ENGINE_ADVISORY = 1 << 0,  /* session advisory locks that exclude others */
	ENGINE_SETTINGS = 1 << 1,  /* all that db/session.c sets; RESET ALL */
	ENGINE_TIMEOUTS = 1 << 2,  /* lock_timeout and statement_timeout */
	ENGINE_ROW_LOCKS = 1 << 3, /* FOR UPDATE waits; else conflicts show at COMMIT */
	ENGINE_WITNESS = 1 << 4,   /* txid_current and txid_status */
	ENGINE_ACTIVITY =
	    1 << 5,          /* pg_stat_activity, pg_stat_progress_*, cancel by pid */
	ENGINE_PID = 1 << 6, /* pg_backend_pid is what the greeting said */
	ENGINE_MANY_DDL = 1 << 7,   /* several statements of DDL in one query string */
	ENGINE_SERIAL = 1 << 8,     /* the type serial */
	ENGINE_CONCURRENT = 1 << 9, /* DROP INDEX CONCURRENTLY */
	ENGINE_JOBS = 1 << 10,   /* sys.jobs: statements that go on after their answer */
	ENGINE_CATALOG = 1 << 11 /* pg_settings, pg_is_in_recovery ... in one query */
};

struct engine;

struct engine_profile {
	const char *name;              /* "aurora-dsql": for `engine`, /status */
	const char *product;           /* a word of version(); NULL: told otherwise */
	const char *host;              /* or a piece of its host names; NULL: none */
	unsigned can;                  /* enum engine_ability */
	const struct dialect *dialect; /* NULL: PostgreSQL's */
	int64_t max_age_ms; /* of a connection, before the server ends it; 0: for ever */
	const char *note;   /* what it means for a run: /status; "": nothing */
	/* What release and settings of a server change of it; NULL: nothing does. */
	void (*settle)(struct engine *engine, const PGresult *answer);
};

struct engine {
	const struct engine_profile *profile;
	unsigned can;
	const struct dialect *dialect;
	char product[128]; /* version(), its head */
	int version;       /* 150020 */
	char version_text[64];
	char database[64];
	char current_schema[64]; /* "" when the search_path names none that exists */
	char note[256];
	bool in_recovery;
	bool read_only; /* transactions start read only */
	bool pooled;    /* the process that answers is not the one that greeted us */
	/*
	 * Timeouts that server, database or role would set, and our sessions do not keep:
	 * "lock_timeout = 5000ms, statement_timeout = 60000ms"; "" when there are none.
	 */
	char inherited[192];
};

/* The names that the option engine may have: a names_fn (base/names.h). */
const char *engine_name(size_t i);

/* Any server answers it. Static. */
const struct pgconn_statement *engine_ask(void);

/*
 * Read its answer: the profile is chosen, unless `forced` names it (NULL: it does not).
 * INTERNAL when it is not what was asked.
 */
int engine_identify(struct engine *engine, const char *forced, const struct pgconn *conn,
    const PGresult *result, struct err *err) MUST_CHECK;

/* What such an engine can be asked. Static. */
const struct pgconn_statement *engine_query(const struct engine *engine);

/*
 * Read its answer; what the engine can is known then. INTERNAL when it is not what was asked.
 */
int engine_read(struct engine *engine, const struct pgconn *conn, const PGresult *result,
    struct err *err) MUST_CHECK;

static inline bool
engine_can(const struct engine *engine, enum engine_ability ability)
{
	return (engine->can & ability) != 0;
}

/*
 * Whether the error says that nothing came of the statement or transaction because another
 * was quicker: it may be sent again as it is (40001; Aurora DSQL's OC000, OC001).
 */
bool engine_is_conflict(const struct err *err);

/*
 * Refuse to write where it cannot work: a standby, a read-only server (NETWORK_ERROR,
 * 25006).
 */
int engine_check_writable(const struct engine *engine, struct err *err) MUST_CHECK;

/* Into the facts that /status shows, as of now. */
void engine_to_facts(const struct engine *engine, struct database_facts *facts);
