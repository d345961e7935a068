/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "http/json.h"
#include "http/json_value.h"

/* ---- of the status ---- */

static json_t *
ids_in_state(const struct plan *plan, enum migration_state state)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < plan->n_items; i++) {
		if (plan->items[i].state == state)
			json_array_append_new(ids, json_text(plan->items[i].id));
	}
	return ids;
}

static json_t *
plan_refusal(const struct plan *plan)
{
	return json_error_or_null(&plan->refusal, NULL);
}

static json_t *
status_phase(enum phase phase, const struct status_phase *of)
{
	return json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "phase",
	    phase_name(phase), "path", json_text(of->folder->path), "table",
	    json_text_or_null(of->tracking.table), "exists", of->tracking.exists,
	    "counts", json_counts(of->plan), "pending",
	    ids_in_state(of->plan, MIGRATION_PENDING), "failed",
	    ids_in_state(of->plan, MIGRATION_FAILED), "refused", plan_refusal(of->plan),
	    "error", json_error_or_null(of->unread, NULL));
}

json_t *
json_status_phases(const struct status *status)
{
	json_t *list = json_array();

	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		if (status->phases[p].folder)
			json_array_append_new(
			    list, status_phase((enum phase)p, &status->phases[p]));
	}
	return list;
}

json_t *
json_migration_list(const struct plan *plan, const char *state)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_items; i++) {
		const struct plan_item *item = &plan->items[i];

		if (!state || strcmp(migration_state_name(item->state), state) == 0)
			json_array_append_new(list, json_migration(item));
	}
	return list;
}

json_t *
json_migration_phases(const struct status *status, const char *state)
{
	json_t *list = json_array();

	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		const struct plan *plan = status->phases[p].plan;

		if (plan)
			json_array_append_new(list,
			    json_pack("{s:s, s:o}", "phase", phase_name((enum phase)p),
				"migrations", json_migration_list(plan, state)));
	}
	return list;
}

/* ---- of a run ---- */

static json_t *
failure_list(const struct run_phase *phase)
{
	json_t *list = json_array();

	for (size_t i = 0; i < phase->n_failures; i++)
		json_array_append_new(
		    list, json_error_or_null(&phase->failures[i], NULL));
	return list;
}

json_t *
json_run_phases(const struct run *run)
{
	json_t *list = json_array();

	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		const struct run_phase *phase = &run->phases[p];
		bool over = phase->outcome != RUN_IN_PROGRESS;

		if (!phase->begun)
			continue;
		json_array_append_new(list,
		    json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "phase",
			phase_name((enum phase)p), "outcome",
			over ? json_string(run_outcome_name(phase->outcome))
			     : json_null(),
			"planned", json_count(phase->n_planned), "applied",
			json_count(phase->n_applied), "failed",
			json_count(phase->n_failed), "failures", failure_list(phase)));
	}
	return list;
}
