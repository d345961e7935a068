/* SPDX-License-Identifier: PostgreSQL */
#include "db/observer.h"

#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/observer_internal.h"

/* Answers to one question that say no more than that it has to be asked again. */
#define CONFLICTS 3

#define OBSERVER_MAGIC 0x4f425356u

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

/* Ask the question of this stage; or there is none left. */
static void
observer_enter(struct observer *observer, enum look_stage stage)
{
	observer->stage = stage;
	if (stage == LOOK_REPORT) {
		observer_report(observer);
		return;
	}
	observer->asked_mono_us = clock_mono_us();
	pgconn_run(observer->conn, &observer->question, on_reply, observer);
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

	/* of catalogs that were changed meanwhile, where a server says so: ask again */
	if (engine_is_conflict(&reply->err) && pgconn_is_open(observer->conn) &&
	    observer->conflicts++ < CONFLICTS) {
		observer_enter(observer, observer->stage);
		return;
	}
	observer->conflicts = 0;
	next = observer_read(observer, reply);
	if (!err_is_set(&reply->err))
		observer->failures = 0;
	else if (!pgconn_is_open(observer->conn))
		drop_connection(observer);
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
	observer->engine.profile = NULL; /* it may be another server this time */
	TALLOC_FREE(observer->words);
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
		observer_enter(observer, observer_begin(observer));
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
