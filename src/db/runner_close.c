/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * The end of a run: the states JOURNAL and UNLOCK.
 */

#include "base/clock.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/lock.h"

/*
 * ---- JOURNAL: our own notes; where they cannot be written, the run is none the
 * worse ----
 */

enum {
	JOURNAL_LOOK,
	JOURNAL_CREATE,
	JOURNAL_INSERT
};

static enum run_state
journal_enter(struct runner *runner)
{
	run_conclude(runner->run, runner->refused, clock_now_us(), clock_mono_us());
	/*
	 * A run that found nothing to do leaves no trace: fifty pods may call at
	 * once, every day.
	 */
	if (!runner->params->journal ||
	    (runner->run->n_applied == 0 && !err_is_set(&runner->run->err)))
		return RUN_UNLOCK;
	runner_send(runner, journal_look());
	return RUN_JOURNAL;
}

static enum run_state
journal_write(struct runner *runner)
{
	struct pgconn_statement insert =
	    journal_insert(runner->scratch, runner->run, runner->params->instance);

	runner->stage = JOURNAL_INSERT;
	runner_send(runner, &insert);
	return RUN_JOURNAL;
}

static enum run_state
journal_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	bool exists, may_create;

	if (err_is_set(&reply->err)) {
		log_debug("the journal could not be written",
		    LOG_STR("error", reply->err.text));
		return pgconn_is_open(runner->conn) ? RUN_UNLOCK : RUN_DONE;
	}
	switch (runner->stage) {
	case JOURNAL_LOOK:
		journal_read_look(reply->result, &exists, &may_create);
		if (exists)
			return journal_write(runner);
		if (!may_create)
			return RUN_UNLOCK;
		runner->stage = JOURNAL_CREATE;
		runner_send(runner, journal_create());
		return RUN_JOURNAL;
	case JOURNAL_CREATE:
		return journal_write(runner);
	default:
		return RUN_UNLOCK;
	}
}

/* ---- UNLOCK ---- */

static enum run_state
unlock_enter(struct runner *runner)
{
	struct pgconn_statement release = lock_release(runner->scratch, runner->lock_key);

	runner_send(runner, &release);
	return RUN_UNLOCK;
}

static enum run_state
unlock_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err) || !lock_answer(reply->result))
		log_warning(
		    "the lock was gone before the run ended: a migration released it "
		    "(pg_advisory_unlock_all?) or the session was cut",
		    LOG_STR("run", runner->run->id));
	return RUN_DONE;
}

const struct runner_step runner_step_journal = { journal_enter, journal_answer, NULL };
const struct runner_step runner_step_unlock = { unlock_enter, unlock_answer, NULL };
