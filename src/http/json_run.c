/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "core/run_wait.h"
#include "http/json.h"
#include "http/json_value.h"

static json_t *
applied_list(const struct run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n_applied; i++) {
		const struct run_migration *m = &run->applied[i];

		json_array_append_new(list,
		    json_pack("{s:o, s:o, s:o, s:s}", "id", json_text(m->id),
			"duration_seconds", json_seconds(m->duration_us), "version",
			json_text(m->version), "phase", phase_name(m->phase)));
	}
	return list;
}

static json_t *
run_warnings(const struct run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n_warnings; i++)
		json_array_append_new(list, json_text(run->warnings[i]));
	return list;
}

static json_t *
number_or_null(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *
blocker_list(const struct run *run)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < run->n_blockers; i++) {
		const struct run_blocker *b = &run->blockers[i];

		json_array_append_new(list,
		    json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "pid", b->pid,
			"application", json_text_or_null(b->application), "user",
			json_text_or_null(b->user), "state", json_text_or_null(b->state),
			"age_seconds", number_or_null((double)b->age_us / 1e6), "query",
			json_text_or_null(b->query)));
	}
	return list;
}

static json_t *
progress_or_null(const struct run *run)
{
	const struct run_progress *p = run_progress_now(run);

	if (!p)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "command",
	    json_text(p->command), "phase", json_text_or_null(p->phase), "unit",
	    json_text_or_null(p->unit), "done", (json_int_t)p->done, "total",
	    (json_int_t)p->total, "percent", number_or_null(p->percent),
	    "rate_per_second", number_or_null(p->rate_per_second), "eta_seconds",
	    number_or_null(p->eta_seconds));
}

static json_t *
batch_or_null(const struct run_batch *batch)
{
	if (!batch->on)
		return json_null();
	return json_pack("{s:I, s:I, s:o, s:o}", "batches", (json_int_t)batch->batches,
	    "rows", (json_int_t)batch->rows, "total",
	    batch->total < 0 ? json_null() : json_integer(batch->total), "held",
	    json_text_or_null(batch->held));
}

static json_t *
exit_code(const struct run *run)
{
	if (!run_is_done(run))
		return json_null();
	return json_integer(
	    err_is_set(&run->err) ? (int)err_exit_code(&run->err) : EXIT_FINE);
}

/* What a verification found. */
static void
add_differences(json_t *object, const struct run *run)
{
	json_t *list = json_array();

	for (size_t i = 0; i < run->n_differences; i++)
		json_array_append_new(list, json_text(run->differences[i]));
	json_object_set_new(object, "verify", json_boolean(run->verify));
	json_object_set_new(object, "differences", list);
	json_object_set_new(
	    object, "more_differences", json_count(run->n_more_differences));
}

static void
add_repair(json_t *object, const struct run *run)
{
	bool done = run->outcome == RUN_SUCCEEDED;

	json_object_set_new(object, "action", json_text(run->action));
	json_object_set_new(object, "migration", json_text(run->up_to));
	json_object_set_new(object, "before", json_text(run->before));
	json_object_set_new(object, "after", json_text(done ? run->after : NULL));
}

static void
add_rollback(json_t *object, const struct run *run)
{
	json_object_set_new(object, "to", json_text(run->only ? NULL : run->up_to));
	json_object_set_new(
	    object, "steps", run->steps > 0 ? json_count(run->steps) : json_null());
	json_object_set_new(
	    object, "migration", json_text(run->only ? run->up_to : NULL));
}

json_t *
json_run(const struct run *run, bool joined)
{
	/* what only runs of that operation have */
	static void (*const add_own[PLAN_OPERATION_COUNT])(
	    json_t * object, const struct run *run) = {
		[PLAN_BASELINE] = add_differences,
		[PLAN_REPAIR] = add_repair,
		[PLAN_ROLLBACK] = add_rollback,
	};
	bool done = run_is_done(run);
	bool forward = run_goes_forward(run);
	json_t *object = json_object();

	json_object_set_new(object, "id", json_string(run->id));
	json_object_set_new(
	    object, "operation", json_string(run_operation_name(run->operation)));
	json_object_set_new(object, "target", json_text(run->target));
	json_object_set_new(object, "state", json_string(run_state_name(run->state)));
	json_object_set_new(object, "outcome",
	    done ? json_string(run_outcome_name(run->outcome)) : json_null());
	json_object_set_new(object, "joined", json_boolean(joined));
	json_object_set_new(object, "started_at", json_time_or_null(run->started_at_us));
	json_object_set_new(
	    object, "finished_at", json_time_or_null(done ? run->finished_at_us : 0));
	json_object_set_new(object, "duration_seconds",
	    done ? json_seconds(run->duration_us) : json_null());
	json_object_set_new(object, "lock_wait_seconds", json_seconds(run->lock_wait_us));
	json_object_set_new(
	    object, "applied", forward ? applied_list(run) : json_array());
	if (run->operation == PLAN_ROLLBACK)
		json_object_set_new(object, "rolled_back", applied_list(run));
	json_object_set_new(object, "error", json_error_or_null(&run->err, run->id));
	json_object_set_new(object, "up_to", json_text(forward ? run->up_to : NULL));
	if (add_own[run->operation])
		add_own[run->operation](object, run);
	json_object_set_new(object, "reason", json_text(run->reason));
	json_object_set_new(object, "requested_by", json_text(run->requested_by));
	json_object_set_new(object, "callers", json_integer(run->callers));
	json_object_set_new(
	    object, "statements", json_integer((json_int_t)run->statements));
	json_object_set_new(object, "planned", json_count(run->n_planned));
	json_object_set_new(object, "failed", json_count(run->n_failed));
	json_object_set_new(object, "phases", json_run_phases(run));
	json_object_set_new(object, "current", json_text(run->current));
	json_object_set_new(
	    object, "state_text", json_string(run_state_sentence(run->state)));
	json_object_set_new(object, "lock_holder", json_text(run->lock_holder));
	json_object_set_new(object, "attempts", json_count(run->attempts));
	json_object_set_new(object, "reconnects", json_count(run->reconnects));
	json_object_set_new(object, "in_doubt", json_boolean(run->in_doubt));
	json_object_set_new(object, "wait_event", json_text_or_null(run->wait_event));
	json_object_set_new(object, "blockers", blocker_list(run));
	json_object_set_new(object, "queued", json_count(run->n_queued));
	json_object_set_new(object, "progress", progress_or_null(run));
	json_object_set_new(object, "batch", batch_or_null(&run->batch));
	json_object_set_new(object, "warnings", run_warnings(run));
	json_object_set_new(object, "exit_code", exit_code(run));
	return object;
}

json_t *
json_run_problem(const struct run *run, bool joined, unsigned status)
{
	json_t *object = json_problem(&run->err, status, run->id);
	json_t *members = json_run(run, joined);

	json_object_del(members, "id");
	json_object_del(members, "error");
	json_object_update_missing(object, members);
	json_decref(members);
	return object;
}

json_t *
json_runs(const struct status *status, size_t limit, const char *after)
{
	json_t *list = json_array();
	const char *next = NULL;
	size_t i = 0;

	while (after && i < status->n_runs && strcmp(status->runs[i++]->id, after) != 0)
		;
	for (; i < status->n_runs && json_array_size(list) < limit; i++) {
		json_array_append_new(list, json_run(status->runs[i], false));
		next = i + 1 < status->n_runs ? status->runs[i]->id : NULL;
	}
	return json_pack("{s:o, s:o}", "runs", list, "next", json_text(next));
}
