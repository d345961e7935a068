/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner.h"

#include <assert.h>
#include <stdio.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/runner_steps.h"

#define RUNNER_MAGIC 0x52554e52u

static const struct runner_step *const step_table[RUN_STATE_COUNT] = {
	[RUN_CONNECT] = &runner_step_connect,
	[RUN_PROBE] = &runner_step_probe,
	[RUN_LOCK] = &runner_step_lock,
	[RUN_PHASE] = &runner_step_phase,
	[RUN_PREPARE] = &runner_step_prepare,
	[RUN_HISTORY] = &runner_step_history,
	[RUN_PLAN] = &runner_step_plan,
	[RUN_UPGRADE] = &runner_step_upgrade,
	[RUN_AHEAD] = &runner_step_ahead,
	[RUN_HOOK] = &runner_step_hook,
	[RUN_REPAIR] = &runner_step_repair,
	[RUN_RESUME] = &runner_step_resume,
	[RUN_BATCH] = &runner_step_batch,
	[RUN_BEGIN] = &runner_step_begin,
	[RUN_PART] = &runner_step_part,
	[RUN_MARK] = &runner_step_mark,
	[RUN_RECORD] = &runner_step_record,
	[RUN_COMMIT] = &runner_step_commit,
	[RUN_PACE] = &runner_step_pace,
	[RUN_INTENT] = &runner_step_intent,
	[RUN_ALONE] = &runner_step_alone,
	[RUN_OUTCOME] = &runner_step_outcome,
	[RUN_RETRY] = &runner_step_retry,
	[RUN_ROLLBACK] = &runner_step_rollback,
	[RUN_NOTE] = &runner_step_note,
	[RUN_JOURNAL] = &runner_step_journal,
	[RUN_UNLOCK] = &runner_step_unlock,
};

static struct runner *
runner_of(void *arg)
{
	struct runner *runner = arg;

	assert(runner->magic == RUNNER_MAGIC);
	return runner;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct runner *runner = runner_of(handle->data);

	for (size_t i = 0; i < PHASE_COUNT; i++)
		folder_unref(runner->folders[i]);
	run_unref(runner->run);
	runner->magic = 0;
	talloc_free(runner);
}

/*
 * The migration that failed by its own fault is parked with the content that it has here. One
 * whose way back failed is applied as before.
 */
void
runner_conclude(struct runner *runner)
{
	struct run *run = runner->run;
	const struct migration *m = NULL;

	run_conclude(run, runner->refused, clock_now_us(), clock_mono_us());
	if (run_goes_forward(run) && runner->folder != NULL &&
	    (run->outcome == RUN_FAILED || run->in_doubt) &&
	    run->err.migration[0] != '\0' && !category_is_retryable(run->err.category))
		m = folder_find(runner->folder, run->err.migration);
	if (m != NULL)
		snprintf(run->failed_checksum, sizeof(run->failed_checksum), "%s",
		    m->checksum);
}

/* The run is over: tell the owner, let everything go. */
static void
runner_end(struct runner *runner)
{
	struct runner_events events = runner->events;

	if (runner->seen.histories[PHASE_SCHEMA] != NULL && pgconn_is_open(runner->conn))
		engine_to_facts(&runner->engine, &runner->seen.database);
	monitor_close(runner->monitor);
	keeper_close(runner->keeper);
	runner->keeper = NULL;
	pgconn_close(runner->conn);
	runner->conn = NULL;
	runner_conclude(runner);
	run_set_state(runner->run, RUN_DONE);
	uv_timer_stop(&runner->timer);
	events.on_done(events.arg, &runner->seen);
	uv_close((uv_handle_t *)&runner->timer, on_timer_closed);
}

/* Enter `state`, and the states behind it, until one waits for an answer. */
static void
runner_go(struct runner *runner, enum run_state state)
{
	while (state != RUN_DONE) {
		run_set_state(runner->run, state);
		talloc_free_children(runner->scratch);
		runner->stage = 0;
		enum run_state next = step_table[state]->enter(runner);
		if (next == state)
			break;
		state = next;
	}
	if (state == RUN_DONE)
		runner_end(runner);
	else
		runner->events.on_change(runner->events.arg);
}

/* A step said what comes next. */
static void
runner_follow(struct runner *runner, enum run_state next)
{
	if (next == runner->run->state)
		runner->events.on_change(runner->events.arg);
	else
		runner_go(runner, next);
}

void
runner_on_reply(void *arg, const struct pgconn_reply *reply)
{
	struct runner *runner = runner_of(arg);

	monitor_rest(runner->monitor, &reply->err);
	if (runner_sends_more(runner, reply))
		return;
	runner_follow(runner, step_table[runner->run->state]->answer(runner, reply));
}

static void
on_monitor(void *arg, enum monitor_verdict verdict)
{
	struct runner *runner = runner_of(arg);

	/* only what can be rolled back and tried again as a whole */
	if (verdict == MONITOR_YIELD && runner->run->state == RUN_PART) {
		runner->yielded = true;
		pgconn_cancel(runner->conn);
	}
	runner->events.on_change(runner->events.arg);
}

/* A statement of a migration, which may take hours, is looked at from outside. */
void
runner_watch(struct runner *runner)
{
	if (runner->engine.pooled || !engine_can(&runner->engine, ENGINE_ACTIVITY))
		return;
	if (runner->monitor == NULL)
		runner->monitor = monitor_start(runner->loop, runner->params, runner->run,
		    MONITOR_INTERVAL_MS, on_monitor, runner);
	monitor_watch(runner->monitor, pgconn_backend_pid(runner->conn));
}

static void
on_timer(uv_timer_t *timer)
{
	struct runner *runner = runner_of(timer->data);

	if (runner->outbox.again) {
		runner_send_again(runner);
		return;
	}
	talloc_free_children(runner->scratch);
	runner_follow(runner, step_table[runner->run->state]->resume(runner));
}

/* Whether there is no need to connect at all. */
static bool
ends_before_it_begins(struct runner *runner)
{
	struct run *run = runner->run;
	const struct folder_problem *blocker =
	    phase_blocker(run->asked_phases, runner->folders);

	if (runner_is_stopping(runner)) {
		err_set(&run->err, CAT_CANCELLED, "cancelled before it began: %s",
		    runner->stop_reason);
	} else if (blocker != NULL) {
		run->err = blocker->err;
		runner->refused = true;
	}
	return err_is_set(&run->err);
}

/*
 * The first step, from the loop: the caller of runner_start sees no event before it
 * returns.
 */
static void
on_start(uv_timer_t *timer)
{
	struct runner *runner = runner_of(timer->data);

	runner_go(runner, ends_before_it_begins(runner) ? RUN_DONE : RUN_CONNECT);
}

static void
on_notice(void *arg, const char *severity, const char *sqlstate, const char *message)
{
	struct runner *runner = runner_of(arg);

	if (runner->notices++ >= BOUND_NOTICES_PER_RUN)
		return;
	log_info("notice from the server", LOG_STR("severity", severity),
	    LOG_STR("sqlstate", sqlstate), LOG_STR("notice", message),
	    LOG_STR("migration", runner->run->current), LOG_STR("run", runner->run->id));
}

void
runner_connect(struct runner *runner)
{
	struct err err = { 0 };

	pgconn_close(runner->conn);
	runner->conn = pgconn_new(runner->loop);
	pgconn_on_notice(runner->conn, on_notice, runner);
	if (connect_start(runner->conn, runner->params, runner_on_reply, runner, &err) <
	    0) {
		err.exit_code = EXIT_CONFIGURATION;
		runner->run->err = err;
		runner_pause(runner, 0);
	}
}

void
runner_pause(struct runner *runner, uint64_t pause_ms)
{
	uv_timer_start(&runner->timer, on_timer, pause_ms, 0);
}

/* Whether what is sent there changes something outside a transaction of a migration. */
static bool
is_unfenced(enum run_state state)
{
	return state == RUN_REPAIR || state == RUN_RESUME || state == RUN_INTENT ||
	    state == RUN_ALONE || state == RUN_OUTCOME || state == RUN_NOTE;
}

enum run_state
runner_fail(struct runner *runner, const struct err *err)
{
	struct run *run = runner->run;

	if (!err_is_set(&run->err))
		run->err = *err;
	run_place_error(run);
	/*
	 * The server says 57014 for a cancel as for a timeout; only we know which
	 * it was.
	 */
	if (runner->cancelled && run->err.category == CAT_STATEMENT_TIMEOUT) {
		run->err.category = CAT_CANCELLED;
		err_hint(&run->err, "%s", runner->stop_reason);
	}
	if (runner->doubt != NULL)
		err_hint(&run->err,
		    "whether %s was committed is not known; the next %s reads the "
		    "tracking table and goes on from there",
		    runner->doubt->migrations[0]->id, run_operation_name(run->operation));
	if (runner->conn == NULL || !pgconn_is_open(runner->conn)) {
		run->left_unfenced = is_unfenced(run->state);
		return RUN_DONE;
	}
	return run_on_fail(run->state);
}

bool
runner_needs_connection(const struct runner *runner)
{
	int64_t max_age_ms = runner->params->connection_max_age_ms;

	if (max_age_ms == 0)
		max_age_ms = runner->engine.profile->max_age_ms;
	return runner->session_changed ||
	    (max_age_ms > 0 &&
		clock_mono_us() - runner->connected_mono_us >= max_age_ms * 1000);
}

enum run_state
runner_goes_on(const struct runner *runner)
{
	return runner_needs_connection(runner) ? RUN_CONNECT : runner_step_begins(runner);
}

/* Told to stop: the run ends where it is. */
enum run_state
runner_fail_stopped(struct runner *runner)
{
	struct err err = { 0 };

	err_set(&err, CAT_CANCELLED, "cancelled before it was complete: %s",
	    runner->stop_reason);
	if (runner->doubt == NULL)
		err_hint(&err, "nothing is half done; POST /%s goes on from here",
		    run_operation_name(runner->run->operation));
	return runner_fail(runner, &err);
}

bool
runner_is_stopping(const struct runner *runner)
{
	return runner->finish_early || runner->cancelled;
}

const struct plan_step *
runner_step_now(const struct runner *runner)
{
	if (runner->plan == NULL || runner->step >= runner->plan->n_steps)
		return NULL;
	return &runner->plan->steps[runner->step];
}

/* What the file SET stays, well or not, where a session cannot be reset. */
static void
note_session(struct runner *runner)
{
	const struct script *script = runner_script(runner);

	if (engine_can(&runner->engine, ENGINE_SETTINGS))
		return;
	/* a plain file is not looked into: the next one is not to suffer from it */
	runner->session_changed = script == NULL && runner->run->operation == PLAN_APPLY;
	for (size_t i = 0; script != NULL && i < script->n_statements; i++)
		runner->session_changed |= script->statements[i].class.sets_session;
}

void
runner_next_step(struct runner *runner)
{
	note_session(runner);
	runner->step++;
	runner->segment = 0;
	runner->attempt = 0;
}

struct runner *
runner_start(uv_loop_t *loop, const struct target_params *params, struct run *run,
    struct folder *const folders[PHASE_COUNT], const struct runner_events *events)
{
	struct runner *runner = mem_zero(NULL, struct runner);

	runner->magic = RUNNER_MAGIC;
	runner->loop = loop;
	runner->params = params;
	runner->run = run_ref(run);
	for (size_t i = 0; i < PHASE_COUNT; i++)
		if (folders[i] != NULL)
			runner->folders[i] = folder_ref(folders[i]);
	runner->events = *events;
	runner->scratch = mem_context(runner, "step");
	uv_timer_init(loop, &runner->timer);
	runner->timer.data = runner;
	uv_timer_start(&runner->timer, on_start, 0, 0);
	return runner;
}

/* In a pause, or waiting for a server that may never answer: the run can end at once. */
static bool
runner_is_waiting(const struct runner *runner)
{
	return runner->run->state == RUN_CONNECT || runner->run->state == RUN_HOOK ||
	    (uv_is_active((const uv_handle_t *)&runner->timer) != 0 &&
		runner->run->state != RUN_NEW);
}

void
runner_finish_early(struct runner *runner, const char *reason)
{
	runner->finish_early = true;
	if (runner->stop_reason == NULL)
		runner->stop_reason = mem_strdup(runner, reason);
	if (runner_is_waiting(runner))
		runner_pause(runner, 0);
}

void
runner_go_on(void *arg, const struct err *err)
{
	struct runner *runner = runner_of(arg);

	if (runner->run->state != RUN_HOOK) /* told to stop meanwhile, and is ending */
		return;
	uv_timer_stop(&runner->timer); /* told to stop in this very turn */
	if (runner_is_stopping(runner)) {
		runner_follow(runner, runner_fail_stopped(runner));
	} else if (err_is_set(err)) {
		runner->refused = true;
		runner_follow(runner, runner_fail(runner, err));
	} else {
		runner_follow(runner, runner_goes_on(runner));
	}
}

void
runner_cancel(struct runner *runner, const char *reason)
{
	enum run_state state = runner->run->state;

	runner->cancelled = true;
	runner_finish_early(runner, reason);
	/*
	 * What follows a migration (note, journal, unlock) is short and is left to
	 * end by itself; so are the notes around a statement that runs alone, or
	 * nobody would know what became of it.
	 */
	if (runner->conn != NULL && state < RUN_ROLLBACK && state != RUN_INTENT &&
	    state != RUN_OUTCOME)
		pgconn_cancel(runner->conn);
}

void
runner_lock_lost(void *arg)
{
	struct runner *runner = runner_of(arg);

	if (!err_is_set(&runner->run->err))
		err_set(&runner->run->err, CAT_LOCK_TIMEOUT,
		    "the lock was lost during the run: %s", runner->lock.ops->lost_hint);
	runner_cancel(runner, "the lock was lost");
}
