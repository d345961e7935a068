/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What a person decided (core/repair.h): the state REPAIR. A statement in doubt is answered
 * for; or there is a row to write, in the states BEGIN, RECORD and COMMIT; or the index of
 * guard = on is removed.
 */

#include <string.h>

#include "base/mem.h"
#include "core/repair.h"
#include "db/journal.h"
#include "db/journal_statements.h"

enum {
	REPAIR_LOOK,
	REPAIR_DECIDE,
	REPAIR_UNGUARD
};

/* The index of guard = on goes, if it is ours: one of another name is another's. */
static enum run_state
repair_unguard(struct runner *runner)
{
	struct pgconn_statement unguard =
	    tracking_unguard(runner->scratch, &runner->table);
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	if (runner->look.guarded && unguard.sql[0] != '\0') {
		runner->stage = REPAIR_UNGUARD;
		runner_send(runner, &unguard);
		return RUN_REPAIR;
	}
	err_set(&err, CAT_CONFIGURATION, "table %s.%s has no guard", runner->table.schema,
	    runner->table.table);
	runner->refused = true;
	return runner_fail(runner, &err);
}

static const struct plan_item *
item_now(const struct runner *runner)
{
	return plan_find(runner->plan, runner->run->up_to);
}

static enum run_state
repair_refused(struct runner *runner, const struct err *err)
{
	runner->refused = true;
	return runner_fail(runner, err);
}

/* Whatever it was called, from here on the run goes by its id. */
static enum run_state
repair_enter(struct runner *runner)
{
	struct run *run = runner->run;
	struct err err = { 0 };
	const struct plan_item *item;
	struct repair repair;

	if (repair_is_of_guard(run->action))
		return repair_unguard(runner);
	item = item_now(runner);
	if (item == NULL && runner_has_more_phases(runner))
		return RUN_PHASE;
	if (repair_decide(item, run->up_to, run->action, &repair, &err) < 0)
		return repair_refused(runner, &err);
	runner->repaired = true;
	run->up_to = mem_strdup(run, item->id);
	run->before = migration_state_name(item->state);
	runner_send(runner, journal_statements_look());
	return RUN_REPAIR;
}

/* Nothing of it is in doubt: it is about the row, in a transaction of its own. */
static enum run_state
repair_row(struct runner *runner, const struct repair *repair)
{
	const struct tracking *kind = runner->table.kind;
	const struct plan_item *item = item_now(runner);
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	if (repair->write == PLAN_KEEP_ROW) {
		repair_refuse(item, runner->run->action, &err);
		return repair_refused(runner, &err);
	}
	if (repair->write == PLAN_BLESS_ROW && kind->row.checksum == NULL) {
		/* what it was applied with stands in our journal alone */
		if (!runner->params->journal) {
			err_set(&err, CAT_CONFIGURATION,
			    "a %s table keeps no checksums, and journal is off",
			    kind->name);
			err_hint(&err, "set journal = on");
			return repair_refused(runner, &err);
		}
		run_plan_phase(runner->run, 1);
		run_add_applied(runner->run, item->migration, 0);
		runner->run->after = repair->after;
		return RUN_PHASE;
	}
	if ((repair->write == PLAN_REMOVE_ROW && kind->forget == NULL) ||
	    (repair->write == PLAN_BLESS_ROW && kind->bless == NULL)) {
		err_set(&err, CAT_CONFIGURATION,
		    "migrationd does not change rows of a %s tracking table", kind->name);
		err_hint(&err, "%s",
		    kind->stays_hint ? kind->stays_hint
				     : "its own tool may have a command for it");
		return repair_refused(runner, &err);
	}
	repair_plan(runner->plan, item, repair->write);
	runner->run->after = repair->after;
	run_plan_phase(runner->run, 1);
	return RUN_BEGIN;
}

static enum run_state
repair_ask(struct runner *runner, const struct repair *repair)
{
	const char *version = item_now(runner)->migration->version;
	struct pgconn_statement statement =
	    journal_statements_repair(runner->scratch, &runner->table,
		repair->back ? journal_statements_key_back(runner->scratch, version)
			     : version,
		runner->run->action);

	runner->stage = REPAIR_DECIDE;
	runner_send(runner, &statement);
	return RUN_REPAIR;
}

static enum run_state
repair_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct repair repair;
	struct err err = { 0 };

	if (err_is_set(&reply->err))
		return runner_fail(runner, &reply->err);
	if (runner->stage == REPAIR_UNGUARD)
		return RUN_PHASE;
	if (repair_decide(item_now(runner), runner->run->up_to, runner->run->action,
		&repair, &err) < 0)
		return repair_refused(runner, &err);
	if (runner->stage == REPAIR_DECIDE)
		return strcmp(PQcmdTuples((PGresult *)(uintptr_t)reply->result), "0") == 0
		    ? repair_row(runner, &repair)
		    : RUN_PHASE;
	runner->has_statements = journal_read_look(reply->result).exists;
	return repair.asks_first && runner->has_statements ? repair_ask(runner, &repair)
							   : repair_row(runner, &repair);
}

const struct runner_step runner_step_repair = { repair_enter, repair_answer, NULL };
