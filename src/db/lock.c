/* SPDX-License-Identifier: PostgreSQL */
#include "db/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/utf8.h"
#include "db/lease.h"

#define PAUSE_FIRST_MS 50u
#define PAUSE_LAST_MS  1000u

/*
 * Every migrationd that works on the table has to come to the same key, of whatever
 * release: what is hashed here stays as it is. NUL stands between the names, which
 * cannot hold one.
 */
int64_t
lock_key(const char *database, const char *schema, const char *table)
{
	const char *const names[] = { "migrationd", database, schema, table };
	void *ctx = mem_context(NULL, "lock key");
	struct text text;
	int64_t key = 0;

	text_init(&text, ctx, BOUND_SQL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		text_add_bytes(&text, names[i], strlen(names[i]) + 1);
	key = digest_key64(text.data, text.len);
	talloc_free(ctx);
	return key;
}

bool
lock_answer(const PGresult *result)
{
	return PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
}

uint64_t
lock_pause_ms(unsigned attempt)
{
	uint32_t whole = attempt < 5 ? PAUSE_FIRST_MS << attempt : PAUSE_LAST_MS;

	return whole / 2 + digest_random(whole / 2 + 1);
}

/* ---- the advisory lock ---- */

/* Whether this session has it; `locks` shows a 64-bit key as its halves. */
static void
add_is_ours(struct text *sql, const char *locks, int64_t key)
{
	uint64_t bits = (uint64_t)key;

	text_addf(sql,
	    "EXISTS (SELECT 1 FROM pg_catalog.%s AS l "
	    "WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' "
	    "AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() "
	    "AND l.classid OPERATOR(pg_catalog.=) %" PRIu32 "::pg_catalog.oid "
	    "AND l.objid OPERATOR(pg_catalog.=) %" PRIu32 "::pg_catalog.oid "
	    "AND l.objsubid OPERATOR(pg_catalog.=) 1 AND l.granted) ",
	    locks, (uint32_t)(bits >> 32), (uint32_t)bits);
}

/*
 * NULL where a session that a pooler shares out has the lock already: another client took it, and
 * the server would grant it once more. In one of our own that cannot be.
 */
static struct pgconn_statement
advisory_try(const void *ctx, const struct lock *lock)
{
	struct text sql;

	if (MUTANT("no-lock"))
		return (struct pgconn_statement){ .sql = "SELECT true" };
	/* Without parameters: the first try is sent with the session's settings. */
	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SELECT ");
	if (lock->pooled) {
		text_add(&sql, "CASE WHEN ");
		add_is_ours(&sql, "pg_locks", lock->key);
		text_add(&sql, "THEN NULL ELSE ");
	}
	text_addf(&sql, "pg_catalog.pg_try_advisory_lock(%" PRId64 ")%s", lock->key,
	    lock->pooled ? " END" : "");
	return (struct pgconn_statement){ .sql = sql.data };
}

/*
 * The same as a transaction lock. Whoever still has the session lock was alone all the time. A file
 * that let it go may have let another migrationd in: the lock is taken back for the migrations that
 * follow, and what the other recorded shows, unless the transaction looks at a snapshot that is
 * older. (pg_lock_status is what the view pg_locks selects from.)
 */
static void
advisory_add_guard(struct text *sql, const struct lock *lock)
{
	text_add(sql, MUTANT("no-fence") ? "SELECT true OR " : "SELECT ");
	text_add(sql, "CASE WHEN ");
	add_is_ours(sql, "pg_lock_status()", lock->key);
	text_addf(sql,
	    "OR (pg_catalog.current_setting('transaction_isolation') "
	    "OPERATOR(pg_catalog.=) 'read committed' "
	    "AND pg_catalog.pg_try_advisory_lock(%" PRId64 ")) "
	    "THEN pg_catalog.pg_try_advisory_xact_lock(%" PRId64 ") ELSE false END",
	    lock->key, lock->key);
}

static struct pgconn_statement
advisory_release(const void *ctx, const struct lock *lock)
{
	return (struct pgconn_statement){
		.sql = "SELECT pg_catalog.pg_advisory_unlock($1::pg_catalog.int8)",
		.n_params = 1,
		.params = { mem_printf(ctx, "%" PRId64, lock->key) },
	};
}

/*
 * Needs no right beyond CONNECT. pg_locks shows a 64-bit key as its halves, with objsubid 1
 * (PostgreSQL 15 docs section 54.12). What belongs to another role's session is NULL for an
 * ordinary role, but not the pid.
 */
static struct pgconn_statement
advisory_holder(const void *ctx, const struct lock *lock)
{
	uint64_t bits = (uint64_t)lock->key;

	return (struct pgconn_statement){
		.sql =
		    "SELECT l.pid, a.application_name, pg_catalog.host(a.client_addr), "
		    "pg_catalog.to_char(pg_catalog.timezone('UTC', a.backend_start), "
		    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') "
		    "FROM pg_catalog.pg_locks AS l "
		    "JOIN pg_catalog.pg_database AS d ON d.oid OPERATOR(pg_catalog.=) l.database "
		    "LEFT JOIN pg_catalog.pg_stat_activity AS a "
		    "ON a.pid OPERATOR(pg_catalog.=) l.pid "
		    "WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' "
		    "AND d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() "
		    "AND l.classid OPERATOR(pg_catalog.=) $1::pg_catalog.oid "
		    "AND l.objid OPERATOR(pg_catalog.=) $2::pg_catalog.oid "
		    "AND l.objsubid OPERATOR(pg_catalog.=) 1 AND l.granted LIMIT 1",
		.n_params = 2,
		.params = { mem_printf(ctx, "%" PRIu32, (uint32_t)(bits >> 32)),
		    mem_printf(ctx, "%" PRIu32, (uint32_t)bits) },
	};
}

static const char *
value(const PGresult *result, int column)
{
	return PQgetisnull(result, 0, column) ? "" : PQgetvalue(result, 0, column);
}

/* "pid 4711, migrationd from 10.0.0.7, since 2026-11-20T05:58:12Z" */
static void
advisory_read_holder(const PGresult *result, char *buf, size_t size)
{
	void *ctx = NULL;
	struct text text;

	buf[0] = '\0';
	if (PQntuples(result) < 1 || PQnfields(result) < 4)
		return;
	ctx = mem_context(NULL, "lock holder");
	text_init(&text, ctx, size - 1);
	text_addf(&text, "pid %s", value(result, 0));
	if (*value(result, 1))
		text_addf(&text, ", %s", value(result, 1));
	if (*value(result, 2))
		text_addf(&text, " from %s", value(result, 2));
	if (*value(result, 3))
		text_addf(&text, ", since %s", value(result, 3));
	memcpy(buf, text.data, text.len + 1);
	talloc_free(ctx);
}

static const struct lock_ops advisory = {
	.name = "advisory",
	.try = advisory_try,
	.release = advisory_release,
	.add_guard = advisory_add_guard,
	.lost_hint = "does the file call pg_advisory_unlock_all()?",
	.holder = advisory_holder,
	.read_holder = advisory_read_holder,
};

/* ---- one or the other ---- */

static const struct lock_ops lease = {
	.name = "lease",
	.look = lease_look,
	.create = lease_create,
	.rows = lease_rows,
	.prepare_hint =
	    "behind a connection pooler, and on some engines, the lock is a row of "
	    "migrationd.locks: "
	    "let the role create schema migrationd, or give it SELECT, INSERT "
	    "and UPDATE on that table; or set database_direct_url",
	.try = lease_try,
	.release = lease_release,
	.add_guard = lease_add_guard,
	.lost_hint = "its lease ran out: it could not be renewed in time",
	.holder = lease_holder,
	.read_holder = lease_holder_read,
	.renew = lease_renew,
	.renew_ms = LEASE_RENEW_MS,
	.sure_us = LEASE_TTL_S * INT64_C(1000000) - LEASE_MARGIN_US,
};

void
lock_init(struct lock *lock, enum target_lock_mode mode, const struct engine *engine,
    int64_t key, const char *instance)
{
	bool pooled = engine->pooled;
	char host[65] = "";
	char alone[UUID_TEXT];
	size_t cut = 0;

	*lock = (struct lock){
		.ops = &advisory,
		.key = key,
		.pooled = pooled,
		.can = engine->can,
	};
	if (mode == LOCK_MODE_LEASE || (mode == LOCK_MODE_AUTO && pooled) ||
	    !engine_can(engine, ENGINE_ADVISORY))
		lock->ops = &lease;
	digest_uuid7(clock_now_us(), alone);
	lock_name(lock, "", alone);
	(void)gethostname(host, sizeof(host) - 1);
	(void)snprintf(lock->holder, sizeof(lock->holder),
	    "migrationd%s%s, pid %ld on %s", instance ? " " : "",
	    instance ? instance : "", (long)getpid(), host);
	/* half a letter, and the server would refuse the statement */
	if (!utf8_is_valid(lock->holder, strlen(lock->holder), &cut))
		lock->holder[cut] = '\0';
}

/*
 * Not the id of the run: that goes back when the clock does, and a collation that takes digits for
 * numbers (ICU, kn) does not sort texts as ids do.
 */
void
lock_name(struct lock *lock, const char *process, const char *run_id)
{
	static uint64_t number;

	(void)snprintf(lock->process, sizeof(lock->process), "%s",
	    process[0] != '\0' ? process : run_id);
	(void)snprintf(
	    lock->token, sizeof(lock->token), "%s/%020" PRIu64, lock->process, ++number);
}

int
lock_tried(struct lock *lock, const PGresult *result, int64_t sent_mono_us, bool *ours,
    struct err *err)
{
	if (PQntuples(result) == 1 && PQgetisnull(result, 0, 0)) {
		err_set(err, CAT_CONFIGURATION,
		    "the connection pooler gives one server session to several clients: "
		    "an advisory lock excludes nobody there");
		err_hint(err, "set lock = lease, or database_direct_url");
		return -1;
	}
	*ours = lock_answer(result);
	if (*ours)
		lock->granted_mono_us = sent_mono_us;
	return 0;
}

bool
lock_renewed(struct lock *lock, const PGresult *result, int64_t sent_mono_us)
{
	lock->granted_mono_us = lock_answer(result) ? sent_mono_us : 0;
	return lock->granted_mono_us != 0;
}

bool
lock_is_sure(const struct lock *lock, int64_t now_mono_us)
{
	return lock->granted_mono_us != 0 &&
	    (lock->ops->sure_us == 0 ||
		now_mono_us - lock->granted_mono_us < lock->ops->sure_us);
}
