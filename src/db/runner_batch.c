/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * A migration that runs in batches: the states BATCH (how far it is, and what there is to
 * do) and PACE (between two batches). A batch itself goes through BEGIN, PART, MARK and
 * COMMIT; the one that touches no row through RECORD.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/journal.h"
#include "db/journal_batches.h"
#include "db/session.h"

/* How often the server is asked whether it or its replicas are behind. */
#define LOAD_INTERVAL_US INT64_C(1000000)
#define LOAD_PAUSE_MS    1000u

const struct batch *
runner_batch(const struct runner *runner)
{
	const struct script *script = runner_script(runner);

	return script != NULL ? script->batch : NULL;
}

static const char *
version_now(const struct runner *runner)
{
	return runner_step_now(runner)->migration->version;
}

/* ---- BATCH ---- */

enum {
	BATCH_SESSION,
	BATCH_LOOK,
	BATCH_CREATE,
	BATCH_READ,
	BATCH_COUNT,
	BATCH_BOUND
};

static enum run_state
batch_look(struct runner *runner)
{
	runner->stage = BATCH_LOOK;
	runner_send(runner, journal_batches_look());
	return RUN_BATCH;
}

/* What a file before it has SET is not to change what is counted. */
static enum run_state
batch_enter(struct runner *runner)
{
	struct text sql;

	runner->segment = 0;
	runner->run->batch = (struct run_batch){ .total = -1 };
	runner_note_current(runner);
	if (!runner->params->journal)
		return runner_fail_unjournalled(
		    runner, "journal is off", "set journal = on");
	text_init(&sql, runner->scratch, BOUND_SQL);
	/* Behind a pooler there is no session to set. */
	if (!runner->engine.pooled)
		session_add_fresh_start(&sql, &runner->engine, false);
	if (sql.len == 0)
		return batch_look(runner);
	runner_query(runner, sql.data);
	return RUN_BATCH;
}

static enum run_state
batch_read(struct runner *runner)
{
	struct pgconn_statement read =
	    journal_batches_read(runner->scratch, &runner->table, version_now(runner));

	runner->stage = BATCH_READ;
	runner_send(runner, &read);
	return RUN_BATCH;
}

static enum run_state
batch_looked(struct runner *runner, const PGresult *result)
{
	struct journal_look look = journal_read_look(result);

	if (look.exists)
		return batch_read(runner);
	runner->stage = BATCH_CREATE;
	return runner_create_notes(runner, &look, journal_batches_create);
}

static enum run_state
batch_start(struct runner *runner)
{
	struct run_batch *batch = &runner->run->batch;

	batch->on = true;
	runner->batch_rows = 0;
	runner->batch_start_rows = batch->rows;
	runner->batch_start_us = clock_mono_us();
	runner->load_seen_us = 0;
	batch_measure(batch, batch->rows, 0, 0);
	log_info(batch->batches > 0 ? "going on with batches" : "beginning with batches",
	    LOG_STR("migration", runner->run->current),
	    LOG_INT("batches", batch->batches), LOG_INT("rows", batch->rows),
	    LOG_INT("total", batch->total), LOG_STR("run", runner->run->id));
	return RUN_BEGIN;
}

static enum run_state
batch_ask_bound(struct runner *runner)
{
	struct pgconn_statement ask =
	    journal_batches_bound(runner->scratch, runner_batch(runner));

	if (runner_batch(runner)->adds)
		return batch_start(runner);
	runner->stage = BATCH_BOUND;
	runner_send(runner, &ask);
	return RUN_BATCH;
}

/* Nothing of it is done yet: what is there to do? */
static enum run_state
batch_ask_count(struct runner *runner)
{
	const struct batch *batch = runner_batch(runner);

	if (batch->count == NULL)
		return batch_ask_bound(runner);
	runner->stage = BATCH_COUNT;
	runner_query(
	    runner, mem_strndup(runner->scratch, batch->count, batch->count_len));
	return RUN_BATCH;
}

static enum run_state
batch_counted(struct runner *runner, const PGresult *result)
{
	const char *value = PQntuples(result) == 1 && PQnfields(result) == 1
	    ? PQgetvalue(result, 0, 0)
	    : "";
	struct err err = { .exit_code = EXIT_REFUSED };

	if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value)) {
		err_set(&err, CAT_SQL_ERROR, "batch-count has to answer with one number");
		return runner_fail_here(runner, &err);
	}
	runner->run->batch.total = strtoll(value, NULL, 10);
	return batch_ask_bound(runner);
}

static enum run_state
batch_bounded(struct runner *runner, const PGresult *result)
{
	struct run_batch *batch = &runner->run->batch;

	batch->bound = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	if (batch->bound > 0 && batch->total > (int64_t)batch->bound)
		batch->bound = (uint64_t)batch->total;
	return batch_start(runner);
}

static enum run_state
batch_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (err_is_set(&err) && runner->stage == BATCH_COUNT && !reply->lost)
		err_wrap(&err, "batch-count");
	if (runner->stage == BATCH_READ)
		journal_hint_rights("batches", &err);
	if (err_is_set(&err))
		return runner_fail_here(runner, &err);
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	switch (runner->stage) {
	case BATCH_SESSION:
		return batch_look(runner);
	case BATCH_LOOK:
		return batch_looked(runner, reply->result);
	case BATCH_CREATE:
		return batch_read(runner);
	case BATCH_READ:
		return journal_batches_read_row(reply->result, &runner->run->batch)
		    ? batch_start(runner)
		    : batch_ask_count(runner);
	case BATCH_COUNT:
		return batch_counted(runner, reply->result);
	default:
		return batch_bounded(runner, reply->result);
	}
}

/* ---- one batch, as the states of a transaction see it ---- */

void
runner_batch_send(struct runner *runner, const struct script_statement *statement)
{
	unsigned size = runner_batch(runner)->size;
	struct pgconn_statement sized = {
		.sql = mem_strndup(runner->scratch, statement->text, statement->len),
		.n_params = size > 0,
		.params = { mem_printf(runner->scratch, "%u", size) },
	};

	runner_send_watched(runner, &sized);
}

int
runner_batch_took(struct runner *runner, const PGresult *result, struct err *err)
{
	struct run_batch next = runner->run->batch;

	/* PQcmdTuples only reads, but is not declared so. */
	runner->batch_rows =
	    strtoull(PQcmdTuples((PGresult *)(uintptr_t)result), NULL, 10);
	next.rows += runner->batch_rows;
	return batch_check_end(&next, err);
}

bool
runner_batch_goes_on(const struct runner *runner)
{
	return runner_batch(runner) != NULL && runner->batch_rows > 0;
}

void
runner_batch_note(struct runner *runner)
{
	struct pgconn_statement note =
	    journal_batches_note(runner->scratch, &runner->table, version_now(runner),
		&runner->run->batch, runner->batch_rows, runner->run->id);

	runner_send(runner, &note);
}

void
runner_batch_committed(struct runner *runner)
{
	struct run_batch *batch = &runner->run->batch;

	batch->batches++;
	batch->rows += runner->batch_rows;
	batch_measure(
	    batch, runner->batch_start_rows, runner->batch_start_us, clock_mono_us());
}

void
runner_batch_over(struct runner *runner)
{
	struct run_batch *batch = &runner->run->batch;

	if (batch->on)
		log_info("all batches done", LOG_STR("migration", runner->run->current),
		    LOG_INT("batches", batch->batches), LOG_INT("rows", batch->rows),
		    LOG_STR("run", runner->run->id));
	batch->on = false;
}

/* ---- PACE ---- */

static bool
wants_look(const struct runner *runner)
{
	const struct target_params *params = runner->params;

	return (params->batch_max_lag_ms > 0 || params->batch_max_active > 0) &&
	    clock_mono_us() - runner->load_seen_us >= LOAD_INTERVAL_US;
}

static enum run_state
pace_look(struct runner *runner)
{
	runner->load_seen_us = clock_mono_us();
	runner_send(runner, journal_batches_load());
	return RUN_PACE;
}

/* The next batch; the journal knows how far it is. */
static enum run_state
pace_over(const struct runner *runner)
{
	return runner_needs_connection(runner) ? RUN_CONNECT : RUN_BEGIN;
}

static enum run_state
pace_rest(struct runner *runner)
{
	int64_t pause_ms = runner_batch(runner)->pause_ms;

	if (pause_ms == 0)
		return pace_over(runner);
	runner_pause(runner, (uint64_t)pause_ms);
	return RUN_PACE;
}

static enum run_state
pace_enter(struct runner *runner)
{
	runner->run->batch.held[0] = '\0';
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	return wants_look(runner) ? pace_look(runner) : pace_rest(runner);
}

/* A limit that cannot hold is not to look as if it did. */
static void
warn_of_hidden_load(struct runner *runner, const PGresult *result)
{
	const struct target_params *params = runner->params;
	bool lag = params->batch_max_lag_ms > 0 && *PQgetvalue(result, 0, 2) == 't';
	bool active = params->batch_max_active > 0 && *PQgetvalue(result, 0, 3) == 't';
	struct err err = { 0 };

	if (runner->load_is_hidden || (!lag && !active))
		return;
	runner->load_is_hidden = true;
	err_set(&err, CAT_PERMISSION_DENIED,
	    "%s not held to: the role may not see what %s do; GRANT pg_monitor TO it",
	    lag && active ? "batch_max_lag and batch_max_active are"
		: lag     ? "batch_max_lag is"
			  : "batch_max_active is",
	    lag && active ? "replicas and other sessions"
		: lag     ? "replicas"
			  : "other sessions");
	log_warning_with(
	    &err, "batches are not held back", LOG_STR("run", runner->run->id));
	run_add_warning(runner->run, &err);
}

/* Why the next batch has to wait; false: it has not. */
static bool
read_load(struct runner *runner, const PGresult *result)
{
	const struct target_params *params = runner->params;
	struct run_batch *batch = &runner->run->batch;
	int64_t lag_ms = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	unsigned long active = strtoul(PQgetvalue(result, 0, 1), NULL, 10);
	bool was_held = batch->held[0] != '\0';
	char span[CLOCK_TEXT];

	batch->held[0] = '\0';
	if (params->batch_max_lag_ms > 0 && lag_ms > params->batch_max_lag_ms)
		snprintf(batch->held, sizeof(batch->held), "a replica is %s behind",
		    clock_format_span(lag_ms * 1000, span, sizeof(span)));
	else if (params->batch_max_active > 0 && active > params->batch_max_active)
		snprintf(
		    batch->held, sizeof(batch->held), "%lu sessions are active", active);
	if (batch->held[0] != '\0' && !was_held)
		log_info("the next batch waits", LOG_STR("why", batch->held),
		    LOG_STR("migration", runner->run->current),
		    LOG_STR("run", runner->run->id));
	return batch->held[0] != '\0';
}

static enum run_state
pace_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	if (err_is_set(&reply->err))
		return runner_fail_here(runner, &reply->err);
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	warn_of_hidden_load(runner, reply->result);
	if (!read_load(runner, reply->result))
		return pace_rest(runner);
	runner_pause(runner, LOAD_PAUSE_MS);
	return RUN_PACE;
}

static enum run_state
pace_resume(struct runner *runner)
{
	if (runner_is_stopping(runner))
		return runner_fail_stopped(runner);
	return runner->run->batch.held[0] != '\0' ? pace_look(runner) : pace_over(runner);
}

const struct runner_step runner_step_batch = { batch_enter, batch_answer, NULL };
const struct runner_step runner_step_pace = { pace_enter, pace_answer, pace_resume };
