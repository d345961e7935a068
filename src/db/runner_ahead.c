/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What those are told who want to know of the plan before any of it is done: the state
 * AHEAD. It reads the tables of the phases behind the one in hand, which are planned again
 * when it is their turn; nothing is created, and a table that is not there has no rows.
 */

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	AHEAD_LOOK,
	AHEAD_ROWS
};

/* The outlook is complete. */
static enum run_state
tell(const struct runner *runner)
{
	const struct runner_events *events = &runner->events;

	return events->on_planned(events->arg, &runner->ahead->outlook)
	    ? RUN_HOOK
	    : runner_step_begins(runner);
}

enum run_state
runner_announce(struct runner *runner)
{
	enum phase phase = runner->run->phase;

	if (runner->ahead != NULL || runner->events.on_planned == NULL)
		return runner_step_begins(runner);
	runner->ahead = mem_zero(runner, struct runner_ahead);
	runner->ahead->outlook.plans[phase] = runner->plan;
	runner->ahead->phase = runner_find_phase(runner, phase + 1);
	return runner->ahead->phase == PHASE_COUNT ? tell(runner) : RUN_AHEAD;
}

static enum run_state
ahead_enter(struct runner *runner)
{
	struct runner_ahead *ahead = runner->ahead;
	struct pgconn_statement look = { 0 };

	ahead->table =
	    connect_tracking_table(runner->params, ahead->phase, &runner->engine);
	look = tracking_look(runner->scratch, &ahead->table);
	runner->stage = AHEAD_LOOK;
	runner_send(runner, &look);
	return RUN_AHEAD;
}

/* The phase in hand is done with: the next one. */
static enum run_state
ahead_next(struct runner *runner)
{
	struct runner_ahead *ahead = runner->ahead;

	ahead->phase = runner_find_phase(runner, ahead->phase + 1);
	return ahead->phase == PHASE_COUNT ? tell(runner) : ahead_enter(runner);
}

static enum run_state
ahead_is_known(struct runner *runner, const struct history *history)
{
	struct runner_ahead *ahead = runner->ahead;

	ahead->outlook.plans[ahead->phase] =
	    runner_build_plan(runner, ahead->phase, history, 0);
	return ahead_next(runner);
}

/* It will be asked again when it is its turn: that is when it matters. */
static enum run_state
ahead_is_unknown(struct runner *runner, const struct err *err)
{
	struct runner_ahead *ahead = runner->ahead;

	log_info("what a phase will do is not known yet",
	    LOG_STR("phase", phase_name(ahead->phase)), LOG_STR("error", err->text),
	    LOG_STR("run", runner->run->id));
	ahead->outlook.unknown |= PHASE_BIT(ahead->phase);
	return ahead_next(runner);
}

static enum run_state
ahead_looked(struct runner *runner, const PGresult *result)
{
	struct runner_ahead *ahead = runner->ahead;
	struct pgconn_statement read = { 0 };
	struct tracking_look look;
	struct err err = { 0 };

	tracking_read_look(ahead, result, &look);
	tracking_settle(&ahead->table, &look);
	if (!look.table_exists)
		return ahead_is_known(
		    runner, tracking_new_history(ahead, &ahead->table, clock_mono_us()));
	if (tracking_check(&ahead->table, &look, &err) < 0)
		return ahead_is_unknown(runner, &err);
	read = tracking_read(runner->scratch, &ahead->table);
	runner->stage = AHEAD_ROWS;
	runner_send(runner, &read);
	return RUN_AHEAD;
}

static enum run_state
ahead_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct runner_ahead *ahead = runner->ahead;
	struct history *history = NULL;
	struct err err = reply->err;

	if (reply->lost)
		return runner_fail(runner, &err);
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	if (err_is_set(&err))
		return ahead_is_unknown(runner, &err);
	if (runner->stage == AHEAD_LOOK)
		return ahead_looked(runner, reply->result);
	if (tracking_read_history(
		ahead, &ahead->table, reply->result, clock_mono_us(), &history, &err) < 0)
		return ahead_is_unknown(runner, &err);
	return ahead_is_known(runner, history);
}

const struct runner_step runner_step_ahead = { ahead_enter, ahead_answer, NULL };
