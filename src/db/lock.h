/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The lock: one per database and tracking table. Where the connection that executes has
 * a server session to itself it is a session advisory lock on that connection; behind a
 * pooler it is a lease (db/lease.h). Which of the two is the business of this module:
 *
 *	struct lock lock;
 *
 *	lock_init(&lock, params->lock_mode, &engine, key, params->instance);
 *	lock_name(&lock, params->process, run->id);
 *	lock.ops->look         send it, unless NULL; create what is absent; rows
 *	lock.ops->try          send it, until lock_tried says that it is ours
 *	lock.ops->renew        every renew_ms over another connection, unless NULL
 *	lock.ops->add_guard    in each transaction, before the migration's row
 *	lock_is_sure           before a statement that runs outside a transaction
 *	lock.ops->release
 *
 * It is polled with jitter, never waited for inside PostgreSQL: a waiter would be a
 * snapshot that CREATE INDEX CONCURRENTLY of the holder waits for, which is a deadlock.
 * The same key is taken once more as a transaction lock before a migration is recorded: a
 * file may have called pg_advisory_unlock_all().
 */

#include "base/digest.h"
#include "base/text.h"
#include "db/engine.h"
#include "db/pgconn.h"
#include "db/target_params.h"

struct lock_ops;

struct lock {
	const struct lock_ops *ops;
	int64_t key;
	bool pooled;
	unsigned can; /* of the engine */
	/* of this holder and no other, ever: the process, a slash, a number of 20 digits */
	char token[UUID_TEXT + 21];
	char process[UUID_TEXT];
	char holder[256]; /* what others are told of it */
	/* when the last try or renewal that was granted had been sent; 0: none was */
	int64_t granted_mono_us;
};

struct lock_ops {
	const char *name; /* "advisory" */

	/*
	 * What has to be there first; NULL: nothing. `look` answers as journal_look does;
	 * `create` is DDL, `rows` is not. And what to do where the rights to its table are missing.
	 */
	struct pgconn_statement (*look)(const void *ctx, const struct lock *lock);
	struct pgconn_statement (*create)(const void *ctx, bool schema_exists);
	struct pgconn_statement (*rows)(const void *ctx, const struct lock *lock);
	const char *prepare_hint;

	/* One row of one bool each (lock_tried, lock_answer); owned by `ctx`. */
	struct pgconn_statement (*try)(const void *ctx, const struct lock *lock);
	struct pgconn_statement (*release)(const void *ctx, const struct lock *lock);

	/*
	 * Appends a SELECT of one bool to a query string that is sent inside a
	 * migration's transaction: whether the lock is ours until that ends. More
	 * columns may be added behind. And what may have happened if it is not.
	 */
	void (*add_guard)(struct text *sql, const struct lock *lock);
	const char *lost_hint;

	/* Who holds it, as a text into buf: "" for nobody. */
	struct pgconn_statement (*holder)(const void *ctx, const struct lock *lock);
	void (*read_holder)(const PGresult *result, char *buf, size_t size);

	/* Keep it: a row of one bool, or no row when it is lost. NULL: it keeps itself. */
	struct pgconn_statement (*renew)(const void *ctx, const struct lock *lock);
	uint64_t renew_ms;
	int64_t sure_us; /* as long as that after it was granted nobody else has it */
};

/*
 * Choose: a pooler may hand each transaction to another server session, and nothing says
 * whether it does, so LOCK_MODE_AUTO takes a lease behind any. Where the engine has no
 * advisory locks, or some that exclude nobody, it is a lease whatever `mode` says. `instance`
 * may be NULL.
 */
void lock_init(struct lock *lock, enum target_lock_mode mode, const struct engine *engine,
    int64_t key, const char *instance);

/*
 * Who it is for: a run of a process, which takes over at once what an earlier run of that
 * process left; the earlier is the one that was named earlier. `process` "": there is none,
 * and it is called by its run.
 */
void lock_name(struct lock *lock, const char *process, const char *run_id);

/*
 * The answer to `try`, which was sent at `sent_mono_us`. CONFIGURATION when the session
 * had the lock already although we only now asked for it: then a pooler gives one
 * session to several clients, and an advisory lock excludes nobody.
 */
int lock_tried(struct lock *lock, const PGresult *result, int64_t sent_mono_us,
    bool *ours, struct err *err) MUST_CHECK;

/* The answer to `renew`, which was sent at `sent_mono_us`; false: lost, and for good. */
bool lock_renewed(struct lock *lock, const PGresult *result, int64_t sent_mono_us);

/* Whether nobody else can have it at this moment, as far as clocks tell. */
bool lock_is_sure(const struct lock *lock, int64_t now_mono_us);

/* The key: from database, schema and table names. */
int64_t lock_key(const char *database, const char *schema, const char *table);

/* The bool of a try, release or guard: the first column. False also for no row. */
bool lock_answer(const PGresult *result);

/*
 * How long to wait before the next try: grows from 50 ms to 1 s, half of it random.
 * `attempt` from 0.
 */
uint64_t lock_pause_ms(unsigned attempt);
