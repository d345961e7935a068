/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * The tracking row and its commit: the states RECORD and COMMIT.
 */

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/journal_batches.h"
#include "db/journal_statements.h"
#include "db/lock.h"
#include "db/session.h"

/* Connections made again after one was lost at COMMIT, in one run. */
#define RECONNECTS 3

/* ---- RECORD: is the lock still ours, then the row ---- */

enum {
	RECORD_LOCK,
	RECORD_INSERT,
	RECORD_FORGET
};

void
runner_send_guard(struct runner *runner)
{
	struct text sql;

	/*
	 * The row is written by the role that connected, whatever the file did; and
	 * under the lock, taken once more: a file that called
	 * pg_advisory_unlock_all() may have let another migrationd in.
	 */
	text_init(&sql, runner->scratch, BOUND_SQL);
	text_add(&sql, MUTANT("record-outside") ? "COMMIT; BEGIN; " : "");
	if (engine_can(&runner->engine, ENGINE_SETTINGS))
		text_add(&sql, "RESET SESSION AUTHORIZATION; RESET ROLE; ");
	if (runner->engine.pooled)
		session_add_pooled_end(&sql);
	runner->lock.ops->add_guard(&sql, &runner->lock);
	/* The witness, should the answer to COMMIT be lost. */
	text_add(&sql,
	    engine_can(&runner->engine, ENGINE_WITNESS) ? ", pg_catalog.txid_current()"
							: ", NULL");
	runner_query(runner, sql.data);
}

static enum run_state
record_enter(struct runner *runner)
{
	runner_send_guard(runner);
	return RUN_RECORD;
}

enum run_state
runner_fail_unlocked(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = { 0 };

	err_set(&err, CAT_LOCK_TIMEOUT,
	    "another session took the lock while %s ran; rolled back", m->id);
	err_hint(&err, "%s", runner->lock.ops->lost_hint);
	return runner_fail(runner, &err);
}

/* The row comes, or goes. */
static struct pgconn_statement
record_row(const struct runner *runner)
{
	const struct tracking *kind = runner->table.kind;
	const struct plan_step *step = runner_step_now(runner);
	const struct tracking_gone gone = { step->row, step->of, step->before };

	if (step->write == PLAN_REMOVE_ROW)
		return kind->forget(runner->scratch, &runner->table, &gone);
	if (step->write == PLAN_BLESS_ROW)
		return kind->bless(runner->scratch, &runner->table, &gone);
	return kind->record(runner->scratch, &runner->table, step->of,
	    step->script == NULL ? 0 : runner->durations_us[runner->step]);
}

static enum run_state
record_locked(struct runner *runner, const struct pgconn_reply *reply)
{
	if (!lock_answer(reply->result))
		return runner_fail_unlocked(runner);
	snprintf(runner->xid, sizeof(runner->xid), "%s", PQgetvalue(reply->result, 0, 1));
	runner->durations_us[runner->step] =
	    clock_mono_us() - runner->run->current_mono_us;
	struct pgconn_statement insert = record_row(runner);

	runner->stage = RECORD_INSERT;
	runner_send(runner, &insert);
	return RUN_RECORD;
}

static enum run_state
record_over(struct runner *runner)
{
	if (runner_step_now(runner)->commit)
		return RUN_COMMIT;
	runner->step++;
	return RUN_BEGIN;
}

enum run_state
runner_fail_or_overtaken(struct runner *runner, const struct err *err)
{
	/* the row of what runs again may be an old one, and tells nothing */
	if (!pgconn_is_open(runner->conn) || runner->cancelled ||
	    runner_runs_again(runner))
		return runner_fail(runner, err);
	log_warning_with(err,
	    "rolling back, to see whether another's migrator was quicker",
	    LOG_STR("migration", err->migration), LOG_STR("run", runner->run->id));
	runner->overtaken = mem_zero(runner, struct err);
	*runner->overtaken = *err;
	return RUN_ROLLBACK;
}

/* Not one row: another was quicker, and what this transaction did is too much. */
static enum run_state
record_not_ours(struct runner *runner)
{
	const struct migration *m = runner_step_now(runner)->migration;
	struct err err = { 0 };

	snprintf(err.migration, sizeof(err.migration), "%s", m->id);
	if (runner_step_now(runner)->write != PLAN_ADD_ROW) {
		err_set(&err, CAT_SQL_ERROR,
		    "the row of %s was gone, or another, before it could be changed; nothing "
		    "of this is kept",
		    m->id);
		err_hint(
		    &err, "who else works on the tracking table? GET /status shows it");
		return runner_fail(runner, &err);
	}
	err_set(&err, CAT_SQL_ERROR,
	    "%s was recorded by somebody else while it ran; rolled back", m->id);
	err_hint(&err, "does an application still run its own migrator?");
	return runner_fail_or_overtaken(runner, &err);
}

/* A migration has one row; of rows that are there twice, both go. */
static bool
is_one_row(const struct runner *runner, const PGresult *result)
{
	/* PQcmdTuples only reads, but is not declared so. */
	const char *rows = PQcmdTuples((PGresult *)(uintptr_t)result);

	if (runner_step_now(runner)->write != PLAN_ADD_ROW)
		return strcmp(rows, "0") != 0;
	return strcmp(rows, "1") == 0;
}

static enum run_state
record_inserted(struct runner *runner, const struct pgconn_reply *reply)
{
	if (!is_one_row(runner, reply->result))
		return record_not_ours(runner);
	if (runner_step_begins(runner) == RUN_BEGIN && !runner->has_statements)
		return record_over(runner);
	/* What the journal of statements, or of batches, kept has done its duty. */
	const char *version = runner_step_now(runner)->of->version;
	struct pgconn_statement forget = runner_batch(runner) != NULL
	    ? journal_batches_forget(runner->scratch, &runner->table, version)
	    : journal_statements_forget(runner->scratch, &runner->table, version);

	runner->stage = RECORD_FORGET;
	runner_send(runner, &forget);
	return RUN_RECORD;
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
		tracking_hint_rights(&runner->table, &err);
		/* unique_violation: guard = on, and another's row came first */
		return strcmp(err.sqlstate, "23505") == 0
		    ? runner_fail_or_overtaken(runner, &err)
		    : runner_fail_or_retry(runner, &err);
	}
	switch (runner->stage) {
	case RECORD_LOCK:
		return record_locked(runner, reply);
	case RECORD_INSERT:
		return record_inserted(runner, reply);
	default:
		return record_over(runner);
	}
}

/* ---- COMMIT ---- */

static enum run_state
commit_enter(struct runner *runner)
{
	runner_query(runner, "COMMIT");
	return RUN_COMMIT;
}

/* The row of that migration is there now. */
static void
add_to_history(
    const struct runner *runner, const struct plan_step *step, const struct migration *m)
{
	const struct tracking *kind = runner->table.kind;
	const struct history_row row = {
		.key = kind->key == HISTORY_BY_FILE ? m->file : m->version,
		.name = m->name,
		.checksum = kind->row.checksum ? migration_recorded_checksum(m) : NULL,
		/* of other phases the journal is not asked */
		.baseline = step->write == PLAN_ADD_ROW &&
		    runner->run->phase == PHASE_SCHEMA &&
		    runner->run->operation != PLAN_APPLY,
		.has_order = true,
		.order = m->order,
		.applied_at_us = kind->row.time != NULL ? clock_now_us() : 0,
		.covers_older = kind->has_one_row,
	};

	history_add(runner->history, &row);
}

/* The row is there no more; the only one of its table went back to the migration before. */
static void
take_from_history(const struct runner *runner, const struct plan_step *step)
{
	struct history_row row = *step->row;

	if (runner->table.kind->has_one_row)
		row.key = step->of->version;
	history_remove(runner->history, &row);
	if (runner->table.kind->has_one_row && step->before != NULL)
		add_to_history(runner, step, step->before);
}

/* The transaction is kept: history and run say so. */
static void
commit_done(struct runner *runner)
{
	static const char *const words[PLAN_OPERATION_COUNT] = {
		[PLAN_APPLY] = "applied",
		[PLAN_BASELINE] = "recorded as baseline",
		[PLAN_REPAIR] = "repaired",
		[PLAN_ROLLBACK] = "rolled back",
	};
	struct run *run = runner->run;

	runner_batch_over(runner);
	for (size_t i = runner->txn_first; i <= runner->step; i++) {
		const struct plan_step *step = &runner->plan->steps[i];

		if (step->write != PLAN_ADD_ROW)
			take_from_history(runner, step);
		if (step->write != PLAN_REMOVE_ROW)
			add_to_history(runner, step, step->of);
		run_add_applied(run, step->of, runner->durations_us[i]);
		log_info(words[run->operation], LOG_STR("migration", step->of->id),
		    LOG_INT("migrationDuration", runner->durations_us[i] / 1000),
		    LOG_STR("run", run->id));
	}
	runner_next_step(runner);
}

/* The answer did not come: connect again, take the lock (so the old session is gone), and only
 * then look for the rows. */
static enum run_state
commit_in_doubt(struct runner *runner, const struct err *err)
{
	size_t n = runner->step - runner->txn_first + 1;
	struct runner_doubt *doubt = mem_zero(runner, struct runner_doubt);

	log_warning_with(err,
	    "the connection was lost at COMMIT: connecting again to see",
	    LOG_STR("migration", runner->run->current), LOG_STR("run", runner->run->id));
	snprintf(doubt->xid, sizeof(doubt->xid), "%s", runner->xid);
	doubt->migrations = mem_array(doubt, const struct migration *, n);
	doubt->durations_us = mem_array(doubt, int64_t, n);
	for (size_t i = 0; i < n; i++) {
		doubt->migrations[i] = runner->plan->steps[runner->txn_first + i].of;
		doubt->durations_us[i] = runner->durations_us[runner->txn_first + i];
	}
	doubt->n = n;
	doubt->write = runner_step_now(runner)->write;
	runner->doubt = doubt;
	runner->run->reconnects++;
	runner->in_transaction = false;
	return RUN_CONNECT;
}

/* A segment is committed, the migration is not over. */
static enum run_state
commit_segment(struct runner *runner)
{
	runner->attempt = 0;
	if (runner_batch(runner) != NULL) {
		runner_batch_committed(runner);
		return RUN_PACE;
	}
	runner->segment++;
	if (!runner->cancelled)
		return runner_segment_goes_on(runner);
	runner_fail_stopped(runner);
	return RUN_PHASE;
}

static bool
is_last_segment(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	return script == NULL ||
	    (runner->segment + 1 >= script->n_segments && !runner_batch_goes_on(runner));
}

static enum run_state
commit_failed(struct runner *runner, const struct pgconn_reply *reply, struct err *err)
{
	const struct migration *m = runner_step_now(runner)->migration;

	snprintf(err->migration, sizeof(err->migration), "%s", m->id);
	err_where(err, m->file, 0);
	/* 40003: the server does not know either (CockroachDB) */
	if (!reply->lost && strcmp(err->sqlstate, "40003") != 0)
		return runner_fail_or_retry(runner, err);
	if (runner->run->reconnects < RECONNECTS && !runner->cancelled)
		return commit_in_doubt(runner, err);
	err_hint(err,
	    "whether it was committed is not known; the next %s reads the tracking "
	    "table and goes on from there",
	    run_operation_name(runner->run->operation));
	return runner_fail(runner, err);
}

static enum run_state
commit_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	/*
	 * A transaction that had failed answers COMMIT with the tag ROLLBACK and
	 * success.
	 */
	if (!err_is_set(&err) &&
	    strcmp(PQcmdStatus((PGresult *)(uintptr_t)reply->result), "COMMIT") != 0)
		err_set(&err, CAT_SQL_ERROR, "the server rolled %s back at COMMIT",
		    runner->run->current);
	if (err_is_set(&err))
		return commit_failed(runner, reply, &err);
	runner->in_transaction = false;
	if (!is_last_segment(runner))
		return commit_segment(runner);
	commit_done(runner);
	if (runner_step_now(runner) == NULL)
		return RUN_PHASE;
	if (!runner_is_stopping(runner))
		return runner_goes_on(runner);
	runner_fail_stopped(runner);
	return RUN_PHASE;
}

const struct runner_step runner_step_record = { record_enter, record_answer, NULL };
const struct runner_step runner_step_commit = { commit_enter, commit_answer, NULL };
