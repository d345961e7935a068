/* SPDX-License-Identifier: PostgreSQL */
#include "db/lease.h"

#include <inttypes.h>
#include <string.h>

#include "base/bounds.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "db/journal.h"

#define CREATE_TABLE                                    \
	"CREATE TABLE IF NOT EXISTS migrationd.locks (" \
	"name pg_catalog.text PRIMARY KEY, "            \
	"token pg_catalog.text NOT NULL, "              \
	"epoch pg_catalog.int8 NOT NULL, "              \
	"holder pg_catalog.text NOT NULL, "             \
	"acquired_at pg_catalog.timestamptz NOT NULL, " \
	"expires_at pg_catalog.timestamptz NOT NULL)"

/*
 * The statements of one query string are one transaction, so these hold for what follows and for
 * nothing else: behind a pooler the session is somebody else's a moment later. An engine that
 * does not take all settings has one isolation level, and commits what it says it did.
 */
static void
begin_own_transaction(struct text *sql, const void *ctx, const struct lock *lock)
{
	text_init(sql, ctx, BOUND_SQL);
	if ((lock->can & ENGINE_SETTINGS) != 0)
		text_add(sql,
		    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; "
		    "SET LOCAL synchronous_commit = on; "
		    "SET LOCAL lock_timeout = '2s'; ");
}

#define NOW "pg_catalog.now()"

static void
add_name(struct text *sql, const char *kind, const struct lock *lock)
{
	text_addf(sql, "'%s/%016" PRIx64 "'", kind, (uint64_t)lock->key);
}

static void
add_where(struct text *sql, const char *kind, const struct lock *lock)
{
	text_add(sql, " WHERE l.name OPERATOR(pg_catalog.=) ");
	add_name(sql, kind, lock);
}

static void
add_is_ours(struct text *sql, const struct lock *lock)
{
	text_add(sql, "l.token OPERATOR(pg_catalog.=) ");
	text_add_literal(sql, lock->token);
}

/*
 * Or an earlier run's. Texts that begin alike and go on with as many digits sort by those, in any
 * collation; none that a database or such a column can have takes two of them for one.
 */
static void
add_is_of_process(struct text *sql, const struct lock *lock)
{
	text_add(sql, "(pg_catalog.split_part(l.token, '/', 1) OPERATOR(pg_catalog.=) ");
	text_add_literal(sql, lock->process);
	text_add(sql, " AND l.token OPERATOR(pg_catalog.<=) ");
	text_add_literal(sql, lock->token);
	text_add(sql, ")");
}

static void
add_end(struct text *sql)
{
	text_addf(
	    sql, NOW " OPERATOR(pg_catalog.+) '%d s'::pg_catalog.interval", LEASE_TTL_S);
}

struct pgconn_statement
lease_look(const void *ctx UNUSED, const struct lock *lock UNUSED)
{
	return (struct pgconn_statement){ .sql = JOURNAL_LOOK("locks") };
}

struct pgconn_statement
lease_create(const void *ctx, bool schema_exists)
{
	return journal_create_with(ctx, schema_exists, CREATE_TABLE);
}

struct pgconn_statement
lease_rows(const void *ctx, const struct lock *lock)
{
	struct text sql;

	begin_own_transaction(&sql, ctx, lock);
	text_add(&sql,
	    "INSERT INTO migrationd.locks "
	    "(name, token, epoch, holder, acquired_at, expires_at) VALUES (");
	add_name(&sql, "lease", lock);
	text_add(&sql, ", '', 0, '', " NOW ", " NOW "), (");
	add_name(&sql, "fence", lock);
	text_add(&sql, ", '', 0, '', " NOW ", " NOW ") ON CONFLICT DO NOTHING");
	return (struct pgconn_statement){ .sql = sql.data };
}

static void
add_taking(struct text *sql, const struct lock *lock)
{
	text_add(sql, "UPDATE migrationd.locks AS l SET token = ");
	text_add_literal(sql, lock->token);
	text_add(sql, ", epoch = l.epoch OPERATOR(pg_catalog.+) 1, holder = ");
	text_add_literal(sql, lock->holder);
	text_add(sql, ", acquired_at = " NOW);
}

/*
 * SKIP LOCKED: while a transaction of an earlier holder is open, the answer is no, at
 * once. Who comes this far is alone with both rows. Where a row lock does not wait, the one
 * who commits later is told that it did not.
 *
 * Three statements, for a server may refuse one that changes a table twice.
 */
struct pgconn_statement
lease_try(const void *ctx, const struct lock *lock)
{
	struct text sql;

	if (MUTANT("no-lock"))
		return (struct pgconn_statement){ .sql = "SELECT true" };
	begin_own_transaction(&sql, ctx, lock);
	add_taking(&sql, lock);
	text_add(&sql, ", expires_at = ");
	add_end(&sql);
	add_where(&sql, "lease", lock);
	text_add(&sql, " AND (l.token OPERATOR(pg_catalog.=) '' OR ");
	add_is_of_process(&sql, lock);
	text_add(&sql, " OR l.expires_at OPERATOR(pg_catalog.<) " NOW ")");
	if ((lock->can & ENGINE_ROW_LOCKS) != 0) {
		text_add(&sql, " AND EXISTS (SELECT 1 FROM migrationd.locks AS l");
		add_where(&sql, "fence", lock);
		text_add(&sql, " FOR UPDATE SKIP LOCKED)");
	}
	text_add(&sql, "; ");
	add_taking(&sql, lock);
	add_where(&sql, "fence", lock);
	text_add(&sql, " AND EXISTS (SELECT 1 FROM migrationd.locks AS l");
	add_where(&sql, "lease", lock);
	text_add(&sql, " AND ");
	add_is_ours(&sql, lock);
	text_add(&sql, "); SELECT EXISTS (SELECT 1 FROM migrationd.locks AS l");
	add_where(&sql, "fence", lock);
	text_add(&sql, " AND ");
	add_is_ours(&sql, lock);
	text_add(&sql, ")");
	return (struct pgconn_statement){ .sql = sql.data };
}

struct pgconn_statement
lease_renew(const void *ctx, const struct lock *lock)
{
	struct text sql;

	begin_own_transaction(&sql, ctx, lock);
	text_add(&sql, "UPDATE migrationd.locks AS l SET expires_at = ");
	add_end(&sql);
	add_where(&sql, "lease", lock);
	text_add(&sql, " AND ");
	add_is_ours(&sql, lock);
	text_add(&sql, " RETURNING true");
	return (struct pgconn_statement){ .sql = sql.data };
}

struct pgconn_statement
lease_release(const void *ctx, const struct lock *lock)
{
	struct text sql;

	begin_own_transaction(&sql, ctx, lock);
	text_add(&sql,
	    "UPDATE migrationd.locks AS l SET token = '', holder = '', expires_at = " NOW);
	add_where(&sql, "lease", lock);
	text_add(&sql, " AND ");
	add_is_ours(&sql, lock);
	text_add(&sql, " RETURNING true");
	return (struct pgconn_statement){ .sql = sql.data };
}

void
lease_add_guard(struct text *sql, const struct lock *lock)
{
	text_add(sql, MUTANT("no-fence") ? "SELECT true OR (SELECT " : "SELECT (SELECT ");
	add_is_ours(sql, lock);
	text_add(sql, " FROM migrationd.locks AS l");
	add_where(sql, "fence", lock);
	text_add(sql, " FOR UPDATE)");
}

struct pgconn_statement
lease_holder(const void *ctx, const struct lock *lock)
{
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql,
	    "SELECT l.holder, "
	    "pg_catalog.to_char(pg_catalog.timezone('UTC', l.acquired_at), "
	    "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), "
	    "pg_catalog.date_part('epoch', l.expires_at OPERATOR(pg_catalog.-) " NOW
	    ")::pg_catalog.int8 FROM migrationd.locks AS l");
	add_where(&sql, "lease", lock);
	text_add(&sql,
	    " AND l.token OPERATOR(pg_catalog.<>) '' "
	    "AND l.expires_at OPERATOR(pg_catalog.>=) " NOW);
	return (struct pgconn_statement){ .sql = sql.data };
}

void
lease_holder_read(const PGresult *result, char *buf, size_t size)
{
	void *ctx = NULL;
	struct text text;

	buf[0] = '\0';
	if (PQntuples(result) < 1 || PQnfields(result) < 3)
		return;
	ctx = mem_context(NULL, "lease holder");
	text_init(&text, ctx, size - 1);
	text_addf(&text, "%s, since %s, lease ends in %s s unless renewed",
	    PQgetvalue(result, 0, 0), PQgetvalue(result, 0, 1), PQgetvalue(result, 0, 2));
	memcpy(buf, text.data, text.len + 1);
	talloc_free(ctx);
}
