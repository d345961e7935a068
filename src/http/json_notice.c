/* SPDX-License-Identifier: PostgreSQL */
#include "http/json_notice.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/json.h"
#include "http/json_value.h"

const char **
notice_ids(
    const void *ctx, const struct run *run, const struct outlook *outlook, size_t *n)
{
	const char **ids = NULL;

	*n = 0;
	for (unsigned p = 0; outlook && p < PHASE_COUNT; p++) {
		const struct plan *plan = outlook->plans[p];

		if (!plan)
			continue;
		ids = mem_grow(ctx, ids, const char *, *n + plan->n_steps + 1);
		for (size_t i = 0; i < plan->n_steps; i++)
			ids[(*n)++] = plan->steps[i].migration->id;
	}
	if (outlook)
		return ids;
	ids = mem_array(ctx, const char *, run->n_applied + 1);
	for (; *n < run->n_applied; (*n)++)
		ids[*n] = run->applied[*n].id;
	return ids;
}

static json_t *
id_list(const char *const *ids, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_text(ids[i]));
	return list;
}

static char *
dump(const void *ctx, json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(12));
	char *copy = mem_strdup(ctx, text);

	free(text);
	json_decref(document);
	return copy;
}

static json_t *
plan_list(const struct outlook *outlook)
{
	json_t *list = json_array();

	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		const struct plan *plan = outlook->plans[p];
		json_t *ids = NULL;

		if (!plan && !(outlook->unknown & PHASE_BIT(p)))
			continue;
		ids = json_array();
		for (size_t i = 0; plan && i < plan->n_steps; i++)
			json_array_append_new(
			    ids, json_text(plan->steps[i].migration->id));
		json_array_append_new(list,
		    json_pack("{s:s, s:b, s:o}", "phase", phase_name((enum phase)p),
			"known", plan != NULL, "migrations", ids));
	}
	return list;
}

char *
json_hook(const void *ctx, const char *hook, const struct run *run,
    const struct outlook *outlook)
{
	json_t *document = json_run(run, false);
	size_t n = 0;
	const char **ids = notice_ids(ctx, run, outlook, &n);

	json_object_set_new(document, "hook", json_string(hook));
	json_object_set_new(document, "migrations", id_list(ids, n));
	if (outlook)
		json_object_set_new(document, "plan", plan_list(outlook));
	talloc_free(ids);
	return dump(ctx, document);
}

static json_t *
first_error(const struct err *err)
{
	if (!err_is_set(err))
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "category",
	    json_text(category_name(err->category)), "sqlstate",
	    json_text_or_null(err->sqlstate), "message", json_text(err->text),
	    "migration", json_text_or_null(err->migration), "file",
	    json_text_or_null(err->file), "line",
	    err->line > 0 ? json_count(err->line) : json_null());
}

char *
json_webhook(const void *ctx, const char *type, const struct run *run,
    const struct outlook *outlook, const char *instance, int64_t now_us)
{
	bool done = run_is_done(run);
	json_t *data = json_object();
	size_t n = 0;
	const char **ids = notice_ids(ctx, run, outlook, &n);

	json_object_set_new(data, "run", json_string(run->id));
	json_object_set_new(data, "target", json_text(run->target));
	json_object_set_new(data, "instance", json_text(instance));
	json_object_set_new(
	    data, "operation", json_string(run_operation_name(run->operation)));
	json_object_set_new(data, "outcome", json_string(run_outcome_name(run->outcome)));
	json_object_set_new(data, "requested_by", json_text(run->requested_by));
	json_object_set_new(data, "started_at", json_time_or_null(run->started_at_us));
	json_object_set_new(data, "duration_seconds",
	    done ? json_seconds(run->duration_us) : json_null());
	json_object_set_new(data, "planned", json_count(outlook ? n : run->n_planned));
	json_object_set_new(data, "applied", json_count(run->n_applied));
	json_object_set_new(data, "failed", json_count(run->n_failed));
	json_object_set_new(
	    data, "migrations", id_list(ids, n < NOTICE_IDS ? n : NOTICE_IDS));
	talloc_free(ids);
	json_object_set_new(data, "error", first_error(&run->err));
	return dump(ctx,
	    json_pack("{s:s, s:o, s:o}", "type", type, "timestamp",
		json_time_or_null(now_us), "data", data));
}
