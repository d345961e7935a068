/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The lock: one session advisory lock per database and tracking table, on the
 * connection that executes.
 *
 * It is polled with jitter, never waited for inside PostgreSQL: a waiter would be a
 * snapshot that CREATE INDEX CONCURRENTLY of the holder waits for, which is a deadlock.
 * The same key is taken once more as a transaction lock before a migration is recorded: a
 * file may have called pg_advisory_unlock_all().
 */

#include "base/text.h"
#include "db/pgconn.h"

/* The key: from database, schema and table names. */
int64_t lock_key(const char *database, const char *schema, const char *table);

/* Statements, owned by `ctx`; each answers with one row of one bool column. */
struct pgconn_statement lock_try(const void *ctx, int64_t key);
struct pgconn_statement lock_release(const void *ctx, int64_t key);

/*
 * The same as a transaction lock, which a session that holds the lock always gets, for a string of
 * several statements: it answers with one row of one bool column.
 */
void lock_add_xact_try(struct text *sql, int64_t key);

/* Who holds it: at most one row; no right beyond CONNECT is needed. */
struct pgconn_statement lock_holder(const void *ctx, int64_t key);

/*
 * From the row of lock_holder: "pid 4711, migrationd from 10.0.0.7, since
 * 2026-11-20T05:58:12Z" into buf; "" when there is no row.
 */
void lock_holder_read(const PGresult *result, char *buf, size_t size);

/* The bool of lock_try and lock_release: the first column. False also for no row. */
bool lock_answer(const PGresult *result);

/*
 * How long to wait before the next try: grows from 50 ms to 1 s, half of it random.
 * `attempt` from 0.
 */
uint64_t lock_pause_ms(unsigned attempt);
