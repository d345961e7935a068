/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What a person decided: the state REPAIR. A statement in doubt is answered for, or the
 * index of guard = on is removed.
 */

#include <string.h>

#include "base/mem.h"
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

static enum run_state
repair_unknown(struct runner *runner)
{
	struct err err = { 0 };

	err_set(
	    &err, CAT_RESOURCE_NOT_FOUND, "there is no migration %s", runner->run->up_to);
	err_hint(&err, "GET /migrations lists them by id, file and version");
	runner->refused = true;
	return runner_fail(runner, &err);
}

/* Whatever it was called, from here on the run goes by its id. */
static enum run_state
repair_enter(struct runner *runner)
{
	const struct plan_item *item = NULL;

	if (strcmp(runner->run->action, "remove-guard") == 0)
		return repair_unguard(runner);
	item = plan_find(runner->plan, runner->run->up_to);
	if (item == NULL || item->migration == NULL)
		return runner_has_more_phases(runner) ? RUN_PHASE
						      : repair_unknown(runner);
	runner->repaired = true;
	runner->run->up_to = mem_strdup(runner->run, item->migration->id);
	runner_send(runner, journal_statements_look());
	return RUN_REPAIR;
}

static enum run_state
repair_nothing(struct runner *runner)
{
	const struct history_row *row = plan_find(runner->plan, runner->run->up_to)->row;
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&err, CAT_CONFIGURATION, "nothing of %s is in doubt", runner->run->up_to);
	if (row != NULL && !row->failed)
		err_hint(&err, "it is recorded; GET /status says what stands where");
	else if (strcmp(runner->run->action, "applied") == 0)
		err_hint(&err,
		    "to record it without running it, with all before it that is not "
		    "recorded: POST /baseline with {\"target\": \"%s\", \"force\": true}",
		    runner->run->up_to);
	else
		err_hint(&err, "to run it, though it failed before: POST /apply");
	runner->refused = true;
	return runner_fail(runner, &err);
}

static enum run_state
repair_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	bool exists, may_create;

	if (err_is_set(&reply->err))
		return runner_fail(runner, &reply->err);
	if (runner->stage == REPAIR_UNGUARD)
		return RUN_PHASE;
	if (runner->stage == REPAIR_DECIDE)
		return strcmp(PQcmdTuples((PGresult *)(uintptr_t)reply->result), "0") == 0
		    ? repair_nothing(runner)
		    : RUN_PHASE;
	journal_read_look(reply->result, &exists, &may_create);
	if (!exists)
		return repair_nothing(runner);
	struct pgconn_statement repair = journal_statements_repair(runner->scratch,
	    &runner->table, folder_find(runner->folder, runner->run->up_to)->version,
	    runner->run->action);

	runner->stage = REPAIR_DECIDE;
	runner_send(runner, &repair);
	return RUN_REPAIR;
}

const struct runner_step runner_step_repair = { repair_enter, repair_answer, NULL };
