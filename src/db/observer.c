/* SPDX-License-Identifier: PostgreSQL */
#include "db/observer.h"

#include <assert.h>
#include <stdio.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/connect.h"
#include "db/journal.h"
#include "db/lock.h"

#define OBSERVER_MAGIC 0x4f425356u

/*
 * A look is a row of questions; each is skipped where the answers before it make it
 * pointless.
 */
enum look_stage {
	LOOK_IDLE,
	LOOK_CONNECT,
	LOOK_PROBE,
	LOOK_TABLE,     /* is the tracking table there */
	LOOK_ROWS,      /* its rows */
	LOOK_HOLDER,    /* who holds the lock */
	LOOK_JOURNAL,   /* is our journal there */
	LOOK_BASELINED, /* which rows are baselines */
	LOOK_RUNS,      /* the newest runs, at the first look */
	LOOK_REPORT,
};

struct observer {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer;
	const struct target_params *params;
	uint64_t interval_ms;
	observer_fn *fn;
	void *arg;

	struct pgconn *conn;
	enum look_stage stage;
	unsigned failures; /* connects in a row that failed */
	bool again;        /* asked for while a look was under way */
	bool runs_read;
	bool was_reachable; /* to log the change, once */

	void *look; /* memory of the look in progress */
	struct engine engine;
	struct tracking_table table;
	bool journal_exists;
	struct observation seen;
};

static struct observer *
observer_of(void *arg)
{
	struct observer *observer = arg;

	assert(observer->magic == OBSERVER_MAGIC);
	return observer;
}

static void on_reply(void *arg, const struct pgconn_reply *reply);
static void on_timer(uv_timer_t *timer);

/* When to look next: soon after failed connects, then at the interval. */
static uint64_t
next_pause_ms(const struct observer *observer)
{
	uint64_t pause_ms = observer->interval_ms;

	if (observer->failures > 0 && connect_pause_ms(observer->failures) < pause_ms)
		pause_ms = connect_pause_ms(observer->failures);
	return pause_ms;
}

static void
log_reachable(struct observer *observer)
{
	const struct database_facts *facts = &observer->seen.database;

	if (facts->reachable && !observer->was_reachable)
		log_info("database reachable", LOG_STR("database", facts->name),
		    LOG_STR("server", facts->server_version));
	if (!facts->reachable && (observer->was_reachable || observer->failures == 1))
		log_warning_with(&facts->err, "database not reachable");
	observer->was_reachable = facts->reachable;
}

/* The look is over: say what was seen, and when to look again. */
static void
observer_report(struct observer *observer)
{
	log_reachable(observer);
	/* who is told may ask for the next look, or close */
	observer->fn(observer->arg, &observer->seen);
	talloc_free(observer->look);
	observer->look = NULL;
	observer->seen = (struct observation){ 0 };
	observer->stage = LOOK_IDLE;
	if (uv_is_closing((const uv_handle_t *)&observer->timer))
		return;
	/* a pause of 0 would end in this turn of the loop, and could keep it from others */
	uv_timer_start(
	    &observer->timer, on_timer, observer->again ? 1 : next_pause_ms(observer), 0);
	observer->again = false;
}

static void
send_statement(struct observer *observer, struct pgconn_statement statement)
{
	pgconn_run(observer->conn, &statement, on_reply, observer);
}

/* As a run would choose it. */
static struct lock
lock_of(const struct observer *observer)
{
	struct lock lock;

	lock_init(&lock, observer->params->lock_mode, observer->engine.pooled,
	    lock_key(
		observer->engine.database, observer->table.schema, observer->table.table),
	    observer->params->instance);
	return lock;
}

static void
send_holder(struct observer *observer)
{
	struct lock lock = lock_of(observer);

	send_statement(observer, lock.ops->holder(observer->look, &lock));
}

/* Ask the next question. */
static void
observer_enter(struct observer *observer, enum look_stage stage)
{
	observer->stage = stage;
	switch (stage) {
	case LOOK_PROBE:
		send_statement(observer, *engine_query());
		break;
	case LOOK_TABLE:
		send_statement(observer, tracking_look(observer->look, &observer->table));
		break;
	case LOOK_ROWS:
		send_statement(observer,
		    observer->table.kind->read(observer->look, &observer->table));
		break;
	case LOOK_HOLDER:
		send_holder(observer);
		break;
	case LOOK_JOURNAL:
		send_statement(observer, *journal_look());
		break;
	case LOOK_BASELINED:
		send_statement(
		    observer, journal_baselined(observer->look, observer->params->name));
		break;
	case LOOK_RUNS:
		send_statement(observer,
		    journal_recent(
			observer->look, observer->params->name, BOUND_RUNS_KEPT));
		break;
	case LOOK_IDLE:
	case LOOK_CONNECT:
	case LOOK_REPORT:
		observer_report(observer);
		break;
	}
}

/* ---- what the answers mean; each gives the next question ---- */

static enum look_stage
read_probe(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	struct tracking_facts *tracking = &seen->tracking;

	if (engine_read(&observer->engine, observer->conn, reply->result,
		&seen->database.err) < 0)
		return LOOK_REPORT;
	engine_to_facts(&observer->engine, &seen->database);
	seen->database.reachable = true;
	seen->database.refreshed_at_us = clock_now_us();
	observer->table = connect_tracking_table(observer->params, &observer->engine);
	tracking->kind = observer->table.kind->name;
	snprintf(tracking->table, sizeof(tracking->table), "%s.%s",
	    observer->table.schema, observer->table.table);
	return LOOK_TABLE;
}

static enum look_stage
read_table(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	struct tracking_look look;

	tracking_read_look(observer->look, reply->result, &look);
	seen->tracking.exists = look.table_exists;
	if (!look.table_exists) {
		seen->history = tracking_new_history(
		    observer->look, &observer->table, clock_now_us());
		return LOOK_HOLDER;
	}
	if (tracking_check(&observer->table, &look, &seen->database.err) < 0)
		return LOOK_HOLDER;
	return LOOK_ROWS;
}

static enum look_stage
read_rows(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;

	if (tracking_read_history(observer->look, &observer->table, reply->result,
		clock_now_us(), &seen->history, &seen->database.err) == 0)
		seen->history->table_exists = true;
	return LOOK_HOLDER;
}

static enum look_stage
read_holder(struct observer *observer, const struct pgconn_reply *reply)
{
	struct lock_facts *lock = &observer->seen.lock;

	lock_of(observer).ops->read_holder(
	    reply->result, lock->holder, sizeof(lock->holder));
	lock->held = lock->holder[0] != '\0';
	return observer->params->journal ? LOOK_JOURNAL : LOOK_REPORT;
}

static enum look_stage
read_journal(struct observer *observer, const struct pgconn_reply *reply)
{
	bool may_create;

	journal_read_look(reply->result, &observer->journal_exists, &may_create);
	return observer->journal_exists ? LOOK_BASELINED : LOOK_REPORT;
}

static enum look_stage
read_baselined(struct observer *observer, const struct pgconn_reply *reply)
{
	if (observer->seen.history != NULL)
		for (int i = 0; i < PQntuples(reply->result); i++)
			history_mark_baseline(
			    observer->seen.history, PQgetvalue(reply->result, i, 0));
	return observer->runs_read ? LOOK_REPORT : LOOK_RUNS;
}

static enum look_stage
read_runs(struct observer *observer, const struct pgconn_reply *reply)
{
	struct observation *seen = &observer->seen;
	int n = PQntuples(reply->result);

	seen->runs = mem_array(observer->look, struct run *, (size_t)n + 1);
	for (int i = 0; i < n; i++)
		seen->runs[seen->n_runs++] = journal_read_run(reply->result, i);
	observer->runs_read = true;
	return LOOK_REPORT;
}

/* Which question comes next although this one had no answer; REPORT when none can. */
static enum look_stage
stage_without_answer(const struct observer *observer)
{
	if (observer->stage == LOOK_TABLE || observer->stage == LOOK_ROWS)
		return LOOK_HOLDER;
	if (observer->stage == LOOK_HOLDER && observer->params->journal)
		return LOOK_JOURNAL;
	return LOOK_REPORT;
}

/*
 * A question failed. The server may be fine all the same: it is our rights that end
 * here.
 */
static enum look_stage
read_failure(struct observer *observer, const struct pgconn_reply *reply)
{
	struct database_facts *facts = &observer->seen.database;
	bool about_history = observer->stage <= LOOK_ROWS;

	if (reply->lost || observer->stage <= LOOK_PROBE) {
		facts->err = reply->err;
		facts->reachable = false;
		return LOOK_REPORT;
	}
	if (about_history)
		facts->err = reply->err;
	return stage_without_answer(observer);
}

static enum look_stage
read_answer(struct observer *observer, const struct pgconn_reply *reply)
{
	switch (observer->stage) {
	case LOOK_CONNECT:
		return LOOK_PROBE;
	case LOOK_PROBE:
		return read_probe(observer, reply);
	case LOOK_TABLE:
		return read_table(observer, reply);
	case LOOK_ROWS:
		return read_rows(observer, reply);
	case LOOK_HOLDER:
		return read_holder(observer, reply);
	case LOOK_JOURNAL:
		return read_journal(observer, reply);
	case LOOK_BASELINED:
		return read_baselined(observer, reply);
	case LOOK_RUNS:
		return read_runs(observer, reply);
	case LOOK_IDLE:
	case LOOK_REPORT:
		break;
	}
	return LOOK_REPORT;
}

static void
drop_connection(struct observer *observer)
{
	pgconn_close(observer->conn);
	observer->conn = NULL;
	observer->failures++;
}

static void
on_reply(void *arg, const struct pgconn_reply *reply)
{
	struct observer *observer = observer_of(arg);
	enum look_stage next;

	if (err_is_set(&reply->err)) {
		next = read_failure(observer, reply);
		if (!pgconn_is_open(observer->conn))
			drop_connection(observer);
	} else {
		observer->failures = 0;
		next = read_answer(observer, reply);
	}
	observer_enter(observer, next);
}

/*
 * The idle connection is gone: look at once, which connects again or says that the
 * server is away.
 */
static void
on_lost(void *arg, const struct err *err UNUSED)
{
	struct observer *observer = observer_of(arg);

	drop_connection(observer);
	observer->failures = 0;
	observer_look(observer);
}

static void
start_connect(struct observer *observer)
{
	struct err err = { 0 };

	observer->stage = LOOK_CONNECT;
	observer->conn = pgconn_new(observer->loop);
	pgconn_on_lost(observer->conn, on_lost, observer);
	if (connect_start(observer->conn, observer->params, on_reply, observer, &err) ==
	    0)
		return;
	drop_connection(observer);
	observer->seen.database.err = err;
	observer->stage = LOOK_REPORT;
	uv_timer_start(&observer->timer, on_timer, 0, 0);
}

void
observer_look(struct observer *observer)
{
	if (observer->stage != LOOK_IDLE) {
		observer->again = true;
		return;
	}
	observer->look = mem_context(observer, "look");
	observer->seen.database.looked = true;
	if (observer->conn == NULL)
		start_connect(observer);
	else
		observer_enter(observer, LOOK_PROBE);
}

static void
on_timer(uv_timer_t *timer)
{
	struct observer *observer = observer_of(timer->data);

	if (observer->stage == LOOK_IDLE)
		observer_look(observer);
	else if (observer->stage == LOOK_REPORT)
		observer_report(observer);
}

struct observer *
observer_new(uv_loop_t *loop, const struct target_params *params, uint64_t interval_ms,
    observer_fn *fn, void *arg)
{
	struct observer *observer = mem_zero(NULL, struct observer);

	observer->magic = OBSERVER_MAGIC;
	observer->loop = loop;
	observer->params = params;
	observer->interval_ms = interval_ms;
	observer->fn = fn;
	observer->arg = arg;
	uv_timer_init(loop, &observer->timer);
	observer->timer.data = observer;
	uv_timer_start(&observer->timer, on_timer, 0, 0);
	return observer;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct observer *observer = observer_of(handle->data);

	observer->magic = 0;
	talloc_free(observer);
}

void
observer_close(struct observer *observer)
{
	if (observer == NULL)
		return;
	pgconn_close(observer->conn);
	observer->conn = NULL;
	uv_close((uv_handle_t *)&observer->timer, on_timer_closed);
}
