/* SPDX-License-Identifier: PostgreSQL */
#include "db/monitor.h"

#include <assert.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/run_wait.h"
#include "db/connect.h"
#include "db/monitor_look.h"
#include "db/session.h"

#define MONITOR_MAGIC 0x4d4f4e49u

struct monitor {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer; /* to the next look, while a statement is watched */
	const struct target_params *params;
	struct run *run;
	uint64_t interval_ms;
	monitor_fn *fn;
	void *arg;

	struct pgconn *conn;
	bool waiting;      /* for an answer of the server */
	unsigned failures; /* in a row */

	bool watching;
	int backend_pid;  /* of the statement */
	unsigned watched; /* which statement: they are counted */
	unsigned asked;   /* the one that the question under way is about */
	bool told_to_yield;
	struct run_progress_start phase;

	/* whom the log named last */
	int blockers[RUN_BLOCKERS];
	unsigned n_blockers;
};

static void on_timer(uv_timer_t *timer);

static struct monitor *
monitor_of(void *arg)
{
	struct monitor *monitor = arg;

	assert(monitor->magic == MONITOR_MAGIC);
	return monitor;
}

/* ---- the log: one line for each change ---- */

static void
log_blockers(const struct run *run)
{
	char blocked[RUN_BLOCKED_TEXT];
	char remedy[RUN_REMEDY_TEXT];

	log_warning(run_blocked_text(run, blocked, sizeof(blocked)),
	    LOG_STR("query", run->blockers[0].query),
	    LOG_STR(
		"remedy", run_blocker_remedy(&run->blockers[0], remedy, sizeof(remedy))),
	    LOG_INT("blockers", run->n_blockers), LOG_INT("queued", run->n_queued),
	    LOG_STR("migration", run->current), LOG_STR("run", run->id));
}

static void
note_blockers(struct monitor *monitor)
{
	const struct run *run = monitor->run;
	bool differ = run->n_blockers != monitor->n_blockers;

	for (unsigned i = 0; i < run->n_blockers; i++) {
		differ = differ || run->blockers[i].pid != monitor->blockers[i];
		monitor->blockers[i] = run->blockers[i].pid;
	}
	monitor->n_blockers = run->n_blockers;
	if (!differ)
		return;
	if (run_is_blocked(run))
		log_blockers(run);
	else
		log_info("no longer waiting for other sessions",
		    LOG_STR("migration", run->current), LOG_STR("run", run->id));
}

/* ---- looking ---- */

static void
look_again(struct monitor *monitor)
{
	uint64_t pause_ms = monitor->interval_ms;

	if (!monitor->watching)
		return;
	if (monitor->failures > 0 && connect_pause_ms(monitor->failures) > pause_ms)
		pause_ms = connect_pause_ms(monitor->failures);
	uv_timer_start(&monitor->timer, on_timer, pause_ms, 0);
}

static void
drop_connection(struct monitor *monitor)
{
	pgconn_close(monitor->conn);
	monitor->conn = NULL;
	monitor->waiting = false;
}

/* The look gave nothing: whatever the cause, the next one may. */
static void
look_failed(struct monitor *monitor, const struct err *err)
{
	if (monitor->failures++ == 0)
		log_warning_with(err,
		    "cannot see what the statement waits for, trying again",
		    LOG_STR("run", monitor->run->id));
	if (monitor->conn != NULL && !pgconn_is_open(monitor->conn))
		drop_connection(monitor);
	look_again(monitor);
}

static bool
is_to_yield(struct monitor *monitor)
{
	const struct run *run = monitor->run;

	return monitor->params->yield_after > 0 &&
	    run->n_queued >= monitor->params->yield_after &&
	    strncmp(run->wait_event, "Lock:", 5) == 0 && !monitor->told_to_yield;
}

static void
look_read(struct monitor *monitor, const PGresult *result)
{
	struct run *run = monitor->run;
	enum monitor_verdict verdict = MONITOR_SEEN;

	monitor_look_read(result, run);
	if (run->has_progress)
		run_progress_measure(&run->progress, &monitor->phase, clock_mono_us());
	note_blockers(monitor);
	if (is_to_yield(monitor)) {
		monitor->told_to_yield = true;
		verdict = MONITOR_YIELD;
	}
	look_again(monitor);
	monitor->fn(monitor->arg, verdict);
}

static void
on_look(void *arg, const struct pgconn_reply *reply)
{
	struct monitor *monitor = monitor_of(arg);

	monitor->waiting = false;
	if (err_is_set(&reply->err)) {
		look_failed(monitor, &reply->err);
		return;
	}
	monitor->failures = 0;
	if (monitor->watching && monitor->asked == monitor->watched)
		look_read(monitor, reply->result);
	else
		look_again(monitor); /* it tells of a statement that has ended */
}

static void
look(struct monitor *monitor)
{
	void *ctx = mem_context(NULL, "look");

	monitor->waiting = true;
	monitor->asked = monitor->watched;
	pgconn_query(monitor->conn,
	    monitor_look_sql(
		ctx, pgconn_server_version(monitor->conn), monitor->backend_pid),
	    on_look, monitor);
	talloc_free(ctx);
}

/* ---- the connection ---- */

static void
on_ready(void *arg, const struct pgconn_reply *reply)
{
	struct monitor *monitor = monitor_of(arg);

	monitor->waiting = false;
	if (err_is_set(&reply->err)) {
		drop_connection(monitor);
		look_failed(monitor, &reply->err);
	} else if (monitor->watching) {
		look(monitor);
	}
}

static void
on_open(void *arg, const struct pgconn_reply *reply)
{
	struct monitor *monitor = monitor_of(arg);
	/* only an engine that tells what its sessions do is watched, and such take all */
	struct engine engine = {
		.can = ENGINE_SETTINGS,
		.version = pgconn_server_version(monitor->conn),
	};
	struct text settings;

	if (err_is_set(&reply->err)) {
		monitor->waiting = false;
		look_failed(monitor, &reply->err);
		return;
	}
	text_init(&settings, monitor, BOUND_SQL);
	session_add_settings(&settings, &engine);
	pgconn_query(monitor->conn, settings.data, on_ready, monitor);
	talloc_free(settings.data);
}

static void
on_lost(void *arg, const struct err *err UNUSED)
{
	drop_connection(monitor_of(arg));
}

static void
start_connect(struct monitor *monitor)
{
	struct err err = { 0 };

	monitor->waiting = true;
	monitor->conn = pgconn_new(monitor->loop);
	pgconn_on_lost(monitor->conn, on_lost, monitor);
	if (connect_start(monitor->conn, monitor->params, on_open, monitor, &err) == 0)
		return;
	drop_connection(monitor);
	look_failed(monitor, &err);
}

static void
on_timer(uv_timer_t *timer)
{
	struct monitor *monitor = monitor_of(timer->data);

	if (monitor->conn == NULL)
		start_connect(monitor);
	else
		look(monitor);
}

/* ---- */

struct monitor *
monitor_start(uv_loop_t *loop, const struct target_params *params, struct run *run,
    uint64_t interval_ms, monitor_fn *fn, void *arg)
{
	struct monitor *monitor = mem_zero(NULL, struct monitor);

	monitor->magic = MONITOR_MAGIC;
	monitor->loop = loop;
	monitor->params = params;
	monitor->run = run_ref(run);
	monitor->interval_ms = interval_ms;
	monitor->fn = fn;
	monitor->arg = arg;
	uv_timer_init(loop, &monitor->timer);
	monitor->timer.data = monitor;
	return monitor;
}

void
monitor_watch(struct monitor *monitor, int backend_pid)
{
	monitor->watching = true;
	monitor->backend_pid = backend_pid;
	monitor->watched++;
	monitor->told_to_yield = false;
	monitor->phase = (struct run_progress_start){ 0 };
	/* a question under way sees to the next look when it is answered */
	if (!monitor->waiting)
		look_again(monitor);
}

void
monitor_rest(struct monitor *monitor, const struct err *err)
{
	if (monitor == NULL || !monitor->watching)
		return;
	monitor->watching = false;
	uv_timer_stop(&monitor->timer);
	if (err->category == CAT_LOCK_TIMEOUT)
		return;
	run_wait_clear(monitor->run);
	monitor->n_blockers = 0;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct monitor *monitor = monitor_of(handle->data);

	run_unref(monitor->run);
	monitor->magic = 0;
	talloc_free(monitor);
}

void
monitor_close(struct monitor *monitor)
{
	if (monitor == NULL)
		return;
	drop_connection(monitor);
	uv_close((uv_handle_t *)&monitor->timer, on_timer_closed);
}
