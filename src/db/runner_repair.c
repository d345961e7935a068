/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What a person decided: the state REPAIR. A statement in doubt is answered for, or the
 * index of guard = on is removed.
 */

#include <string.h>

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
repair_enter(struct runner *runner)
{
	if (strcmp(runner->run->action, "remove-guard") == 0)
		return repair_unguard(runner);
	runner_send(runner, journal_statements_look());
	return RUN_REPAIR;
}

static enum run_state
repair_nothing(struct runner *runner)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };

	err_set(&err, CAT_CONFIGURATION, "nothing of %s is in doubt", runner->run->up_to);
	err_hint(&err, "GET /status says what stands where");
	runner->refused = true;
	return runner_fail(runner, &err);
}

static enum run_state
repair_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	const struct migration *m = NULL;
	bool exists, may_create;

	if (err_is_set(&reply->err))
		return runner_fail(runner, &reply->err);
	if (runner->stage == REPAIR_UNGUARD)
		return RUN_JOURNAL;
	m = folder_find(runner->folder, runner->run->up_to);
	if (runner->stage == REPAIR_DECIDE)
		return strcmp(PQcmdTuples((PGresult *)(uintptr_t)reply->result), "0") == 0
		    ? repair_nothing(runner)
		    : RUN_JOURNAL;
	journal_read_look(reply->result, &exists, &may_create);
	if (!exists || m == NULL)
		return repair_nothing(runner);
	struct pgconn_statement repair = journal_statements_repair(
	    runner->scratch, &runner->table, m->version, runner->run->action);

	runner->stage = REPAIR_DECIDE;
	runner_send(runner, &repair);
	return RUN_REPAIR;
}

const struct runner_step runner_step_repair = { repair_enter, repair_answer, NULL };
