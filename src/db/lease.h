/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The lock where a session cannot keep one, behind a pooler that hands out server
 * sessions by the transaction: two rows of migrationd.locks for each tracking table.
 *
 *	lease/KEY   who may work; for LEASE_TTL_S by the server's clock, renewed from
 *	            a connection of its own every LEASE_RENEW_MS
 *	fence/KEY   who wrote last; locked by each migration's transaction before its
 *	            row is written, until COMMIT
 *
 * The lease alone would not do: a holder that stood still for longer than it lasts would
 * write when it wakes. The fence is what it trips over: whoever takes the lease writes
 * its token there too, and cannot while a transaction of the holder before has it
 * locked. Two rows, so that the renewal does not wait for the holder's own transaction.
 *
 * A run whose connection is lost cannot give its lease back. The next one of the same
 * process takes it over at once: the token names the process and counts its runs, so
 * nothing that the earlier one has sent, and that arrives late, takes it back. What is
 * left of that one is kept out as any holder's is: a transaction of its own at COMMIT has
 * the fence locked, an earlier one finds another token there. A statement that runs
 * outside a transaction has no fence: where one of those may go on, the process takes
 * another name (run->left_unfenced), and the lease has to run out.
 *
 * No statement here waits for a lock longer than a renewal takes; each is one
 * transaction, whatever isolation level the role is set to.
 *
 * What is not covered: a statement that runs outside a transaction has no fence. It is
 * sent only while the lease is sure (lock_is_sure), but may be on its way when the lease
 * ends.
 */

#include "db/lock.h"

#define LEASE_TTL_S     30
#define LEASE_RENEW_MS  10000
#define LEASE_MARGIN_US INT64_C(5000000) /* before its end it counts as lost */

/*
 * Make table and rows unless they are there: no right to create is needed then.
 * INSERT, UPDATE and SELECT on migrationd.locks are.
 */
struct pgconn_statement lease_look(const void *ctx, const struct lock *lock);
struct pgconn_statement lease_create(const void *ctx, bool schema_exists);
struct pgconn_statement lease_rows(const void *ctx, const struct lock *lock);

/*
 * Take it: when it is free, has run out, or is ours or an earlier run's of this process
 * (after a lost connection), and no transaction of an earlier holder is open. One row of
 * one bool.
 */
struct pgconn_statement lease_try(const void *ctx, const struct lock *lock);

/* Each answers with a row "t", or none when it is no longer ours. */
struct pgconn_statement lease_renew(const void *ctx, const struct lock *lock);
struct pgconn_statement lease_release(const void *ctx, const struct lock *lock);

/*
 * Inside a transaction: lock the fence until its end. Appends a SELECT of one bool,
 * whether it is ours; more columns may be added behind.
 */
void lease_add_guard(struct text *sql, const struct lock *lock);

/* Who has it: a row, or none. 42P01 where there never was a lease. */
struct pgconn_statement lease_holder(const void *ctx, const struct lock *lock);

/*
 * From that row: "migrationd pod-1, pid 4711 on node-3, since 2026-11-20T05:58:12Z,
 * lease ends in 17 s unless renewed" into buf; "" when there is no row.
 */
void lease_holder_read(const PGresult *result, char *buf, size_t size);
