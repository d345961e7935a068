/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * One migration after the other: the states BEGIN, PART, RECORD, COMMIT, and
 * ROLLBACK, NOTE when one fails.
 */

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/locate.h"
#include "db/lock.h"
#include "db/session.h"

/* ---- BEGIN: a session as if new, and the transaction ---- */

static enum run_state
begin_enter(struct runner *runner)
{
	const struct plan_step *step = runner_step_now(runner);
	struct text sql;

	if (!runner->in_transaction)
		runner->txn_first = runner->step;
	run_begin_migration(runner->run, step->migration, clock_mono_us());
	/* Nothing that takes a snapshot: the file may begin with SET TRANSACTION. */
	text_init(&sql, runner->scratch, BOUND_SQL);
	session_add_fresh_start(&sql, runner->engine.version, !runner->in_transaction);
	runner->in_transaction = true;
	runner_query(runner, sql.data);
	return RUN_BEGIN;
}

static enum run_state
begin_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return runner_fail(runner, &reply->err);
	/* the request came too late for this query, and must not let the file begin */
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	return runner->run->operation == PLAN_BASELINE ? RUN_RECORD : RUN_PART;
}

/* ---- PART: the file's parts, one query each ---- */

static enum run_state
part_enter(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;

	assert(m->n_parts > 0);
	runner->part = 0;
	runner_execute(runner, m->parts[0].text, m->parts[0].len);
	return RUN_PART;
}

/* The failure, with the place in the file and what it means. */
static enum run_state
part_failed(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = reply->err;

	snprintf(err.migration, sizeof(err.migration), "%s", m->id);
	locate_error(m, runner->part, reply->position, reply->n_completed, &err);
	/*
	 * With the connection alive it is the file's doing (it set itself read only,
	 * say): another try does not help.
	 */
	if (!reply->lost && err.category == CAT_NETWORK_ERROR)
		err.category = CAT_SQL_ERROR;
	if (strcmp(err.sqlstate, "25001") == 0)
		err_hint(&err,
		    "each migration runs in a transaction; put this statement into a "
		    "file of its own and run it by hand for now");
	return runner_fail(runner, &err);
}

/*
 * The file ended our transaction: what it did before is committed, or gone, and we
 * cannot know what.
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

static enum run_state
part_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;

	runner->run->statements += reply->n_completed;
	if (err_is_set(&reply->err))
		return part_failed(runner, reply);
	if (reply->ran_transaction_control || reply->transaction != PQTRANS_INTRANS)
		return part_lost_transaction(runner);
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	if (++runner->part == m->n_parts)
		return RUN_RECORD;
	runner_execute(runner, m->parts[runner->part].text, m->parts[runner->part].len);
	return RUN_PART;
}

/* ---- RECORD: is the lock still ours, then the row ---- */

enum {
	RECORD_LOCK,
	RECORD_INSERT
};

static enum run_state
record_enter(struct runner *runner)
{
	struct text sql;

	/*
	 * The row is written by the role that connected, whatever the file did; and
	 * under the lock, taken once more: a file that called
	 * pg_advisory_unlock_all() may have let another migrationd in.
	 */
	text_init(&sql, runner->scratch, BOUND_SQL);
	text_add(&sql, MUTANT("record-outside") ? "COMMIT; BEGIN; " : "");
	text_add(&sql, "RESET SESSION AUTHORIZATION; RESET ROLE; ");
	lock_add_xact_try(&sql, runner->lock_key);
	runner_query(runner, sql.data);
	return RUN_RECORD;
}

static enum run_state
record_locked(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = { 0 };

	if (!lock_answer(reply->result)) {
		err_set(&err, CAT_LOCK_TIMEOUT,
		    "another session took the lock while %s ran; rolled back", m->id);
		err_hint(&err, "does the file call pg_advisory_unlock_all()?");
		return runner_fail(runner, &err);
	}
	struct pgconn_statement insert =
	    runner->table.kind->record(runner->scratch, &runner->table, m);

	runner->stage = RECORD_INSERT;
	runner_send(runner, &insert);
	return RUN_RECORD;
}

static enum run_state
record_inserted(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct plan_step *step = runner_step_now(runner);
	struct err err = { 0 };

	/* PQcmdTuples only reads, but is not declared so. */
	if (strcmp(PQcmdTuples((PGresult *)(uintptr_t)reply->result), "1") != 0) {
		err_set(&err, CAT_SQL_ERROR,
		    "%s was recorded by somebody else while it ran; rolled back",
		    step->migration->id);
		err_hint(&err, "does an application still run its own migrator?");
		return runner_fail(runner, &err);
	}
	runner->durations_us[runner->step] =
	    clock_mono_us() - runner->run->current_mono_us;
	if (step->commit)
		return RUN_COMMIT;
	runner->step++;
	return RUN_BEGIN;
}

static enum run_state
record_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = reply->err;

	if (err_is_set(&err)) {
		snprintf(err.migration, sizeof(err.migration), "%s", m->id);
		err_wrap(&err, "recording %s in %s.%s", m->id, runner->table.schema,
		    runner->table.table);
		return runner_fail(runner, &err);
	}
	return runner->stage == RECORD_LOCK ? record_locked(runner, reply)
					    : record_inserted(runner, reply);
}

/* ---- COMMIT ---- */

static enum run_state
commit_enter(struct runner *runner)
{
	runner_query(runner, "COMMIT");
	return RUN_COMMIT;
}

/* The rows of the transaction are there: history and run say so. */
static void
commit_done(struct runner *runner)
{
	struct run *run = runner->run;

	for (size_t i = runner->txn_first; i <= runner->step; i++) {
		const struct migration *m = runner->plan->steps[i].migration;
		struct history_row row = {
			.key = runner->table.kind->key == HISTORY_BY_FILE ? m->file
									  : m->version,
			.name = m->name,
			.checksum = m->checksum,
			.baseline = run->operation == PLAN_BASELINE,
			.has_order = true,
			.order = m->order,
			.applied_at_us =
			    runner->table.kind->keeps_time ? clock_now_us() : 0,
		};

		history_add(runner->history, &row);
		run_add_applied(run, m, runner->durations_us[i]);
		log_info(row.baseline ? "recorded as baseline" : "applied",
		    LOG_STR("migration", m->id),
		    LOG_INT("migrationDuration", runner->durations_us[i] / 1000),
		    LOG_STR("run", run->id));
	}
	runner->in_transaction = false;
	runner->step++;
}

static enum run_state
commit_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = reply->err;

	/*
	 * A transaction that had failed answers COMMIT with the tag ROLLBACK and
	 * success.
	 */
	if (!err_is_set(&err) &&
	    strcmp(PQcmdStatus((PGresult *)(uintptr_t)reply->result), "COMMIT") != 0)
		err_set(
		    &err, CAT_SQL_ERROR, "the server rolled %s back at COMMIT", m->id);
	if (err_is_set(&err)) {
		snprintf(err.migration, sizeof(err.migration), "%s", m->id);
		err_where(&err, m->file, 0);
		if (reply->lost)
			err_hint(&err,
			    "whether it was committed is not known; the next apply reads "
			    "the tracking table and goes on from there");
		return runner_fail(runner, &err);
	}
	commit_done(runner);
	if (runner_step_now(runner) == NULL)
		return RUN_JOURNAL;
	if (!runner_is_stopping(runner))
		return RUN_BEGIN;
	runner_fail_stopped(runner);
	return RUN_JOURNAL;
}

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
	return err_is_set(&reply->err) ? runner_fail(runner, &reply->err) : RUN_NOTE;
}

static enum run_state
note_enter(struct runner *runner)
{
	const struct plan_step *step = runner_step_now(runner);
	char message[1024];

	if (step == NULL || runner->table.kind->record_failure == NULL ||
	    runner->run->err.category == CAT_CANCELLED)
		return RUN_JOURNAL;
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
	return RUN_JOURNAL;
}

const struct runner_step runner_step_begin = { begin_enter, begin_answer, NULL };
const struct runner_step runner_step_part = { part_enter, part_answer, NULL };
const struct runner_step runner_step_record = { record_enter, record_answer, NULL };
const struct runner_step runner_step_commit = { commit_enter, commit_answer, NULL };
const struct runner_step runner_step_rollback = { rollback_enter, rollback_answer, NULL };
const struct runner_step runner_step_note = { note_enter, note_answer, NULL };
