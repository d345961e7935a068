/* SPDX-License-Identifier: PostgreSQL */
#include "db/lock.h"

#include <inttypes.h>
#include <string.h>

#include "base/bounds.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "base/text.h"

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

static struct pgconn_statement
with_key(const void *ctx, const char *sql, int64_t key)
{
	return (struct pgconn_statement){
		.sql = sql,
		.n_params = 1,
		.params = { mem_printf(ctx, "%" PRId64, key) },
	};
}

struct pgconn_statement
lock_try(const void *ctx, int64_t key)
{
	return with_key(ctx,
	    MUTANT("no-lock")
		? "SELECT $1::pg_catalog.int8 IS NOT NULL"
		: "SELECT pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8)",
	    key);
}

void
lock_add_xact_try(struct text *sql, int64_t key)
{
	text_addf(sql, "SELECT %spg_catalog.pg_try_advisory_xact_lock(%" PRId64 ")",
	    MUTANT("no-fence") ? "true OR " : "", key);
}

struct pgconn_statement
lock_release(const void *ctx, int64_t key)
{
	return with_key(
	    ctx, "SELECT pg_catalog.pg_advisory_unlock($1::pg_catalog.int8)", key);
}

/*
 * pg_locks shows a 64-bit key as its halves, with objsubid 1 (PostgreSQL 15 docs
 * section 54.12). What belongs to another role's session is NULL for an ordinary role,
 * but not the pid.
 */
struct pgconn_statement
lock_holder(const void *ctx, int64_t key)
{
	uint64_t bits = (uint64_t)key;

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

void
lock_holder_read(const PGresult *result, char *buf, size_t size)
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
