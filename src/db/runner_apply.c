/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * One migration after the other: the states BEGIN, PART, RECORD, COMMIT, and ROLLBACK, NOTE when one fails.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/locate.h"
#include "db/lock.h"
#include "db/session.h"

/* ---- BEGIN: a fresh session, the transaction, and the lock once more inside it ---- */

static enum run_state
begin_enter(struct runner *runner)
{
	const struct plan_step *step = runner_step_now(runner);
	struct text sql;

	if (!runner->in_transaction)
		runner->txn_first = runner->step;
	run_begin_migration(runner->run, step->migration, clock_mono_us());
	text_init(&sql, runner->scratch, BOUND_SQL);
	session_add_fresh_start(&sql, runner->engine.version, !runner->in_transaction);
	text_addf(&sql,
	    "SELECT pg_catalog.pg_try_advisory_xact_lock(%" PRId64
	    "), pg_catalog.txid_current()",
	    runner->lock_key);
	runner->in_transaction = true;
	runner_query(runner, sql.data);
	return RUN_BEGIN;
}

static enum run_state
begin_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (!err_is_set(&err) && !lock_answer(reply->result))
		err_set(&err, CAT_LOCK_TIMEOUT,
		    "another session took the lock during the run");
	if (err_is_set(&err))
		return runner_fail(runner, &err);
	snprintf(runner->xid, sizeof(runner->xid), "%s", PQgetvalue(reply->result, 0, 1));
	return runner->run->operation == PLAN_BASELINE ? RUN_RECORD : RUN_PART;
}

/* ---- PART: the file's parts, one query each ---- */

static enum run_state
part_enter(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;

	runner->part = 0;
	if (m->n_parts == 0)
		return RUN_RECORD;
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
	if (strcmp(err.sqlstate, "25001") == 0)
		err_hint(&err,
		    "each migration runs in a transaction; put this statement into a "
		    "file of its own and run it by hand for now");
	return runner_fail(runner, &err);
}

static enum run_state
part_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = runner_step_now(runner)->migration;

	runner->run->statements += reply->n_completed;
	if (err_is_set(&reply->err))
		return part_failed(runner, reply);
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	if (++runner->part == m->n_parts)
		return RUN_RECORD;
	runner_execute(runner, m->parts[runner->part].text, m->parts[runner->part].len);
	return RUN_PART;
}

/* ---- RECORD: is it still our transaction, then the row ---- */

enum {
	RECORD_CHECK,
	RECORD_INSERT
};

static enum run_state
record_enter(struct runner *runner)
{
	/* The row is written by the role that connected, whatever the file did. */
	runner_query(runner,
	    "RESET SESSION AUTHORIZATION; RESET ROLE; "
	    "SELECT pg_catalog.txid_current_if_assigned()");
	return RUN_RECORD;
}

/* The file ended our transaction: what it did before is committed, or gone, and we cannot know what. */
static enum run_state
record_lost_transaction(struct runner *runner)
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
record_recorded(struct runner *runner)
{
	const struct plan_step *step = runner_step_now(runner);

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
	if (runner->stage == RECORD_INSERT) {
		if (strcmp(PQcmdTuples((PGresult *)(uintptr_t)reply->result), "1") == 0)
			return record_recorded(runner);
		err_set(&err, CAT_SQL_ERROR,
		    "%s was recorded by somebody else while it ran; rolled back", m->id);
		err_hint(&err, "does an application still run its own migrator?");
		return runner_fail(runner, &err);
	}
	if (reply->transaction != PQTRANS_INTRANS ||
	    strcmp(PQgetvalue(reply->result, 0, 0), runner->xid) != 0)
		return record_lost_transaction(runner);
	struct pgconn_statement insert =
	    runner->table.kind->record(runner->scratch, &runner->table, m);

	runner->stage = RECORD_INSERT;
	runner_send(runner, &insert);
	return RUN_RECORD;
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
			.applied_at_us = clock_now_us(),
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

	/* A transaction that had failed answers COMMIT with the tag ROLLBACK and success. */
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
