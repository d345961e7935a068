/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * From nothing to the lock: the states CONNECT, PROBE, LOCK.
 */

#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/journal.h"
#include "db/lock.h"
#include "db/session.h"

/* ---- CONNECT ---- */

static enum run_state
connect_enter(struct runner *runner)
{
	runner->attempt = 0;
	runner->since_mono_us = clock_mono_us();
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	runner_connect(runner);
	return RUN_CONNECT;
}

static enum run_state
connect_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	int64_t waited_us = clock_mono_us() - runner->since_mono_us;

	runner->connected_mono_us = clock_mono_us();
	runner->session_changed = false;
	if (!err_is_set(&reply->err))
		return runner_is_stopping(runner) ? runner_fail_stopped(runner)
						  : RUN_PROBE;
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	if (!(connect_may_retry(&reply->err) ||
		(runner->attempt == 0 && connect_is_stale(&reply->err))) ||
	    waited_us / 1000 >= runner->params->connect_wait_ms)
		return runner_fail(runner, &reply->err);
	log_warning_with(&reply->err, "cannot connect yet, trying again",
	    LOG_STR("run", runner->run->id));
	runner_pause(runner, connect_pause_ms(runner->attempt++));
	return RUN_CONNECT;
}

static enum run_state
connect_resume(struct runner *runner)
{
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	if (err_is_set(&runner->run->err)) /* a file with a secret could not be read */
		return runner_fail(runner, &runner->run->err);
	runner_connect(runner);
	return RUN_CONNECT;
}

/* ---- PROBE: which engine, then what it says of itself ---- */

enum {
	PROBE_IDENTIFY,
	PROBE_READ
};

static enum run_state
probe_enter(struct runner *runner)
{
	runner_send(runner, engine_ask());
	return RUN_PROBE;
}

static enum run_state
probe_identified(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (err_is_set(&err) ||
	    engine_identify(&runner->engine, runner->params->engine, runner->conn,
		reply->result, &err) < 0)
		return runner_fail(runner, &err);
	runner->stage = PROBE_READ;
	runner_send(runner, engine_query(&runner->engine));
	return RUN_PROBE;
}

/*
 * Whatever phases are asked for, it is the schema's table that is locked. A run that lost
 * its connection comes back for the lock that it had.
 */
static void
probe_choose_lock(struct runner *runner)
{
	struct tracking_table table =
	    connect_tracking_table(runner->params, PHASE_SCHEMA, &runner->engine);

	if (runner->lock.ops != NULL)
		return;
	lock_init(&runner->lock, runner->params->lock_mode, &runner->engine,
	    lock_key(runner->engine.database, table.schema, table.table),
	    runner->params->instance);
	lock_name(&runner->lock, runner->params->process, runner->run->id);
}

static enum run_state
probe_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (runner->stage == PROBE_IDENTIFY)
		return probe_identified(runner, reply);
	if (err_is_set(&err) ||
	    engine_read(&runner->engine, runner->conn, reply->result, &err) < 0 ||
	    engine_check_writable(&runner->engine, &err) < 0)
		return runner_fail(runner, &err);
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	if (runner->engine.inherited[0] != '\0' && runner->run->reconnects == 0)
		log_info("timeouts of role, database or server do not count in this run",
		    LOG_STR("inherited", runner->engine.inherited),
		    LOG_STR("run", runner->run->id));
	if (runner->engine.note[0] != '\0' && runner->connections++ == 0)
		log_info("the server is not plain PostgreSQL",
		    LOG_STR("engine", runner->engine.profile->name),
		    LOG_STR("note", runner->engine.note),
		    LOG_STR("run", runner->run->id));
	probe_choose_lock(runner);
	return RUN_LOCK;
}

/* ---- LOCK: try, and while another has it, ask who and try again ---- */

enum {
	LOCK_LOOK,
	LOCK_CREATE,
	LOCK_ROWS,
	LOCK_TRY,
	LOCK_HOLDER
};

/*
 * The first try of a session of our own carries its settings. Behind a pooler the session is
 * everybody's: there only what a transaction sets for itself is ours to set.
 */
static enum run_state
lock_attempt(struct runner *runner)
{
	struct pgconn_statement statement =
	    runner->lock.ops->try(runner->scratch, &runner->lock);
	struct text sql;

	if (runner->attempt == 0 && !runner->engine.pooled && statement.n_params == 0) {
		text_init(&sql, runner->scratch, BOUND_SQL);
		session_add_settings(&sql, &runner->engine);
		text_add(&sql, statement.sql);
		statement.sql = sql.data;
	}
	runner->stage = LOCK_TRY;
	runner->run->lock_attempts++;
	runner->lock_sent_mono_us = clock_mono_us();
	runner_send(runner, &statement);
	return RUN_LOCK;
}

static enum run_state
lock_look(struct runner *runner)
{
	struct pgconn_statement look =
	    runner->lock.ops->look(runner->scratch, &runner->lock);

	runner->stage = LOCK_LOOK;
	runner_send(runner, &look);
	return RUN_LOCK;
}

static enum run_state
lock_rows(struct runner *runner)
{
	struct pgconn_statement rows =
	    runner->lock.ops->rows(runner->scratch, &runner->lock);

	runner->stage = LOCK_ROWS;
	runner_send(runner, &rows);
	return RUN_LOCK;
}

static enum run_state
lock_looked(struct runner *runner, const PGresult *result)
{
	struct journal_look look = journal_read_look(result);

	if (look.exists)
		return lock_rows(runner);
	struct pgconn_statement create =
	    runner->lock.ops->create(runner->scratch, look.schema_exists);

	runner->stage = LOCK_CREATE;
	runner_send_ddl(runner, &create);
	return RUN_LOCK;
}

static enum run_state
lock_enter(struct runner *runner)
{
	runner->attempt = 0;
	runner->since_mono_us = clock_mono_us();
	return runner->lock.ops->look == NULL ? lock_attempt(runner) : lock_look(runner);
}

static enum run_state
lock_not_in_time(struct runner *runner)
{
	struct err err = { 0 };
	char span[32];

	err_set(&err, CAT_LOCK_TIMEOUT,
	    "another session held the lock for more than %s: %s",
	    clock_format_span(runner->run->lock_wait_us, span, sizeof(span)),
	    runner->run->lock_holder);
	err_hint(&err,
	    "wait for it and call again, or end it: SELECT pg_terminate_backend(PID)");
	return runner_fail(runner, &err);
}

/* Another has it: note who, then wait a little. */
static enum run_state
lock_held_elsewhere(struct runner *runner, const PGresult *result)
{
	char holder[256];

	runner->lock.ops->read_holder(result, holder, sizeof(holder));
	talloc_free(runner->run->lock_holder);
	runner->run->lock_holder = mem_strdup(runner->run, holder);
	if (runner->run->lock_wait_us / 1000 >= runner->params->lock_wait_ms)
		return lock_not_in_time(runner);
	if (runner->attempt == 0)
		log_info("waiting for the lock", LOG_STR("holder", holder),
		    LOG_STR("run", runner->run->id));
	runner_pause(runner, lock_pause_ms(runner->attempt++));
	return RUN_LOCK;
}

/* It is held by a session, or by rows that have to be kept alive. */
static enum run_state
lock_ours(struct runner *runner)
{
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	if (runner->lock.ops->renew != NULL && runner->keeper == NULL)
		runner->keeper = keeper_start(runner->loop, runner->params, &runner->lock,
		    runner_lock_lost, runner);
	/* after a lost connection: back to where it was */
	return runner->folder != NULL ? RUN_PREPARE : RUN_PHASE;
}

static enum run_state
lock_answer_step(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;
	bool ours = false;

	if (strcmp(err.sqlstate, "42501") == 0 && runner->lock.ops->prepare_hint != NULL)
		err_hint(&err, "%s", runner->lock.ops->prepare_hint);
	if (err_is_set(&err) ||
	    (runner->stage == LOCK_TRY &&
		lock_tried(&runner->lock, reply->result, runner->lock_sent_mono_us, &ours,
		    &err) < 0))
		return runner_fail(runner, &err);
	runner->run->lock_wait_us = clock_mono_us() - runner->since_mono_us;
	if (runner->stage == LOCK_LOOK)
		return lock_looked(runner, reply->result);
	if (runner->stage == LOCK_CREATE)
		return lock_rows(runner);
	if (runner->stage == LOCK_ROWS)
		return lock_attempt(runner);
	if (runner->stage == LOCK_HOLDER)
		return lock_held_elsewhere(runner, reply->result);
	if (ours)
		return lock_ours(runner);
	struct pgconn_statement holder =
	    runner->lock.ops->holder(runner->scratch, &runner->lock);

	runner->stage = LOCK_HOLDER;
	runner_send(runner, &holder);
	return RUN_LOCK;
}

static enum run_state
lock_resume(struct runner *runner)
{
	return runner_is_stopping(runner) ? runner_fail_stopped(runner)
					  : lock_attempt(runner);
}

const struct runner_step runner_step_connect = { connect_enter, connect_answer,
	connect_resume };
const struct runner_step runner_step_probe = { probe_enter, probe_answer, NULL };
const struct runner_step runner_step_lock = { lock_enter, lock_answer_step, lock_resume };
