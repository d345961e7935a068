/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * The SQL of one migration, or of one of its segments, in a transaction: the states BEGIN and
 * PART, and RETRY where only a lock was in the way.
 */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/locate.h"
#include "db/session.h"

/* Tries of one transaction: with the pauses between them, about a minute and a half. */
#define TRIES 12

/* ---- what is run ---- */

const struct script *
runner_script(const struct runner *runner)
{
	const struct script *script = runner_step_now(runner)->script;

	return script != NULL && !script->plain ? script : NULL;
}

enum run_state
runner_step_begins(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	if (script != NULL && script->batch != NULL)
		return RUN_BATCH;
	/* One transaction is recorded in itself: nothing has to be remembered. */
	if (script == NULL || script->n_segments == 0 ||
	    (script->n_segments == 1 && script->segments[0].transactional))
		return RUN_BEGIN;
	return RUN_RESUME;
}

/* The segment in hand; NULL for a plain file, and where only the row is missing. */
static const struct script_segment *
segment_now(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	if (script == NULL || runner->segment >= script->n_segments)
		return NULL;
	return &script->segments[runner->segment];
}

void
runner_note_current(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;

	if (runner->run->current == NULL || strcmp(runner->run->current, m->id) != 0)
		run_begin_migration(runner->run, m, clock_mono_us());
}

/* ---- BEGIN: a session as if new, and the transaction ---- */

void
runner_add_timeouts(const struct runner *runner, struct text *sql, const char *scope,
    bool with_lock_timeout)
{
	const struct script *script = runner_step_now(runner)->script;
	bool takes_timeouts = engine_can(&runner->engine, ENGINE_TIMEOUTS);
	int64_t lock_ms = runner->params->ddl_lock_timeout_ms;
	/* What runs alone may take its time: cut short, it would leave something behind. */
	int64_t statement_ms =
	    with_lock_timeout ? runner->params->statement_timeout_ms : 0;

	if (script != NULL && script->directives.lock_timeout_ms >= 0)
		lock_ms = script->directives.lock_timeout_ms;
	if (script != NULL && script->directives.statement_timeout_ms >= 0)
		statement_ms = script->directives.statement_timeout_ms;
	if (with_lock_timeout && takes_timeouts)
		text_addf(sql, "SET %s lock_timeout = %" PRId64 ";", scope, lock_ms);
	if (takes_timeouts)
		text_addf(
		    sql, "SET %s statement_timeout = %" PRId64 ";", scope, statement_ms);
}

static enum run_state
begin_enter(struct runner *runner)
{
	struct text sql;

	if (!runner->in_transaction)
		runner->txn_first = runner->step;
	runner->xid[0] = '\0';
	runner_note_current(runner);
	/* Nothing that takes a snapshot: the file may begin with SET TRANSACTION. */
	text_init(&sql, runner->scratch, BOUND_SQL);
	if (runner->engine.pooled)
		session_add_pooled_start(&sql, !runner->in_transaction);
	else
		session_add_fresh_start(&sql, &runner->engine, !runner->in_transaction);
	runner_add_timeouts(runner, &sql, "LOCAL", true);
	if (segment_now(runner) != NULL)
		script_add_opening(runner_script(runner), runner->segment, &sql);
	runner->in_transaction = true;
	/* in the midst of a transaction there may be nothing to say */
	runner_query(runner, sql.len > 0 ? sql.data : "SELECT 1");
	return RUN_BEGIN;
}

static enum run_state
begin_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct script *script = runner_script(runner);

	if (err_is_set(&reply->err))
		return runner_fail(runner, &reply->err);
	/* the request came too late for this query, and must not let the file begin */
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	/* only the row is written */
	if (runner->run->operation == PLAN_BASELINE ||
	    runner->run->operation == PLAN_REPAIR)
		return RUN_RECORD;
	return script != NULL && segment_now(runner) == NULL ? RUN_RECORD : RUN_PART;
}

/* ---- PART: the file's parts, or the segment's statements, one query each ---- */

static size_t
part_count(const struct runner *runner)
{
	const struct script_segment *segment = segment_now(runner);

	return segment != NULL ? segment->n : runner_step_now(runner)->migration->n_parts;
}

static const struct script_statement *
statement_now(const struct runner *runner)
{
	return &runner_script(runner)
		    ->statements[segment_now(runner)->first + runner->part];
}

static void
part_send(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;

	runner->yielded = false;
	if (segment_now(runner) == NULL) {
		runner_execute(
		    runner, m->parts[runner->part].text, m->parts[runner->part].len);
	} else if (runner_batch(runner) != NULL) {
		runner_batch_send(runner, statement_now(runner));
	} else {
		const struct script_statement *st = statement_now(runner);

		runner_execute_with_data(
		    runner, st->text, st->len, st->data, st->data_len);
	}
}

static enum run_state
part_enter(struct runner *runner)
{
	runner->part = 0;
	assert(part_count(runner) > 0);
	part_send(runner);
	return RUN_PART;
}

/* Somebody else's lock, or a conflict with a transaction of somebody else, and tries are left. */
static bool
is_worth_another_try(const struct runner *runner, const struct err *err)
{
	static const char *const states[] = { "55P03", "40P01" };

	/* to let others pass costs no try: it was not the lock that was refused */
	if (runner->yielded && strcmp(err->sqlstate, "57014") == 0)
		return !runner_is_stopping(runner);
	bool worth = engine_is_conflict(err);

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		worth |= strcmp(err->sqlstate, states[i]) == 0;
	return worth && runner->attempt + 1 < TRIES && !runner_is_stopping(runner);
}

enum run_state
runner_fail_or_retry(struct runner *runner, const struct err *err)
{
	if (!pgconn_is_open(runner->conn) || !is_worth_another_try(runner, err))
		return runner_fail(runner, err);
	runner->retry = true;
	runner->run->attempts++;
	log_warning_with(err, "a lock is in the way, trying again",
	    LOG_STR("migration", runner->run->current),
	    LOG_INT("attempt", runner->attempt + 1), LOG_STR("run", runner->run->id));
	return RUN_ROLLBACK;
}

/* What no transaction can do is a matter of how the file is run. */
static void
add_remedy(struct err *err)
{
	if (strcmp(err->sqlstate, "25001") == 0)
		err_hint(err,
		    "say so in the file's first line: -- migrationd: no-transaction");
	if (strcmp(err->sqlstate, "55P04") != 0)
		return;
	/* the server's own hint names the rule, not what to do about it here */
	err->hint[0] = '\0';
	err_hint(err,
	    "a new enum value has to be committed before it is used: move what uses it "
	    "to a migration of its own, or begin the file with the line "
	    "-- migrationd: no-transaction");
}

/* What it makes is there: perhaps another's migrator made it, while this one waited. */
static bool
is_there_already(const struct err *err)
{
	static const char *const states[] = { "23505", "42701", "42710", "42723", "42P06",
		"42P07" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(err->sqlstate, states[i]) == 0)
			return true;
	return false;
}

/* A row that is there twice is no object that somebody made. */
static void
hint_at_recording(const struct runner *runner, struct err *err)
{
	if (runner->run->operation == PLAN_APPLY && runner->run->phase == PHASE_SCHEMA &&
	    is_there_already(err) && strcmp(err->sqlstate, "23505") != 0)
		err_hint(err,
		    "if all that it does is there already, made by hand or pushed, "
		    "POST /repair (\"applied\") records it without running it");
}

/* The failure, with the place in the file and what it means. */
static enum run_state
part_failed(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = reply->err;

	snprintf(err.migration, sizeof(err.migration), "%s", m->id);
	if (segment_now(runner) == NULL)
		locate_error(m, runner->part, reply->position, reply->n_completed, &err);
	else
		locate_statement(m, statement_now(runner), reply->position, &err);
	/*
	 * With the connection alive it is the file's doing (it set itself read only,
	 * say): another try does not help.
	 */
	if (!reply->lost && err.category == CAT_NETWORK_ERROR)
		err.category = CAT_SQL_ERROR;
	add_remedy(&err);
	if (runner_batch(runner) != NULL && runner->run->batch.batches > 0)
		err_hint(&err,
		    "the batches before it are committed and noted; mend it, and "
		    "POST /apply goes on there");
	if (runner->segment > 0)
		err_hint(&err,
		    "the %zu segments before it are done and noted; mend what follows and "
		    "POST /%s goes on there",
		    runner->segment, run_operation_name(runner->run->operation));
	hint_at_recording(runner, &err);
	return is_there_already(&err) && runner->run->operation != PLAN_ROLLBACK
	    ? runner_fail_or_overtaken(runner, &err)
	    : runner_fail_or_retry(runner, &err);
}

/*
 * The file ended our transaction, in a way that its text did not show: what it did before is
 * committed, or gone, and we cannot know what.
 */
static enum run_state
part_lost_transaction(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = { 0 };

	err_set(&err, CAT_SQL_ERROR,
	    "%s ended the transaction that migrationd opened for it; it is not recorded",
	    m->file);
	err_hint(&err,
	    "look at what it left in the database, remove COMMIT or ROLLBACK from the "
	    "file, then apply again or baseline it");
	err_where(&err, m->file, 0);
	snprintf(err.migration, sizeof(err.migration), "%s", m->id);
	return runner_fail(runner, &err);
}

/* All of it ran: the row, or, where more segments follow, a note in the journal. */
static enum run_state
part_over(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	return runner_batch_goes_on(runner) ||
		(script != NULL && runner->segment + 1 < script->n_segments)
	    ? RUN_MARK
	    : RUN_RECORD;
}

static enum run_state
part_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = { 0 };

	runner->run->statements += reply->n_completed;
	if (err_is_set(&reply->err))
		return part_failed(runner, reply);
	if (reply->ran_transaction_control || reply->transaction != PQTRANS_INTRANS)
		return part_lost_transaction(runner);
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	if (runner_batch(runner) != NULL &&
	    runner_batch_took(runner, reply->result, &err) < 0)
		return runner_fail_here(runner, &err);
	if (++runner->part == part_count(runner))
		return part_over(runner);
	part_send(runner);
	return RUN_PART;
}

/* ---- RETRY: rolled back; wait a little, then the whole transaction again ---- */

static enum run_state
retry_enter(struct runner *runner)
{
	uint32_t whole = runner->attempt < 5 ? 500u << runner->attempt : 10000u;

	runner->retry = false;
	runner->attempt++;
	runner->step = runner->txn_first;
	runner_pause(runner, whole / 2 + digest_random(whole / 2 + 1));
	return RUN_RETRY;
}

static enum run_state
retry_resume(struct runner *runner)
{
	return runner_is_stopping(runner) ? runner_fail_stopped(runner) : RUN_BEGIN;
}

const struct runner_step runner_step_begin = { begin_enter, begin_answer, NULL };
const struct runner_step runner_step_part = { part_enter, part_answer, NULL };
const struct runner_step runner_step_retry = { retry_enter, NULL, retry_resume };
