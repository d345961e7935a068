/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * A file that runs in segments: the states RESUME (what has run of it already), MARK (note
 * the statements of a transactional segment, in its transaction), and INTENT, ALONE, OUTCOME
 * around a statement that cannot run in a transaction.
 */

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/locate.h"
#include "db/index_lookup.h"
#include "db/journal.h"
#include "db/journal_statements.h"
#include "db/session.h"

static const struct migration *
migration_now(const struct runner *runner)
{
	return runner_step_now(runner)->migration;
}

/* The statement of the segment in hand, which runs alone. */
static const struct script_statement *
statement_alone(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	return &script->statements[script->segments[runner->segment].first];
}

enum run_state
runner_next_segment(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	/* Behind the last one only the row is missing. */
	if (runner->segment == script->n_segments)
		return RUN_BEGIN;
	return script->segments[runner->segment].transactional ? RUN_BEGIN : RUN_INTENT;
}

/* The error with the migration in hand. */
static struct err
err_here(const struct runner *runner, const struct err *cause)
{
	struct err err = *cause;

	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	err_where(&err, migration_now(runner)->file, 0);
	return err;
}

static enum run_state
fail_at(struct runner *runner, const struct err *cause)
{
	struct err err = err_here(runner, cause);

	return runner_fail(runner, &err);
}

static void
send_finish(struct runner *runner)
{
	struct pgconn_statement finish =
	    journal_statements_finish(runner->scratch, &runner->table,
		migration_now(runner)->version, statement_alone(runner)->number);

	runner_send(runner, &finish);
}

/* ---- RESUME ---- */

enum {
	RESUME_LOOK,
	RESUME_CREATE,
	RESUME_READ,
	RESUME_LOOKUP,
	RESUME_DROP,
	RESUME_FINISH
};

static enum run_state
resume_impossible(struct runner *runner, const char *why, const char *hint)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&err, CAT_CONFIGURATION,
	    "%s cannot run in one transaction, so what ran of it has to be noted, and %s",
	    migration_now(runner)->id, why);
	err_hint(&err, "%s", hint);
	runner->refused = true;
	return fail_at(runner, &err);
}

static enum run_state
resume_enter(struct runner *runner)
{
	runner->segment = 0;
	runner_note_current(runner);
	if (!runner->params->journal)
		return resume_impossible(runner, "journal is off", "set journal = on");
	runner_send(runner, journal_statements_look());
	return RUN_RESUME;
}

static enum run_state
resume_read(struct runner *runner)
{
	struct pgconn_statement read = journal_statements_read(
	    runner->scratch, &runner->table, migration_now(runner)->version);

	runner->stage = RESUME_READ;
	runner_send(runner, &read);
	return RUN_RESUME;
}

static enum run_state
resume_looked(struct runner *runner, const PGresult *result)
{
	bool exists, may_create;

	journal_read_look(result, &exists, &may_create);
	if (exists)
		return resume_read(runner);
	if (!may_create)
		return resume_impossible(runner,
		    "the role may not create the schema migrationd",
		    "CREATE SCHEMA migrationd AUTHORIZATION the role of migrationd");
	runner->stage = RESUME_CREATE;
	runner_send(runner, journal_statements_create());
	return RUN_RESUME;
}

/* A statement was begun and nobody knows its end: the catalogs may. */
static enum run_state
resume_unknown(struct runner *runner)
{
	const struct script_statement *statement = statement_alone(runner);
	enum resume_lookup how = resume_lookup_of(statement);
	struct err err = { 0 };

	if (how == RESUME_AGAIN)
		return RUN_INTENT;
	if (how == RESUME_ASK) {
		resume_ask(migration_now(runner), statement, &err);
		runner->run->in_doubt = true;
		runner->refused = true;
		return runner_fail(runner, &err);
	}
	struct pgconn_statement lookup = index_lookup(runner->scratch, &statement->class);

	runner->stage = RESUME_LOOKUP;
	runner_send(runner, &lookup);
	return RUN_RESUME;
}

static enum run_state
resume_found_rows(struct runner *runner, const PGresult *result)
{
	struct resume found;
	struct err err = { 0 };
	size_t n;
	struct resume_row *rows = journal_statements_rows(runner->scratch, result, &n);

	if (resume_find(runner_script(runner), migration_now(runner), rows, n, &found,
		&err) < 0) {
		runner->run->in_doubt = true;
		runner->refused = true;
		return runner_fail(runner, &err);
	}
	runner->segment = found.segment;
	return found.unknown ? resume_unknown(runner) : runner_next_segment(runner);
}

static enum run_state
resume_looked_up(struct runner *runner, const PGresult *result)
{
	const struct script_statement *statement = statement_alone(runner);
	enum index_state state = index_lookup_read(result);
	bool wants_index = resume_lookup_of(statement) == RESUME_INDEX_MADE;

	if (state == (wants_index ? INDEX_VALID : INDEX_ABSENT)) {
		/* It did run: note it, and go on behind it. */
		runner->stage = RESUME_FINISH;
		send_finish(runner);
		return RUN_RESUME;
	}
	if (!wants_index || state == INDEX_ABSENT)
		return RUN_INTENT;
	/* Our own leftover; IF NOT EXISTS would take it for the index. */
	struct pgconn_statement drop = index_drop(runner->scratch, result);

	log_info("dropping the invalid index that an earlier run left",
	    LOG_STR("index", statement->class.name), LOG_STR("run", runner->run->id));
	runner->stage = RESUME_DROP;
	runner_send(runner, &drop);
	return RUN_RESUME;
}

static enum run_state
resume_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return fail_at(runner, &reply->err);
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	switch (runner->stage) {
	case RESUME_LOOK:
		return resume_looked(runner, reply->result);
	case RESUME_CREATE:
		return resume_read(runner);
	case RESUME_READ:
		return resume_found_rows(runner, reply->result);
	case RESUME_LOOKUP:
		return resume_looked_up(runner, reply->result);
	case RESUME_DROP:
		return RUN_INTENT;
	default:
		runner->segment++;
		return runner_next_segment(runner);
	}
}

/* ---- MARK: the statements of a segment, in its own transaction ---- */

enum {
	MARK_LOCK,
	MARK_NOTE
};

static enum run_state
mark_enter(struct runner *runner)
{
	runner_send_guard(runner);
	return RUN_MARK;
}

static enum run_state
mark_note(struct runner *runner)
{
	const struct script *script = runner_script(runner);
	struct pgconn_statement note = journal_statements_segment(runner->scratch,
	    &runner->table, migration_now(runner)->version, script,
	    &script->segments[runner->segment], runner->run->id);

	runner->stage = MARK_NOTE;
	runner_send(runner, &note);
	return RUN_MARK;
}

static enum run_state
mark_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = err_here(runner, &reply->err);

	if (err_is_set(&err))
		return runner_fail_or_retry(runner, &err);
	if (runner->stage == MARK_NOTE)
		return RUN_COMMIT;
	return lock_answer(reply->result) ? mark_note(runner)
					  : runner_fail_unlocked(runner);
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
	struct pgconn_statement start =
	    journal_statements_start(runner->scratch, &runner->table,
		migration_now(runner)->version, statement_alone(runner), runner->run->id);

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
	session_add_fresh_start(&sql, runner->engine.version, false);
	script_add_opening(runner_script(runner), runner->segment, &sql);
	/*
	 * Behind what the file sets: no lock_timeout, and the server is to go on without
	 * us. A CREATE INDEX CONCURRENTLY that is cut leaves an invalid index behind.
	 */
	text_add(&sql, "SET lock_timeout = 0;");
	session_add_unwatched(&sql, runner->engine.version);
	runner_add_timeouts(runner, &sql, "SESSION", false);
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
	return fail_at(runner, &err);
}

/* Cancelled; where the note is made, it says what is not so. */
static enum run_state
intent_stopped(struct runner *runner)
{
	if (runner->stage != INTENT_NOTE)
		return runner_fail_stopped(runner);
	struct pgconn_statement withdraw = journal_statements_repair(
	    runner->scratch, &runner->table, migration_now(runner)->version, "retry");

	runner->stage = INTENT_WITHDRAW;
	runner_send(runner, &withdraw);
	return RUN_INTENT;
}

static enum run_state
intent_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return fail_at(runner, &reply->err);
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
	const struct script_statement *statement = statement_alone(runner);

	runner_execute(runner, statement->text, statement->len);
	return RUN_ALONE;
}

static enum run_state
alone_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	runner->run->statements += reply->n_completed;
	if (!err_is_set(&err))
		return RUN_OUTCOME;
	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	locate_statement(
	    migration_now(runner), statement_alone(runner), reply->position, &err);
	err_hint(&err,
	    "it ran outside a transaction and is not undone; the next POST /apply looks "
	    "what it left, and asks where the catalogs cannot tell");
	return runner_fail(runner, &err);
}

/* ---- OUTCOME: what did it leave; then it is done ---- */

enum {
	OUTCOME_LOOKUP,
	OUTCOME_FINISH
};

static enum run_state
outcome_finish(struct runner *runner)
{
	runner->stage = OUTCOME_FINISH;
	send_finish(runner);
	return RUN_OUTCOME;
}

static enum run_state
outcome_enter(struct runner *runner)
{
	const struct script_statement *statement = statement_alone(runner);

	if (resume_lookup_of(statement) != RESUME_INDEX_MADE)
		return outcome_finish(runner);
	struct pgconn_statement lookup = index_lookup(runner->scratch, &statement->class);

	runner_send(runner, &lookup);
	return RUN_OUTCOME;
}

/* IF NOT EXISTS is content with an index of that name, valid or not: we are not. */
static enum run_state
outcome_invalid(struct runner *runner)
{
	const struct script_statement *statement = statement_alone(runner);
	struct err err = { 0 };

	err_set(&err, CAT_SQL_ERROR, "index %s is there, but not valid",
	    statement->class.name);
	err_hint(
	    &err, "DROP INDEX CONCURRENTLY %s, then POST /apply", statement->class.name);
	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	locate_statement(migration_now(runner), statement, 0, &err);
	return runner_fail(runner, &err);
}

static enum run_state
outcome_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return fail_at(runner, &reply->err);
	if (runner->stage == OUTCOME_LOOKUP)
		return index_lookup_read(reply->result) == INDEX_INVALID
		    ? outcome_invalid(runner)
		    : outcome_finish(runner);
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	runner->segment++;
	return runner_next_segment(runner);
}

const struct runner_step runner_step_resume = { resume_enter, resume_answer, NULL };
const struct runner_step runner_step_mark = { mark_enter, mark_answer, NULL };
const struct runner_step runner_step_intent = { intent_enter, intent_answer, NULL };
const struct runner_step runner_step_alone = { alone_enter, alone_answer, NULL };
const struct runner_step runner_step_outcome = { outcome_enter, outcome_answer, NULL };
