/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * Jobs: on Aurora DSQL the answer to CREATE INDEX ASYNC is the id of a job that builds it.
 * The job is asked for, not waited for by sys.wait_for_job: there is no way to cancel that,
 * and a connection has an end. That the job is "completed" proves nothing (one was, with
 * "relation does not exist" in its details): the catalogs have the last word.
 */

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define ASK_AGAIN_MS 1000

struct pgconn_statement
runner_job_of(const void *ctx, const PGresult *index)
{
	return (struct pgconn_statement){
		.sql = "SELECT j.job_id FROM sys.jobs AS j "
		       "JOIN pg_catalog.pg_class AS c ON c.oid::pg_catalog.text "
		       "OPERATOR(pg_catalog.=) j.object_id::pg_catalog.text "
		       "JOIN pg_catalog.pg_namespace AS n "
		       "ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
		       "WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.text "
		       "AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.text "
		       "AND (j.status OPERATOR(pg_catalog.=) 'submitted' "
		       "OR j.status OPERATOR(pg_catalog.=) 'processing')",
		.n_params = 2,
		.params = { mem_strdup(ctx, PQgetvalue(index, 0, 1)),
		    mem_strdup(ctx, PQgetvalue(index, 0, 2)) },
	};
}

bool
runner_take_job(struct runner *runner, const PGresult *result)
{
	int column = result != NULL ? PQfnumber(result, "job_id") : -1;

	runner->job[0] = '\0';
	if (column >= 0 && PQntuples(result) > 0)
		snprintf(runner->job, sizeof(runner->job), "%s",
		    PQgetvalue(result, 0, column));
	return runner->job[0] != '\0';
}

void
runner_job_ask(struct runner *runner)
{
	struct pgconn_statement ask = {
		.sql = "SELECT j.status, COALESCE(j.details, '') FROM sys.jobs AS j "
		       "WHERE j.job_id OPERATOR(pg_catalog.=) $1::pg_catalog.text",
		.n_params = 1,
		.params = { runner->job },
	};

	runner_send(runner, &ask);
}

static bool
is_going_on(const char *status)
{
	return strcmp(status, "submitted") == 0 || strcmp(status, "processing") == 0;
}

/* Of a job there is no more to see than its status. */
static void
show_job(struct run *run, const char *status)
{
	run->has_progress = true;
	run->progress = (struct run_progress){
		.percent = -1,
		.eta_seconds = -1,
		.command = "job",
	};
	snprintf(run->progress.phase, sizeof(run->progress.phase), "%s", status);
}

/* Without a row there is no job: of an index that was there (IF NOT EXISTS), say. */
bool
runner_job_is_over(
    struct runner *runner, const PGresult *result, int *rc, struct err *err)
{
	const char *status =
	    PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "completed";

	if (is_going_on(status)) {
		show_job(runner->run, status);
		runner_pause(runner, ASK_AGAIN_MS);
		return false;
	}
	runner->run->has_progress = false;
	*rc = 0;
	if (strcmp(status, "completed") != 0)
		*rc = err_set(err, CAT_SQL_ERROR,
		    "the job %s that the statement began %s: %s", runner->job, status,
		    PQgetvalue(result, 0, 1));
	runner->job[0] = '\0';
	return true;
}
