/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * A file that runs in segments: the states RESUME (what has run of it already) and MARK
 * (note the statements of a transactional segment, in its transaction).
 */

#include <stdio.h>

#include "base/bounds.h"
#include "base/log.h"
#include "db/effect_lookup.h"
#include "db/index_lookup.h"
#include "db/journal.h"
#include "db/journal_statements.h"
#include "db/session.h"

static const struct migration *
migration_now(const struct runner *runner)
{
	return runner_step_now(runner)->migration;
}

static bool
is_way_back(const struct runner *runner)
{
	return runner->run->operation == PLAN_ROLLBACK;
}

const char *
runner_journal_key(const struct runner *runner)
{
	const char *version = runner_step_now(runner)->of->version;

	return is_way_back(runner) ? journal_statements_key_back(runner->scratch, version)
				   : version;
}

const struct script_statement *
runner_statement_alone(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	return &script->statements[script->segments[runner->segment].first];
}

/* The next segment's first state: BEGIN (a transaction, or only the row) or INTENT. */
static enum run_state
next_segment(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	/* Behind the last one only the row is missing. */
	if (runner->segment == script->n_segments)
		return RUN_BEGIN;
	return script->segments[runner->segment].transactional ? RUN_BEGIN : RUN_INTENT;
}

enum run_state
runner_segment_goes_on(const struct runner *runner)
{
	return runner_needs_connection(runner) ? RUN_CONNECT : next_segment(runner);
}

/* The error, with the migration in hand. */
static struct err
err_here(const struct runner *runner, const struct err *cause)
{
	struct err err = *cause;

	snprintf(err.migration, sizeof(err.migration), "%s", migration_now(runner)->id);
	err_where(&err, migration_now(runner)->file, 0);
	return err;
}

enum run_state
runner_fail_here(struct runner *runner, const struct err *cause)
{
	struct err err = err_here(runner, cause);

	return runner_fail(runner, &err);
}

void
runner_finish_statement(struct runner *runner)
{
	struct pgconn_statement finish =
	    journal_statements_finish(runner->scratch, &runner->table,
		runner_journal_key(runner), runner_statement_alone(runner)->number);

	runner_send(runner, &finish);
}

/* ---- RESUME ---- */

enum {
	RESUME_LOOK,
	RESUME_CREATE,
	RESUME_READ,
	RESUME_SESSION,
	RESUME_LOOKUP,
	RESUME_JOB,
	RESUME_EFFECT,
	RESUME_DROP,
	RESUME_FINISH
};

enum run_state
runner_fail_unjournalled(struct runner *runner, const char *why, const char *hint)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&err, CAT_CONFIGURATION,
	    "%s cannot run in one transaction, so what ran of it has to be noted, and %s",
	    migration_now(runner)->id, why);
	err_hint(&err, "%s", hint);
	runner->refused = true;
	return runner_fail_here(runner, &err);
}

enum run_state
runner_create_notes(struct runner *runner, const struct journal_look *look,
    struct pgconn_statement (*create)(const void *ctx, bool schema_exists))
{
	struct pgconn_statement ddl = create(runner->scratch, look->schema_exists);

	if (!look->may_create && look->schema_exists)
		return runner_fail_unjournalled(runner,
		    "the role may not create a table in the schema migrationd",
		    "let its owner GRANT USAGE, CREATE ON SCHEMA migrationd TO this role");
	if (!look->may_create)
		return runner_fail_unjournalled(runner,
		    "the role may not create the schema migrationd",
		    "CREATE SCHEMA migrationd AUTHORIZATION the role of migrationd");
	runner_send_ddl(runner, &ddl);
	return runner->run->state;
}

static enum run_state
resume_enter(struct runner *runner)
{
	runner->segment = 0;
	runner_note_current(runner);
	if (!runner->params->journal)
		return runner_fail_unjournalled(
		    runner, "journal is off", "set journal = on");
	runner_send(runner, journal_statements_look());
	return RUN_RESUME;
}

static enum run_state
resume_read(struct runner *runner)
{
	struct pgconn_statement read = journal_statements_read(
	    runner->scratch, &runner->table, runner_journal_key(runner));

	runner->stage = RESUME_READ;
	runner_send(runner, &read);
	return RUN_RESUME;
}

static enum run_state
resume_looked(struct runner *runner, const PGresult *result)
{
	struct journal_look look = journal_read_look(result);

	if (look.exists)
		return resume_read(runner);
	runner->stage = RESUME_CREATE;
	return runner_create_notes(runner, &look, journal_statements_create);
}

static enum run_state
resume_look_up(struct runner *runner)
{
	const struct script_statement *statement = runner_statement_alone(runner);
	bool of_object = resume_lookup_of(statement) == RESUME_OBJECT;
	struct sqleffect effect = resume_effect(statement);
	struct pgconn_statement lookup = of_object
	    ? effect_lookup(runner->scratch, &effect)
	    : index_lookup(runner->scratch, &statement->class);

	runner->stage = of_object ? RESUME_EFFECT : RESUME_LOOKUP;
	runner_send(runner, &lookup);
	return RUN_RESUME;
}

/* What it names without a schema is where the file's own SET says. */
static enum run_state
resume_session(struct runner *runner)
{
	struct text sql;

	/* Behind a pooler there is no session to set. */
	if (runner->engine.pooled)
		return resume_look_up(runner);
	text_init(&sql, runner->scratch, BOUND_SQL);
	session_add_fresh_start(&sql, &runner->engine, false);
	script_add_opening(runner_script(runner), runner->segment, &sql);
	if (sql.len == 0)
		return resume_look_up(runner);
	runner->stage = RESUME_SESSION;
	runner_query(runner, sql.data);
	return RUN_RESUME;
}

/* A statement was begun and nobody knows its end: the catalogs may. */
static enum run_state
resume_unknown(struct runner *runner)
{
	const struct script_statement *statement = runner_statement_alone(runner);
	enum resume_lookup how = resume_lookup_of(statement);
	struct err err = { 0 };

	if (how == RESUME_AGAIN)
		return RUN_INTENT;
	if (how != RESUME_ASK)
		return resume_session(runner);
	resume_ask(migration_now(runner), statement, is_way_back(runner), &err);
	runner->run->in_doubt = true;
	runner->refused = true;
	return runner_fail(runner, &err);
}

static enum run_state
resume_found_rows(struct runner *runner, const PGresult *result)
{
	struct resume found;
	struct err err = { 0 };
	size_t n;
	struct resume_row *rows = journal_statements_rows(runner->scratch, result, &n);

	if (resume_find(runner_script(runner), migration_now(runner), is_way_back(runner),
		rows, n, &found, &err) < 0) {
		runner->run->in_doubt = true;
		runner->refused = true;
		return runner_fail(runner, &err);
	}
	runner->segment = found.segment;
	return found.unknown ? resume_unknown(runner) : next_segment(runner);
}

/* It did run: note it, and go on behind it. */
static enum run_state
resume_finish(struct runner *runner)
{
	runner->stage = RESUME_FINISH;
	runner_finish_statement(runner);
	return RUN_RESUME;
}

/* Our own leftover; IF NOT EXISTS would take it for the index. */
static enum run_state
resume_drop(struct runner *runner)
{
	const struct script_statement *statement = runner_statement_alone(runner);

	log_info("dropping the invalid index that an earlier run left",
	    LOG_STR("index", statement->class.name), LOG_STR("run", runner->run->id));
	runner->stage = RESUME_DROP;
	runner_send(runner, &runner->drop);
	return RUN_RESUME;
}

static enum run_state
resume_looked_up(struct runner *runner, const PGresult *result)
{
	const struct script_statement *statement = runner_statement_alone(runner);
	enum index_state state = index_lookup_read(result);
	bool wants_index = resume_lookup_of(statement) == RESUME_INDEX_MADE;

	if (state == (wants_index ? INDEX_VALID : INDEX_ABSENT))
		return resume_finish(runner);
	if (!wants_index || state == INDEX_ABSENT)
		return RUN_INTENT;
	runner->drop =
	    index_drop(runner, result, engine_can(&runner->engine, ENGINE_CONCURRENT));
	if (!engine_can(&runner->engine, ENGINE_JOBS))
		return resume_drop(runner);
	struct pgconn_statement job = runner_job_of(runner->scratch, result);

	runner->stage = RESUME_JOB;
	runner_send(runner, &job);
	return RUN_RESUME;
}

static enum run_state
resume_found_job(struct runner *runner, const PGresult *result)
{
	if (!runner_take_job(runner, result))
		return resume_drop(runner);
	log_info("waiting for the job that an earlier run began",
	    LOG_STR("job", runner->job), LOG_STR("run", runner->run->id));
	return RUN_OUTCOME;
}

static enum run_state
resume_found_effect(struct runner *runner, const PGresult *result)
{
	struct sqleffect effect = resume_effect(runner_statement_alone(runner));

	return effect_lookup_ran(&effect, result) ? resume_finish(runner) : RUN_INTENT;
}

static enum run_state
resume_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (runner->stage == RESUME_READ)
		journal_hint_rights("statements", &err);
	if (err_is_set(&err))
		return runner_fail_here(runner, &err);
	if (runner->cancelled)
		return runner_fail_stopped(runner);
	switch (runner->stage) {
	case RESUME_LOOK:
		return resume_looked(runner, reply->result);
	case RESUME_CREATE:
		return resume_read(runner);
	case RESUME_READ:
		return resume_found_rows(runner, reply->result);
	case RESUME_SESSION:
		return resume_look_up(runner);
	case RESUME_LOOKUP:
		return resume_looked_up(runner, reply->result);
	case RESUME_JOB:
		return resume_found_job(runner, reply->result);
	case RESUME_EFFECT:
		return resume_found_effect(runner, reply->result);
	case RESUME_DROP:
		return RUN_INTENT;
	default:
		runner->segment++;
		return next_segment(runner);
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
	    &runner->table, runner_journal_key(runner), script,
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
	if (!lock_answer(reply->result))
		return runner_fail_unlocked(runner);
	if (runner_batch(runner) == NULL)
		return mark_note(runner);
	runner->stage = MARK_NOTE;
	runner_batch_note(runner);
	return RUN_MARK;
}

const struct runner_step runner_step_resume = { resume_enter, resume_answer, NULL };
const struct runner_step runner_step_mark = { mark_enter, mark_answer, NULL };
