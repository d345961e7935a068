/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The domain as JSON: the documents of the API. snake_case, RFC 3339 UTC with
 * milliseconds, durations in seconds named *_seconds, versions as strings; what is not
 * known is null. Additions only: a member, once published, keeps its name and meaning.
 *
 * Each function gives a new reference. json.c: status, migrations, plan; json_check.c:
 * check; json_run.c: runs; json_value.c: problems.
 */

#include <jansson.h>

#include "core/check.h"
#include "core/status.h"

json_t *json_status(const struct status *status);

/* What the last look at the database showed: the same in each document that has it. */
json_t *json_database(const struct database_facts *database);

/* What is wrong, what to do about it, and the exit code for a CI job. json_check.c */
json_t *json_check(const struct check *check);

/*
 * {"target", "migrations": [...], "phases": [...]}; `state` is one of
 * migration_state_name, NULL: all.
 */
json_t *json_migrations(const struct status *status, const char *state);
json_t *json_migration(const struct plan_item *item);

/* In json_phase.c: what the documents say of the phases behind the schema, a list each. */
json_t *json_status_phases(const struct status *status);
json_t *json_migration_phases(const struct status *status, const char *state);
json_t *json_run_phases(const struct run *run);

/* {"applied": 3, ...}; and the migrations of a plan. */
json_t *json_counts(const struct plan *plan);
json_t *json_migration_list(const struct plan *plan, const char *state);

/* What a run would do: the schema's plan, and those of the phases behind it. */
json_t *json_plan(const struct status *status, const struct run_request *wanted,
    const struct outlook *outlook);

/* `joined`: this caller found it in progress. */
json_t *json_run(const struct run *run, bool joined);

/*
 * The problem of a run that did not succeed, together with the run's own members: who
 * reads the one finds the other. Its id is `run_id`.
 */
json_t *json_run_problem(const struct run *run, bool joined, unsigned status);

/*
 * {"runs": [...], "next": id or null}: at most `limit`, older than the run `after`
 * (NULL: the newest).
 */
json_t *json_runs(const struct status *status, size_t limit, const char *after);

/*
 * RFC 9457 with our members: category, sqlstate, message_detail, hint, context,
 * migration, file, statement {index,line,column,text}, run_id, retryable. What is not
 * known is left out. `status` is the HTTP status, `run_id` may be NULL.
 */
json_t *json_problem(const struct err *err, unsigned status, const char *run_id);
