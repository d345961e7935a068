/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * The tracking table is an older version's: the state UPGRADE. What its rows are to be called
 * the plan has found out, which refuses where it cannot; then all is read anew. Nothing has
 * run yet, and who comes second finds the table upgraded.
 */

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/plan_match.h"
#include "db/journal.h"
#include "db/journal_statements.h"

enum {
	UPGRADE_LOOK,
	UPGRADE_BEGUN,
	UPGRADE_TABLE,
	UPGRADE_COMMIT
};

static enum run_state
upgrade_fail(struct runner *runner, struct err *err)
{
	err_wrap(err, "upgrading tracking table %s.%s", runner->table.schema,
	    runner->table.table);
	return runner_fail(runner, err);
}

/* ---- what has run in part is noted by the name that it had ---- */

static enum run_state
upgrade_enter(struct runner *runner)
{
	runner_send(runner, journal_statements_look());
	return RUN_UPGRADE;
}

/*
 * The new name does not tell what of a migration has run: from its first statement on it
 * would run again.
 */
static int
check_begun(struct runner *runner, const PGresult *result, struct err *err)
{
	for (int i = 0; i < PQntuples(result); i++) {
		const char *version = PQgetvalue(result, i, 0);

		if (folder_find(runner->folder, version) != NULL)
			continue;
		err->http_status = 409;
		err->exit_code = EXIT_REFUSED;
		err_set(err, CAT_CONFIGURATION,
		    "the migration that was %s before drizzle-kit up has run in part",
		    version);
		err_hint(err,
		    "what has run of it would run again: go back to the folder from before, "
		    "finish the migration there, then come back");
		runner->refused = true;
		return -1;
	}
	return 0;
}

/* ---- the table ---- */

static enum run_state
upgrade_table(struct runner *runner)
{
	const struct plan_match *match =
	    plan_match(runner->scratch, runner->folder, runner->history);
	struct pgconn_statement upgrade = runner->table.kind->upgrade(
	    runner->scratch, &runner->table, runner->history, match->owner);
	struct err err = { 0 };

	if (upgrade.sql[0] == '\0') {
		err_set(&err, CAT_CONFIGURATION, "it has too many rows: %zu",
		    runner->history->n_rows);
		err_hint(&err, "let drizzle-orm 1.0 upgrade it");
		return upgrade_fail(runner, &err);
	}
	runner->in_transaction = true;
	runner->stage = UPGRADE_TABLE;
	runner_send(runner, &upgrade);
	return RUN_UPGRADE;
}

/* The rows are as they were read, and all have a name. */
static enum run_state
upgrade_commit(struct runner *runner, const PGresult *result)
{
	struct err err = { 0 };

	if (strcmp(PQgetvalue(result, 0, 0), "t") != 0) {
		err_set(&err, CAT_LOCK_TIMEOUT,
		    "another's migrator has recorded something at this moment");
		err_hint(&err, "nothing was changed: call again");
		return upgrade_fail(runner, &err);
	}
	runner->stage = UPGRADE_COMMIT;
	runner_query(runner, "COMMIT");
	return RUN_UPGRADE;
}

static enum run_state
upgrade_done(struct runner *runner)
{
	struct err note = { 0 };

	runner->in_transaction = false;
	err_set(&note, CAT_CONFIGURATION,
	    "tracking table %s.%s was upgraded to its tool's new version, rows named: %zu",
	    runner->table.schema, runner->table.table, runner->history->n_rows);
	err_hint(&note,
	    "the old version must not run any more: it would apply again what the new one "
	    "records");
	log_info(note.text, LOG_STR("run", runner->run->id));
	run_add_warning(runner->run, &note);
	TALLOC_FREE(runner->plan);
	runner->table =
	    connect_tracking_table(runner->params, runner->run->phase, &runner->engine);
	return RUN_PREPARE;
}

static enum run_state
upgrade_looked(struct runner *runner, const PGresult *result)
{
	if (!journal_read_look(result).exists)
		return upgrade_table(runner);
	struct pgconn_statement versions =
	    journal_statements_versions(runner->scratch, &runner->table);

	runner->stage = UPGRADE_BEGUN;
	runner_send(runner, &versions);
	return RUN_UPGRADE;
}

static enum run_state
upgrade_committed(struct runner *runner, const PGresult *result)
{
	struct err err = { 0 };

	if (strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "COMMIT") == 0)
		return upgrade_done(runner);
	err_set(&err, CAT_SQL_ERROR, "the server rolled it back at COMMIT");
	return upgrade_fail(runner, &err);
}

static enum run_state
upgrade_answer(struct runner *runner, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (strcmp(err.sqlstate, "42501") == 0 && runner->stage == UPGRADE_TABLE)
		err_hint(&err,
		    "only its owner can add columns: run once as that role, or let "
		    "drizzle-orm 1.0 do it");
	if (err_is_set(&err))
		return upgrade_fail(runner, &err);
	switch (runner->stage) {
	case UPGRADE_LOOK:
		return upgrade_looked(runner, reply->result);
	case UPGRADE_BEGUN:
		return check_begun(runner, reply->result, &err) < 0
		    ? upgrade_fail(runner, &err)
		    : upgrade_table(runner);
	case UPGRADE_TABLE:
		return upgrade_commit(runner, reply->result);
	default:
		return upgrade_committed(runner, reply->result);
	}
}

const struct runner_step runner_step_upgrade = { upgrade_enter, upgrade_answer, NULL };
