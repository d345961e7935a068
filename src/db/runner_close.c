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
	char message[ERR_LINE];

	/* a way back that failed leaves the migration applied */
	if (step == NULL || runner->table.kind->record_failure == NULL ||
	    !run_goes_forward(runner->run) || runner->run->err.category == CAT_CANCELLED)
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
	JOURNAL_WIDEN,
	JOURNAL_INSERT
};

struct journal_owner
runner_journal_owner(const struct runner *runner)
{
	/* one that was stopped early has looked at no phase yet */
	struct tracking_table table =
	    connect_tracking_table(runner->params, PHASE_SCHEMA, &runner->engine);

	return journal_owner_of(
	    runner->scratch, &runner->journal, runner->params->name, &table);
}

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
	struct journal_owner owner = runner_journal_owner(runner);
	struct pgconn_statement insert = journal_insert(
	    runner->scratch, runner->run, &owner, runner->params->instance);

	runner->stage = JOURNAL_INSERT;
	runner_send(runner, &insert);
	return RUN_JOURNAL;
}

static enum run_state
journal_send_ddl(
    struct runner *runner, unsigned stage, const struct pgconn_statement *ddl)
{
	runner->stage = stage;
	runner_send_ddl(runner, ddl);
	return RUN_JOURNAL;
}

/* What is noted goes without, for the migrations are applied. */
static void
journal_warn_older(struct runner *runner)
{
	struct err note = { 0 };

	journal_ask_to_widen(&note);
	log_warning_with(&note, "the journal cannot be brought up to date",
	    LOG_STR("run", runner->run->id));
	run_add_warning(runner->run, &note);
}

/* It may be absent, or of a release that did not say whose a run is. */
static enum run_state
journal_looked(struct runner *runner, const PGresult *result)
{
	struct journal_look *journal = &runner->journal;
	struct pgconn_statement ddl;

	*journal = journal_read_look(result);
	if (!journal->exists && !journal->may_create)
		return RUN_UNLOCK;
	if (!journal->exists) {
		ddl = journal_create(runner->scratch, journal->schema_exists);
		return journal_send_ddl(runner, JOURNAL_CREATE, &ddl);
	}
	if (!journal->says_whose && journal->may_widen) {
		ddl = journal_widen(
		    runner->scratch, engine_can(&runner->engine, ENGINE_TIMEOUTS));
		return journal_send_ddl(runner, JOURNAL_WIDEN, &ddl);
	}
	if (!journal->says_whose)
		journal_warn_older(runner);
	return journal_write(runner);
}

/* A column that could not be added this time: noted as a release would that knows no better. */
static enum run_state
journal_failed(struct runner *runner, const struct err *err)
{
	if (runner->stage == JOURNAL_WIDEN && pgconn_is_open(runner->conn))
		return journal_write(runner);
	log_warning_with(err,
	    "the run could not be noted in the journal: a daemon that is started later does "
	    "not know of it",
	    LOG_STR("run", runner->run->id));
	return pgconn_is_open(runner->conn) ? RUN_UNLOCK : RUN_DONE;
}

static enum run_state
journal_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return journal_failed(runner, &reply->err);
	switch (runner->stage) {
	case JOURNAL_LOOK:
		return journal_looked(runner, reply->result);
	case JOURNAL_CREATE:
	case JOURNAL_WIDEN:
		runner->journal.says_whose = true;
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

/* The work is done and kept, so it is no failure of the run. */
static enum run_state
unlock_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (err_is_set(&err))
		err_wrap(&err, "the lock could not be given back");
	else if (!lock_answer(reply->result))
		err_set(&err, CAT_LOCK_TIMEOUT,
		    "the lock was gone before the run ended: %s",
		    runner->lock.ops->lost_hint);
	if (err_is_set(&err))
		log_warning_with(&err, "the end of the lock was not as it should be",
		    LOG_STR("run", runner->run->id));
	return RUN_DONE;
}

const struct runner_step runner_step_rollback = { rollback_enter, rollback_answer, NULL };
const struct runner_step runner_step_note = { note_enter, note_answer, NULL };
const struct runner_step runner_step_journal = { journal_enter, journal_answer, NULL };
const struct runner_step runner_step_unlock = { unlock_enter, unlock_answer, NULL };
