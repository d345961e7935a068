/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * How a run ends: ROLLBACK and NOTE when a migration failed, JOURNAL, UNLOCK.
 */

#include "base/clock.h"
#include "base/log.h"
#include "db/journal.h"
#include "db/lock.h"

/* ---- ROLLBACK, and the note of the failure in the team's own table ---- */

static enum run_state
rollback_enter(struct runner *runner)
{
	runner_query(runner, "ROLLBACK");
	return RUN_ROLLBACK;
}

static enum run_state
rollback_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	runner->in_transaction = false;
	if (err_is_set(&reply->err))
		return runner_fail(runner, &reply->err);
	if (runner->overtaken != NULL)
		return RUN_HISTORY;
	return runner->retry ? RUN_RETRY : RUN_NOTE;
}

static enum run_state
note_enter(struct runner *runner)
{
	const struct plan_step *step = runner_step_now(runner);
	char message[1024];

	/* a way back that failed leaves the migration applied */
	if (step == NULL || runner->table.kind->record_failure == NULL ||
	    runner->run->operation == PLAN_ROLLBACK ||
	    runner->run->operation == PLAN_REPAIR ||
	    runner->run->err.category == CAT_CANCELLED)
		return runner_after_failure(runner);
	err_format(&runner->run->err, message, sizeof(message));
	struct pgconn_statement note = runner->table.kind->record_failure(
	    runner->scratch, &runner->table, step->migration, message);

	runner_send(runner, &note);
	return RUN_NOTE;
}

static enum run_state
note_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err)) {
		log_warning_with(&reply->err,
		    "the failure could not be recorded in the tracking table");
		return runner_fail(runner, &reply->err);
	}
	return runner_after_failure(runner);
}

/* ---- JOURNAL: where our notes cannot be written, the run is none the worse ---- */

enum {
	JOURNAL_LOOK,
	JOURNAL_CREATE,
	JOURNAL_INSERT
};

static enum run_state
journal_enter(struct runner *runner)
{
	runner_conclude(runner);
	/*
	 * A run that found nothing to do leaves no trace: fifty pods may call at
	 * once, every day.
	 */
	if (!runner->params->journal ||
	    (runner->run->n_applied + runner->run->n_failed == 0 &&
		runner->run->operation != PLAN_REPAIR && !err_is_set(&runner->run->err)))
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
journal_make(struct runner *runner, bool schema_exists)
{
	struct pgconn_statement create = journal_create(runner->scratch, schema_exists);

	runner->stage = JOURNAL_CREATE;
	runner_send_ddl(runner, &create);
	return RUN_JOURNAL;
}

static enum run_state
journal_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct journal_look look;

	if (err_is_set(&reply->err)) {
		log_debug("the journal could not be written",
		    LOG_STR("error", reply->err.text));
		return pgconn_is_open(runner->conn) ? RUN_UNLOCK : RUN_DONE;
	}
	switch (runner->stage) {
	case JOURNAL_LOOK:
		look = journal_read_look(reply->result);
		if (look.exists)
			return journal_write(runner);
		return look.may_create ? journal_make(runner, look.schema_exists)
				       : RUN_UNLOCK;
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
	struct pgconn_statement release =
	    runner->lock.ops->release(runner->scratch, &runner->lock);

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

const struct runner_step runner_step_rollback = { rollback_enter, rollback_answer, NULL };
const struct runner_step runner_step_note = { note_enter, note_answer, NULL };
const struct runner_step runner_step_journal = { journal_enter, journal_answer, NULL };
const struct runner_step runner_step_unlock = { unlock_enter, unlock_answer, NULL };
