/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What has to run: the state PLAN, and HOOK, in which the owner sees to something first.
 * Where the run comes back to its plan, the history also tells what became of a COMMIT
 * whose answer was lost, or of a migration that somebody else seemed to have applied.
 */

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static bool
is_recorded(const struct runner *runner, const char *id)
{
	const struct plan_item *item = plan_find(runner->plan, id);

	return item != NULL && item->row != NULL && !item->row->failed;
}

bool
runner_runs_again(const struct runner *runner)
{
	return phase_policy(runner->run->phase, &runner->params->policy).rerun !=
	    RERUN_NEVER;
}

/* What the rows say once the run is through with a migration. */
static bool
is_through(const struct runner *runner, const char *id)
{
	/* of what runs again a row may be of an earlier run: the witness knows */
	if (runner_runs_again(runner))
		return runner->doubt->committed;
	switch (runner->doubt->write) {
	case PLAN_REMOVE_ROW:
		return !is_recorded(runner, id);
	case PLAN_BLESS_ROW:
		return is_recorded(runner, id) &&
		    plan_find(runner->plan, id)->state != MIGRATION_MODIFIED;
	case PLAN_ADD_ROW:
	case PLAN_KEEP_ROW:
		break;
	}
	return is_recorded(runner, id);
}

/*
 * A COMMIT was sent and its answer lost. We hold the lock again, so the old session is gone and
 * the rows tell: those that are there were applied by this run, unless the server knows that its
 * transaction was rolled back: then another was quicker.
 */
static int
settle_doubt(struct runner *runner, struct err *err)
{
	const struct runner_doubt *doubt = runner->doubt;

	for (size_t i = 0; doubt != NULL && i < doubt->n; i++) {
		const struct migration *m = doubt->migrations[i];
		if (doubt->aborted)
			continue;
		if (is_through(runner, m->id)) {
			run_add_applied(runner->run, m, doubt->durations_us[i]);
			log_info("the lost COMMIT had come through",
			    LOG_STR("migration", m->id), LOG_STR("run", runner->run->id));
		} else if (doubt->committed) {
			return err_set(err, CAT_INTERNAL,
			    "the server says that %s was committed, but its row does not "
			    "say so",
			    m->id);
		}
	}
	TALLOC_FREE(runner->doubt);
	return 0;
}

/*
 * Another's migrator seemed to be quicker, and the rows tell. Each round finds one more
 * migration recorded, or is the last.
 */
static enum run_state
settle_overtaken(struct runner *runner)
{
	struct err why = *runner->overtaken;

	TALLOC_FREE(runner->overtaken);
	if (is_recorded(runner, why.migration)) {
		log_info("another's migrator applied it meanwhile",
		    LOG_STR("migration", why.migration), LOG_STR("run", runner->run->id));
		return RUN_PLAN;
	}
	while (runner_step_now(runner) != NULL &&
	    strcmp(runner_step_now(runner)->migration->id, why.migration) != 0)
		runner->step++;
	runner_fail(runner, &why);
	return RUN_NOTE;
}

/* What this run did, or left out, before it lost its connection is not tried again. */
static void
drop_done_steps(struct runner *runner)
{
	struct plan *plan = runner->plan;
	size_t n = 0;

	for (size_t i = 0; i < plan->n_steps; i++)
		if (!run_has_done(runner->run, plan->steps[i].migration->id))
			plan->steps[n++] = plan->steps[i];
	plan->n_steps = n;
}

struct plan *
runner_build_plan(const struct runner *runner, enum phase phase,
    const struct history *history, unsigned steps)
{
	const struct run *run = runner->run;
	struct plan_input input = {
		.folder = runner->folders[phase],
		.history = history,
		.policy = phase_policy(phase, &runner->params->policy),
		.operation = run->operation,
		.target = run->up_to,
		.force = run->force,
		.steps = steps,
		.only = run->only,
		.pooled = runner->engine.pooled,
		.spare_failed = run->by_itself && phase_is_lenient(phase),
		.dialect = runner->engine.dialect,
	};

	return plan_build(runner, &input);
}

/* `steps`: of a rollback that counts them, how many are left. */
static struct plan *
make_plan(struct runner *runner, unsigned steps)
{
	return runner_build_plan(runner, runner->run->phase, runner->history, steps);
}

/* It lost its connection at its last COMMIT: what it was about is not as it was any more. */
static bool
is_over(const struct run *run)
{
	return !run_goes_forward(run) && run->n_applied > 0 &&
	    run->n_applied == run->n_planned;
}

static enum run_state
refuse_rollback(struct runner *runner)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&err, CAT_CONFIGURATION,
	    "a row of %s.%s, a %s tracking table, cannot be taken back by migrationd",
	    runner->table.schema, runner->table.table, runner->table.kind->name);
	err_hint(&err, "%s",
	    runner->table.kind->stays_hint ? runner->table.kind->stays_hint
					   : "roll back with the tool whose table it is");
	runner->refused = true;
	return runner_fail(runner, &err);
}

static enum run_state
plan_enter(struct runner *runner)
{
	struct run *run = runner->run;
	struct err err = { 0 };
	bool is_first = runner->plan == NULL;
	bool is_older = runner->table.kind->upgrade != NULL;

	runner->plan = make_plan(runner, run->steps);
	if (settle_doubt(runner, &err) < 0)
		return runner_fail(runner, &err);
	if (is_over(run))
		return RUN_PHASE;
	if (run->steps > run->n_applied && run->n_applied > 0)
		runner->plan = make_plan(runner, run->steps - (unsigned)run->n_applied);
	drop_done_steps(runner);
	if (run->operation == PLAN_REPAIR)
		runner->plan->n_steps = 0;
	run_plan_phase(run, runner->plan->n_steps);
	runner->durations_us = mem_array(runner, int64_t, runner->plan->n_steps + 1);
	runner->step = 0;
	runner->segment = 0;
	if (runner->overtaken != NULL && settle_overtaken(runner) != RUN_PLAN)
		return RUN_NOTE;
	if (run->operation == PLAN_REPAIR && !is_older)
		return RUN_REPAIR;
	if (is_older && !err_is_set(&runner->plan->refusal))
		return runner_is_stopping(runner) ? runner_fail_stopped(runner)
						  : RUN_UPGRADE;
	for (size_t i = 0; is_first && i < runner->plan->n_problems; i++)
		if (!runner->plan->problems[i].blocks)
			run_add_warning(run, &runner->plan->problems[i].err);
	if (err_is_set(&runner->plan->refusal)) {
		runner->refused = true;
		return runner_fail(runner, &runner->plan->refusal);
	}
	if (runner->plan->n_steps == 0)
		return RUN_PHASE;
	if (run->operation == PLAN_ROLLBACK && runner->table.kind->forget == NULL)
		return refuse_rollback(runner);
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	runner->attempt = 0;
	return runner_announce(runner);
}

/* ---- HOOK: runner_go_on ends it ---- */

static enum run_state
hook_enter(struct runner *runner UNUSED)
{
	return RUN_HOOK;
}

const struct runner_step runner_step_plan = { plan_enter, NULL, NULL };
const struct runner_step runner_step_hook = { hook_enter, NULL, runner_fail_stopped };
