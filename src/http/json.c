/* SPDX-License-Identifier: PostgreSQL */
#include "http/json.h"

#include <string.h>

#include "http/json_value.h"

#define API_VERSION 1

/* One line of "problems": of the folder, or of the plan. */
static json_t *
problem_line(enum migration_state state, bool blocks, const struct err *err)
{
	char detail[ERR_LINE];
	json_t *object = json_object();

	json_object_set_new(object, "state", json_string(migration_state_name(state)));
	json_object_set_new(object, "blocks", json_boolean(blocks));
	json_object_set_new(
	    object, "detail", json_text(err_format(err, detail, sizeof(detail))));
	json_set_error(object, err);
	return object;
}

static json_t *
folder_document(const struct folder *folder)
{
	json_t *problems = json_array();
	const char *layout = folder->layout ? folder->layout->name : NULL;

	for (size_t i = 0; i < folder->n_problems; i++) {
		const struct folder_problem *problem = &folder->problems[i];

		json_array_append_new(problems,
		    problem_line(problem->state, problem->blocks, &problem->err));
	}
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "path", json_text(folder->path),
	    "layout", json_text(layout), "scanned_at",
	    json_time_or_null(folder->scanned_at_us), "problems", problems,
	    "problems_left_out", json_count(folder->n_problems_dropped));
}

json_t *
json_database(const struct database_facts *database)
{
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "reachable",
	    database->reachable, "name", json_text_or_null(database->name),
	    "server_version", json_text_or_null(database->server_version), "engine",
	    json_text_or_null(database->engine), "engine_note",
	    json_text_or_null(database->engine_note), "in_recovery",
	    database->in_recovery, "pooled", database->pooled, "refreshed_at",
	    json_time_or_null(database->refreshed_at_us), "error",
	    json_error_or_null(&database->err, NULL));
}

json_t *
json_counts(const struct plan *plan)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < MIGRATION_STATE_COUNT; i++) {
		json_object_set_new(object, migration_state_name((enum migration_state)i),
		    json_count(plan->counts[i]));
	}
	return object;
}

static json_t *
pending_ids(const struct plan *plan)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < plan->n_items; i++) {
		if (plan->items[i].state == MIGRATION_PENDING)
			json_array_append_new(ids, json_text(plan->items[i].id));
	}
	return ids;
}

/* What is worth a look but stops nothing: the same sentences as in the log. */
static json_t *
plan_warnings(const struct plan *plan)
{
	char line[ERR_LINE];
	json_t *lines = json_array();

	for (size_t i = 0; i < plan->n_problems; i++) {
		if (!plan->problems[i].blocks) {
			json_array_append_new(lines,
			    json_text(
				err_format(&plan->problems[i].err, line, sizeof(line))));
		}
	}
	return lines;
}

static json_t *
run_or_null(const struct run *run)
{
	return run ? json_run(run, false) : json_null();
}

json_t *
json_status(const struct status *status)
{
	char sentence[STATUS_TEXT];
	char advice[STATUS_TEXT];
	struct status_request requests[STATUS_REQUESTS];
	size_t n_requests = status_requests(status, requests);
	json_t *object = json_object();

	json_object_set_new(object, "api_version", json_integer(API_VERSION));
	json_object_set_new(object, "target", json_text(status->target));
	json_object_set_new(
	    object, "verdict", json_string(verdict_name(status_verdict(status))));
	json_object_set_new(object, "database", json_database(&status->database));
	json_object_set_new(object, "folder", folder_document(status->folder));
	json_object_set_new(object, "tracking",
	    json_pack("{s:o, s:o, s:b}", "kind", json_text(status->tracking.kind),
		"table", json_text_or_null(status->tracking.table), "exists",
		status->tracking.exists));
	json_object_set_new(object, "counts", json_counts(status->plan));
	json_object_set_new(object, "pending", pending_ids(status->plan));
	json_object_set_new(object, "phases", json_status_phases(status));
	json_object_set_new(object, "lock",
	    json_pack("{s:b, s:o, s:b}", "held", status->lock.held, "holder",
		json_text_or_null(status->lock.holder), "ours", status->lock.ours));
	json_object_set_new(object, "run", run_or_null(status->run));
	json_object_set_new(object, "last_run", run_or_null(status->last_run));
	json_object_set_new(object, "sentence",
	    json_text(status_sentence(status, sentence, sizeof(sentence))));
	json_object_set_new(object, "advice",
	    json_text_or_null(status_advice(status, advice, sizeof(advice))));
	json_object_set_new(object, "requests", json_requests(requests, n_requests));
	json_object_set_new(object, "warnings", plan_warnings(status->plan));
	return object;
}

json_t *
json_migration(const struct plan_item *item)
{
	const struct migration *m = item->migration;
	const struct history_row *row = item->row;
	json_t *object = json_object();

	json_object_set_new(object, "id", json_text(item->id));
	json_object_set_new(object, "version",
	    json_text(m   ? m->version
		    : row ? row->key
			  : NULL));
	json_object_set_new(object, "name",
	    json_text(m   ? m->name
		    : row ? row->name
			  : NULL));
	json_object_set_new(object, "file", json_text(m ? m->file : NULL));
	json_object_set_new(
	    object, "state", json_string(migration_state_name(item->state)));
	json_object_set_new(
	    object, "checksum", json_text_or_null(m ? m->checksum : NULL));
	json_object_set_new(
	    object, "recorded_checksum", json_text_or_null(row ? row->checksum : NULL));
	json_object_set_new(object, "applied_at",
	    json_time_or_null(row && !row->failed ? row->applied_at_us : 0));
	json_object_set_new(object, "parts", m ? json_count(m->n_parts) : json_null());
	json_object_set_new(
	    object, "recorded_error", json_text_or_null(row ? row->error : NULL));
	json_object_set_new(object, "problem",
	    m && m->problem ? json_error_or_null(m->problem, NULL) : json_null());
	return object;
}

json_t *
json_migrations(const struct status *status, const char *state)
{
	return json_pack("{s:o, s:o, s:o}", "target", json_text(status->target),
	    "migrations", json_migration_list(status->plan, state), "phases",
	    json_migration_phases(status, state));
}

static json_t *
plan_steps(const struct plan *plan)
{
	json_t *steps = json_array();

	for (size_t i = 0; plan && i < plan->n_steps; i++) {
		const struct migration *m = plan->steps[i].migration;

		json_array_append_new(steps,
		    json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "id", json_text(m->id),
			"version", json_text(m->version), "file", json_text(m->file),
			"checksum", json_text_or_null(m->checksum), "parts",
			json_count(m->n_parts), "commits", plan->steps[i].commit));
	}
	return steps;
}

/* As far as a plan can say what its run would exit with; `unread`: as in the status. */
static enum exit_code
plan_exit_code(const struct plan *plan, const struct err *unread, bool is_lenient)
{
	const struct err *err = err_is_set(&plan->refusal) ? &plan->refusal : unread;

	if (err && !is_lenient)
		return err_exit_code(err);
	return plan->known || unread ? EXIT_FINE : EXIT_UNREACHABLE;
}

/* Of the phases, the first that would end the run. */
static enum exit_code
outlook_exit_code(const struct status *status, const struct outlook *outlook)
{
	enum exit_code code = EXIT_FINE;

	for (unsigned p = 0; p < PHASE_COUNT && code == EXIT_FINE; p++) {
		if (outlook->plans[p])
			code = plan_exit_code(outlook->plans[p], status->phases[p].unread,
			    phase_is_lenient(p));
	}
	return code;
}

/* Of the schema, or of a phase behind it: what, or why not. */
static void
add_plan(json_t *object, const struct plan *plan)
{
	json_t *problems = json_array();

	for (size_t i = 0; plan && i < plan->n_problems; i++) {
		const struct plan_problem *problem = &plan->problems[i];

		json_array_append_new(problems,
		    problem_line(problem->state, problem->blocks, &problem->err));
	}
	json_object_set_new(object, "steps", plan_steps(plan));
	json_object_set_new(object, "refused",
	    plan ? json_error_or_null(&plan->refusal, NULL) : json_null());
	json_object_set_new(object, "problems", problems);
}

static json_t *
plan_phases(const struct status *status, const struct outlook *outlook)
{
	json_t *list = json_array();

	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		const struct plan *plan = outlook->plans[p];
		json_t *phase = NULL;

		if (!plan)
			continue;
		phase = json_pack("{s:s, s:b, s:o}", "phase", phase_name((enum phase)p),
		    "known", plan->known, "error",
		    json_error_or_null(status->phases[p].unread, NULL));
		add_plan(phase, plan);
		json_array_append_new(list, phase);
	}
	return list;
}

/* The id of the migration that was named where the run is to end; NULL: nowhere. */
static const char *
end_of(const struct run_request *wanted, const struct outlook *outlook)
{
	const struct plan_item *item = NULL;

	for (unsigned p = 0; wanted->up_to && !item && p < PHASE_COUNT; p++)
		item = outlook->plans[p] ? plan_find(outlook->plans[p], wanted->up_to)
					 : NULL;
	return item ? item->id : wanted->up_to;
}

json_t *
json_plan(const struct status *status, const struct run_request *wanted,
    const struct outlook *outlook)
{
	const struct plan *schema = outlook->plans[PHASE_SCHEMA];
	json_t *document = json_pack("{s:o, s:s, s:b, s:o, s:b}", "target",
	    json_text(status->target), "operation", run_operation_name(wanted->operation),
	    "known", !schema || schema->known, "up_to",
	    json_text(end_of(wanted, outlook)), "dry_run", 1);

	add_plan(document, schema);
	json_object_set_new(
	    document, "exit_code", json_integer(outlook_exit_code(status, outlook)));
	json_object_set_new(document, "phases", plan_phases(status, outlook));
	return document;
}
