/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * One phase after the other: the state PHASE, and what a lenient phase does about a
 * failure.
 */

#include "base/log.h"
#include "base/mem.h"

/*
 * Whether the run goes on in spite of run->err. A person who told it to stop, and a lock
 * that is another's by now (our own word for it has no SQLSTATE), end it in any phase.
 */
static bool
is_forgivable(const struct runner *runner)
{
	const struct err *err = &runner->run->err;

	return err_is_set(err) && phase_is_lenient(runner->run->phase) &&
	    !runner_is_stopping(runner) &&
	    !(err->category == CAT_LOCK_TIMEOUT && err->sqlstate[0] == '\0');
}

static void
forgive(struct runner *runner, bool of_migration)
{
	struct run *run = runner->run;

	err_hint(&run->err,
	    "the run went on without it; mend it, then POST /apply tries it again");
	log_error_with(&run->err, "failed, and left out",
	    LOG_STR("phase", phase_name(run->phase)),
	    LOG_STR("migration", run->err.migration), LOG_STR("run", run->id));
	run_forgive(run, of_migration);
	run->in_doubt = false;
	runner->refused = false;
}

enum run_state
runner_after_failure(struct runner *runner)
{
	struct history_row row = { .failed = true, .error = runner->run->err.text };

	if (runner_step_now(runner) == NULL || !is_forgivable(runner))
		return RUN_PHASE;
	row.key = runner_step_now(runner)->migration->file;
	if (runner->table.kind->record_failure != NULL)
		history_add(runner->history, &row);
	forgive(runner, true);
	runner_next_step(runner);
	return runner_step_now(runner) != NULL ? runner_goes_on(runner) : RUN_PHASE;
}

unsigned
runner_find_phase(const struct runner *runner, unsigned phase)
{
	while (phase < PHASE_COUNT &&
	    (runner->folders[phase] == NULL ||
		!phase_is_asked(runner->run->asked_phases, phase)))
		phase++;
	return phase;
}

/* The first one behind the one in hand. */
static unsigned
find_next(const struct runner *runner)
{
	const struct run *run = runner->run;

	if (runner->repaired)
		return PHASE_COUNT;
	return runner_find_phase(
	    runner, run->phases[run->phase].begun ? run->phase + 1 : 0);
}

bool
runner_has_more_phases(const struct runner *runner)
{
	return find_next(runner) < PHASE_COUNT;
}

static enum run_state
phase_enter(struct runner *runner)
{
	struct run *run = runner->run;
	unsigned next = find_next(runner);

	if (is_forgivable(runner))
		forgive(runner, false);
	if (runner->folder != NULL)
		run_end_phase(run, runner->refused);
	if (err_is_set(&run->err) || next == PHASE_COUNT)
		return RUN_JOURNAL;
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	run_begin_phase(run, (enum phase)next);
	runner->folder = runner->folders[next];
	runner->table =
	    connect_tracking_table(runner->params, run->phase, &runner->engine);
	runner->history = NULL;
	TALLOC_FREE(runner->plan);
	/* the wait for the lock, or the phase before, may have taken long */
	return runner_needs_connection(runner) ? RUN_CONNECT : RUN_PREPARE;
}

const struct runner_step runner_step_phase = { phase_enter, NULL, NULL };
