/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * A statement that cannot run in a transaction: the states INTENT, ALONE, OUTCOME. It is
 * noted before it is sent and noted done once it is proven done. In between nobody knows,
 * unless it failed and left nothing behind: then the note is withdrawn.
 */

#include <stdio.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/locate.h"
#include "db/index_lookup.h"
#include "db/journal_statements.h"
#include "db/session.h"

static const struct migration *
migration_now(const struct runner *runner)
{
	return runner_step_now(runner)->migration;
}

/* What goes on with it. */
static const char *
again(const struct runner *runner)
{
	return run_operation_name(runner->run->operation);
}

static void
send_withdraw(struct runner *runner)
{
	struct pgconn_statement withdraw = journal_statements_repair(
	    runner->scratch, &runner->table, runner_journal_key(runner), "retry");

	runner_send(runner, &withdraw);
}

/* ---- INTENT: a session as if new, and the note ---- */

enum {
	INTENT_SESSION,
	INTENT_NOTE,
	INTENT_WITHDRAW
};

static enum run_state
intent_note(struct runner *runner)
{
	struct pgconn_statement start = journal_statements_start(runner->scratch,
	    &runner->table, runner_journal_key(runner), runner_statement_alone(runner),
	    runner->run->id);

	runner->stage = INTENT_NOTE;
	runner_send(runner, &start);
	return RUN_INTENT;
}

static enum run_state
intent_enter(struct runner *runner)
{
	struct text sql;

	/* Behind a pooler there is no session to set. */
	if (runner->engine.pooled)
		return intent_note(runner);
	text_init(&sql, runner->scratch, BOUND_SQL);
	session_add_fresh_start(&sql, &runner->engine, false);
	script_add_opening(runner_script(runner), runner->segment, &sql);
	/*
	 * Behind what the file sets: no lock_timeout, and the server is to go on without
	 * us. A CREATE INDEX CONCURRENTLY that is cut leaves an invalid index behind.
	 */
	if (engine_can(&runner->engine, ENGINE_TIMEOUTS))
		text_add(&sql, "SET lock_timeout = 0;");
	session_add_unwatched(&sql, &runner->engine);
	runner_add_timeouts(runner, &sql, "SESSION", false);
	if (sql.len == 0)
		return intent_note(runner);
	runner_query(runner, sql.data);
	return RUN_INTENT;
}

/* A lease that may be another's by now: the statement could run beside his. */
static enum run_state
intent_unsure(struct runner *runner)
{
	struct err err = { 0 };

	err_set(&err, CAT_LOCK_TIMEOUT, "the lock is not sure any more: %s",
	    runner->lock.ops->lost_hint);
	return runner_fail_here(runner, &err);
}

/* Cancelled; where the note is made, it says what is not so. */
static enum run_state
intent_stopped(struct runner *runner)
{
	if (runner->stage != INTENT_NOTE)
		return runner_fail_stopped(runner);
	runner->stage = INTENT_WITHDRAW;
	send_withdraw(runner);
	return RUN_INTENT;
}

static enum run_state
intent_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return runner_fail_here(runner, &reply->err);
	if (runner->cancelled)
		return intent_stopped(runner);
	if (!lock_is_sure(&runner->lock, clock_mono_us()))
		return intent_unsure(runner);
	return runner->stage == INTENT_NOTE ? RUN_ALONE : intent_note(runner);
}

/* ---- ALONE ---- */

static enum run_state
alone_enter(struct runner *runner)
{
	const struct script_statement *statement = runner_statement_alone(runner);

	runner->job[0] = '\0';
	/* the answer may name a job that is to be waited for */
	if (engine_can(&runner->engine, ENGINE_JOBS))
		runner_query(runner,
		    mem_strndup(runner->scratch, statement->text, statement->len));
	else
		runner_execute(runner, statement->text, statement->len);
	return RUN_ALONE;
}

/* It ended with an error: what is left of it? */
static enum run_state
alone_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct script_statement *statement = runner_statement_alone(runner);
	struct err err = reply->err;

	runner->run->statements += reply->n_completed;
	runner->left = RESUME_LEFT_ALL;
	if (!err_is_set(&err)) {
		if (engine_can(&runner->engine, ENGINE_JOBS))
			(void)runner_take_job(runner, reply->result);
		return RUN_OUTCOME;
	}
	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	locate_statement(migration_now(runner), statement, reply->position, &err);
	runner->left =
	    reply->lost ? RESUME_LEFT_UNKNOWN : resume_left_by(statement, err.sqlstate);
	if (runner->left == RESUME_LEFT_UNKNOWN)
		err_hint(&err,
		    "it ran outside a transaction and is not undone; the next POST /%s "
		    "looks what it left, and asks where the catalogs cannot tell",
		    again(runner));
	enum run_state next = runner_fail(runner, &err);

	return runner->left == RESUME_LEFT_UNKNOWN ? next : RUN_OUTCOME;
}

/* ---- OUTCOME: what did it leave? Then it is done, or was not begun ---- */

enum {
	OUTCOME_JOB,
	OUTCOME_LOOKUP,
	OUTCOME_FINISH,
	OUTCOME_WITHDRAW
};

static enum run_state
outcome_finish(struct runner *runner)
{
	runner->stage = OUTCOME_FINISH;
	runner_finish_statement(runner);
	return RUN_OUTCOME;
}

/* Nothing of it is there: the next run need not ask, and the file may be mended. */
static enum run_state
outcome_withdraw(struct runner *runner)
{
	runner->stage = OUTCOME_WITHDRAW;
	send_withdraw(runner);
	return RUN_OUTCOME;
}

static enum run_state
outcome_look(struct runner *runner)
{
	const struct script_statement *statement = runner_statement_alone(runner);

	if (runner->left == RESUME_LEFT_NOTHING)
		return outcome_withdraw(runner);
	if (resume_lookup_of(statement) != RESUME_INDEX_MADE)
		return outcome_finish(runner);
	struct pgconn_statement lookup = index_lookup(runner->scratch, &statement->class);

	runner->stage = OUTCOME_LOOKUP;
	runner_send(runner, &lookup);
	return RUN_OUTCOME;
}

static enum run_state
outcome_enter(struct runner *runner)
{
	if (runner->job[0] == '\0')
		return outcome_look(runner);
	runner_job_ask(runner);
	return RUN_OUTCOME;
}

/* The pause before asking for the job is over, or the run is to stop. */
static enum run_state
outcome_resume(struct runner *runner)
{
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	/* a job may last longer than the connection may; it is found again */
	if (runner_needs_connection(runner))
		return RUN_CONNECT;
	runner_job_ask(runner);
	return RUN_OUTCOME;
}

/* A job that failed leaves an index that is not valid, and nothing else. */
static enum run_state
outcome_job(struct runner *runner, const PGresult *result)
{
	const struct script_statement *statement = runner_statement_alone(runner);
	struct err err = { 0 };
	int rc = 0;

	if (!runner_job_is_over(runner, result, &rc, &err))
		return RUN_OUTCOME;
	runner->left = RESUME_LEFT_ALL;
	if (rc == 0)
		return outcome_look(runner);
	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	locate_statement(migration_now(runner), statement, 0, &err);
	runner_fail(runner, &err);
	if (resume_lookup_of(statement) != RESUME_INDEX_MADE)
		return outcome_withdraw(runner);
	runner->left = RESUME_LEFT_INDEX;
	return outcome_look(runner);
}

/* IF NOT EXISTS is content with an index of that name, valid or not: we are not. */
static enum run_state
outcome_invalid(struct runner *runner)
{
	const struct script_statement *statement = runner_statement_alone(runner);
	struct err err = { 0 };

	err_set(&err, CAT_SQL_ERROR, "index %s is there, but not valid",
	    statement->class.name);
	err_hint(&err, "DROP INDEX %s%s, then POST /%s",
	    engine_can(&runner->engine, ENGINE_CONCURRENT) ? "CONCURRENTLY " : "",
	    statement->class.name, again(runner));
	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	locate_statement(migration_now(runner), statement, 0, &err);
	runner_fail(runner, &err);
	return outcome_withdraw(runner);
}

static enum run_state
outcome_looked_up(struct runner *runner, enum index_state state)
{
	if (runner->left == RESUME_LEFT_ALL)
		return state == INDEX_INVALID ? outcome_invalid(runner)
					      : outcome_finish(runner);
	/* a valid one is another's: ours was not finished */
	if (state != INDEX_INVALID)
		return outcome_withdraw(runner);
	err_hint(&runner->run->err,
	    "it left an invalid index, which the next POST /%s drops first",
	    again(runner));
	return run_on_fail(RUN_OUTCOME);
}

static enum run_state
outcome_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return runner_fail_here(runner, &reply->err);
	switch (runner->stage) {
	case OUTCOME_JOB:
		return outcome_job(runner, reply->result);
	case OUTCOME_LOOKUP:
		return outcome_looked_up(runner, index_lookup_read(reply->result));
	case OUTCOME_WITHDRAW:
		err_hint(&runner->run->err,
		    "nothing of it is left; mend it, and POST /%s goes on there",
		    again(runner));
		return run_on_fail(RUN_OUTCOME);
	default:
		break;
	}
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	runner->segment++;
	return runner_segment_goes_on(runner);
}

const struct runner_step runner_step_intent = { intent_enter, intent_answer, NULL };
const struct runner_step runner_step_alone = { alone_enter, alone_answer, NULL };
const struct runner_step runner_step_outcome = { outcome_enter, outcome_answer,
	outcome_resume };
