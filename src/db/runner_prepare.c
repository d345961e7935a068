/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * The tracking table: the state PREPARE. Look first, so that no CREATE right is needed where all
 * is there, and nothing is created where the run is refused.
 */

#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"

enum {
	PREPARE_LOOK,
	PREPARE_OTHERS,
	PREPARE_OTHERS_ROWS,
	PREPARE_CREATE,
	PREPARE_GUARD
};

static enum run_state
prepare_enter(struct runner *runner)
{
	struct pgconn_statement statement =
	    tracking_look(runner->scratch, &runner->table);

	runner_send(runner, &statement);
	return RUN_PREPARE;
}

/* The table is as it should be; what is left is the index of guard = on. */
static enum run_state
prepare_guard(struct runner *runner)
{
	struct pgconn_statement guard = tracking_guard(runner->scratch, &runner->table);

	if (!runner->params->guard || runner->look.guarded || guard.sql[0] == '\0')
		return RUN_HISTORY;
	runner->stage = PREPARE_GUARD;
	runner_send(runner, &guard);
	return RUN_PREPARE;
}

/* Without it the run is no worse off than before: it goes on. */
static enum run_state
prepare_guarded(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (reply->lost)
		return runner_fail(runner, &err);
	if (err_is_set(&err)) {
		tracking_guard_refused(&runner->table, &err);
		run_add_warning(runner->run, &err);
	}
	return RUN_HISTORY;
}

static enum run_state
prepare_table(struct runner *runner)
{
	struct pgconn_statement create = { 0 };

	if (runner->look.table_exists)
		return prepare_guard(runner);
	create =
	    tracking_create(runner->scratch, &runner->table, runner->look.schema_exists);
	runner->stage = PREPARE_CREATE;
	runner_send_ddl(runner, &create);
	return RUN_PREPARE;
}

/*
 * Nothing may have been created when it turns out that all is recorded elsewhere. Where ours has
 * rows the server says so: they are read under the state HISTORY.
 */
static enum run_state
prepare_others(struct runner *runner)
{
	const struct run *run = runner->run;
	struct pgconn_statement ask = { 0 };

	if (!runner->params->heed_others || run->phase != PHASE_SCHEMA ||
	    run->operation != PLAN_APPLY || runner->folder->n_migrations == 0)
		return prepare_table(runner);
	ask = tracking_elsewhere(
	    runner->scratch, &runner->table, runner->look.table_exists);
	runner->stage = PREPARE_OTHERS;
	runner_send(runner, &ask);
	return RUN_PREPARE;
}

/* All of them were read: the history takes what was found, for the plan to note. */
static enum run_state
prepare_others_end(struct runner *runner)
{
	struct elsewhere *found = tracking_elsewhere_end(runner->others, runner);
	const struct elsewhere_table *table =
	    found != NULL ? elsewhere_find(found, runner->folder) : NULL;
	struct err err = { 0 };

	TALLOC_FREE(runner->others);
	runner->elsewhere = found;
	if (table == NULL)
		return prepare_table(runner);
	elsewhere_refuse(found, table, runner->folder->layout, &err);
	runner->refused = true;
	return runner_fail(runner, &err);
}

static enum run_state
prepare_next_other(struct runner *runner)
{
	struct pgconn_statement ask = { 0 };

	if (!tracking_elsewhere_ask(runner->others, runner->scratch, &ask))
		return prepare_others_end(runner);
	runner->stage = PREPARE_OTHERS_ROWS;
	runner_send(runner, &ask);
	return RUN_PREPARE;
}

static enum run_state
prepare_others_found(struct runner *runner, const PGresult *result)
{
	runner->others = tracking_elsewhere_new(runner, &runner->table, result);
	return prepare_next_other(runner);
}

static enum run_state
prepare_others_rows(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = { 0 };

	return tracking_elsewhere_rows(runner->others, reply, &err) < 0
	    ? runner_fail(runner, &err)
	    : prepare_next_other(runner);
}

static enum run_state
prepare_looked(struct runner *runner, const PGresult *result)
{
	struct err err = { 0 };

	tracking_read_look(runner, result, &runner->look);
	tracking_settle(&runner->table, &runner->look);
	return tracking_check(&runner->table, &runner->look, &err) < 0
	    ? runner_fail(runner, &err)
	    : prepare_others(runner);
}

/* The role may not make the table. */
static void
hint_at_creating(const struct runner *runner, struct err *err)
{
	bool has_schema = runner->look.schema_exists;
	struct text name;

	if (strcmp(err->sqlstate, "42501") != 0)
		return;
	text_init(&name, runner->scratch, BOUND_SQL);
	text_add_identifier(
	    &name, has_schema ? runner->table.schema : runner->engine.database);
	if (has_schema)
		err_hint(err,
		    "let its owner GRANT USAGE, CREATE ON SCHEMA %s TO this role, or make "
		    "the table as somebody who may",
		    name.data);
	else
		err_hint(err,
		    "let its owner GRANT CREATE ON DATABASE %s TO this role, or make schema "
		    "and table as somebody who may",
		    name.data);
}

static enum run_state
prepare_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (runner->stage == PREPARE_GUARD)
		return prepare_guarded(runner, reply);
	if (runner->stage == PREPARE_OTHERS_ROWS)
		return prepare_others_rows(runner, reply);
	if (err_is_set(&err)) {
		err_wrap(&err, "tracking table %s.%s", runner->table.schema,
		    runner->table.table);
		if (runner->stage == PREPARE_CREATE)
			hint_at_creating(runner, &err);
		tracking_hint_rights(&runner->table, &err);
		return runner_fail(runner, &err);
	}
	switch (runner->stage) {
	case PREPARE_LOOK:
		return prepare_looked(runner, reply->result);
	case PREPARE_OTHERS:
		return prepare_others_found(runner, reply->result);
	default:
		return prepare_guard(runner);
	}
}

const struct runner_step runner_step_prepare = { prepare_enter, prepare_answer, NULL };
