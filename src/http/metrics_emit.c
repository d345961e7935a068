/* SPDX-License-Identifier: PostgreSQL */
#include "http/metrics_emit.h"

#include <stdio.h>
#include <string.h>

#include <uv.h>

#include "base/log.h"
#include "http/httpd.h"

static const void *
field_of(const struct metrics_view *view, const struct metrics_family *family)
{
	return (const char *)view->metrics + family->offset;
}

/* ---- one value ---- */

void
metrics_emit_count(struct metrics_view *view, const struct metrics_family *family)
{
	const uint64_t *n = field_of(view, family);

	text_addf(view->out, "%s %llu\n", family->name, (unsigned long long)*n);
}

void
metrics_emit_flag(struct metrics_view *view, const struct metrics_family *family)
{
	const bool *flag = field_of(view, family);

	text_addf(view->out, "%s %d\n", family->name, *flag);
}

/* Microseconds, shown as seconds. */
void
metrics_emit_seconds(struct metrics_view *view, const struct metrics_family *family)
{
	const int64_t *us = field_of(view, family);

	text_addf(view->out, "%s %.6f\n", family->name, (double)*us / 1e6);
}

void
metrics_emit_value(struct metrics_view *view, const struct metrics_family *family)
{
	text_addf(view->out, "%s %.15g\n", family->name, family->value(view->status));
}

void
metrics_emit_process(struct metrics_view *view, const struct metrics_family *family)
{
	const char *field = (const char *)&view->process + family->offset;
	double value = *(const double *)(const void *)field;

	if (value >= 0)
		text_addf(view->out, "%s %.15g\n", family->name, value);
}

/* ---- by label ---- */

/*
 * A label value that others made: backslash, quote and line break escaped, as both
 * formats want it.
 */
static void
add_label(struct text *out, const char *name, const char *value)
{
	text_addf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			text_add(out, "\\n");
		else if (*value == '"' || *value == '\\')
			text_addf(out, "\\%c", *value);
		else
			text_add_char(out, *value);
	}
	text_add_char(out, '"');
}

static void
emit_labelled(struct metrics_view *view, const struct metrics_family *family,
    const char *label, const char *value, uint64_t n)
{
	text_addf(view->out, "%s{%s=\"%s\"} %llu\n", family->name, label, value,
	    (unsigned long long)n);
}

void
metrics_emit_operations(struct metrics_view *view, const struct metrics_family *family)
{
	const uint64_t *counts = field_of(view, family);

	for (unsigned i = 0; i < ARRAY_SIZE(view->metrics->runs); i++) {
		emit_labelled(view, family, "operation",
		    run_operation_name((enum plan_operation)i), counts[i]);
	}
}

void
metrics_emit_categories(struct metrics_view *view, const struct metrics_family *family)
{
	const uint64_t *counts = field_of(view, family);

	for (unsigned i = CAT_NONE + 1; i < CAT_COUNT; i++) {
		emit_labelled(
		    view, family, "category", category_name((enum category)i), counts[i]);
	}
}

void
metrics_emit_hooks(struct metrics_view *view, const struct metrics_family *family)
{
	const uint64_t *counts = field_of(view, family);

	for (unsigned i = 0; i < HOOK_KIND_COUNT; i++)
		emit_labelled(
		    view, family, "hook", hook_name((enum hook_kind)i), counts[i]);
}

void
metrics_emit_scans(struct metrics_view *view, const struct metrics_family *family)
{
	static const char *const names[SCAN_TRIGGER_COUNT] = {
		[SCAN_EVENT] = "event",
		[SCAN_TIMER] = "timer",
		[SCAN_REQUEST] = "request",
		[SCAN_RELOAD] = "reload",
	};
	const uint64_t *counts = field_of(view, family);

	for (unsigned i = 0; i < SCAN_TRIGGER_COUNT; i++)
		emit_labelled(view, family, "trigger", names[i], counts[i]);
}

void
metrics_emit_states(struct metrics_view *view, const struct metrics_family *family)
{
	for (unsigned i = 0; i < MIGRATION_STATE_COUNT; i++) {
		emit_labelled(view, family, "state",
		    migration_state_name((enum migration_state)i),
		    view->status->plan->counts[i]);
	}
}

void
metrics_emit_phases(struct metrics_view *view, const struct metrics_family *family)
{
	const uint64_t *counts = field_of(view, family);

	for (unsigned p = 0; p < PHASE_COUNT; p++)
		emit_labelled(
		    view, family, "phase", phase_name((enum phase)p), counts[p]);
}

void
metrics_emit_phase_states(struct metrics_view *view, const struct metrics_family *family)
{
	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		const struct plan *plan = view->status->phases[p].plan;

		for (unsigned i = 0; plan && i < MIGRATION_STATE_COUNT; i++)
			text_addf(view->out, "%s{phase=\"%s\",state=\"%s\"} %zu\n",
			    family->name, phase_name((enum phase)p),
			    migration_state_name((enum migration_state)i),
			    plan->counts[i]);
	}
}

void
metrics_emit_log_levels(struct metrics_view *view, const struct metrics_family *family)
{
	emit_labelled(view, family, "level", "error", log_count(LOG_ERROR));
	emit_labelled(view, family, "level", "warning", log_count(LOG_WARNING));
	emit_labelled(view, family, "level", "info", log_count(LOG_INFO));
}

void
metrics_emit_log_dropped(struct metrics_view *view, const struct metrics_family *family)
{
	text_addf(
	    view->out, "%s %llu\n", family->name, (unsigned long long)log_dropped());
}

void
metrics_emit_build(struct metrics_view *view, const struct metrics_family *family)
{
	text_addf(view->out, "%s{", family->name);
	add_label(view->out, "version", PACKAGE_VERSION);
	text_add_char(view->out, ',');
	add_label(view->out, "libmicrohttpd", httpd_library_version());
	text_add_char(view->out, ',');
	add_label(view->out, "libuv", uv_version_string());
	text_add_char(view->out, ',');
	add_label(view->out, "compiler", __VERSION__);
	text_add(view->out, "} 1\n");
}

/*
 * The newest migration that is applied. The items follow the folder, so the search
 * begins at its end.
 */
static const struct plan_item *
newest_applied(const struct plan *plan)
{
	for (size_t i = plan->n_items; i > 0; i--) {
		const struct plan_item *item = &plan->items[i - 1];

		if (item->migration && item->row && !item->row->failed)
			return item;
	}
	return NULL;
}

void
metrics_emit_schema_version(
    struct metrics_view *view, const struct metrics_family *family)
{
	const struct plan_item *item = newest_applied(view->status->plan);

	if (!item)
		return;
	text_addf(view->out, "%s{", family->name);
	add_label(view->out, "version", item->migration->version);
	text_add_char(view->out, ',');
	add_label(view->out, "name", item->migration->name);
	text_add(view->out, "} 1\n");
}

/*
 * As the tracking table says it, else as our own runs know it: drizzle's table has no such
 * column. Left out when neither does.
 */
void
metrics_emit_last_applied(struct metrics_view *view, const struct metrics_family *family)
{
	const struct plan_item *item = newest_applied(view->status->plan);
	int64_t us = item ? item->row->applied_at_us : 0;

	if (us == 0)
		us = view->metrics->last_applied_at_us;
	if (us != 0)
		text_addf(view->out, "%s %.6f\n", family->name, (double)us / 1e6);
}

void
metrics_emit_requests(struct metrics_view *view, const struct metrics_family *family)
{
	const struct metrics_http *series;

	for (series = view->metrics->http; series; series = series->next) {
		text_addf(view->out, "%s{route=\"%s\",method=\"%s\",code=\"%u\"} %llu\n",
		    family->name, series->route, series->method, series->code,
		    (unsigned long long)series->count);
	}
}

/* ---- histograms ---- */

/* `labels` is "" or ends in a comma. */
static void
add_histogram(struct metrics_view *view, const char *name, const char *labels,
    const struct metrics_histogram *h)
{
	int labels_len = (int)strlen(labels);
	const char *open = labels_len ? "{" : "";
	const char *close = labels_len ? "}" : "";
	uint64_t below = 0;

	for (unsigned i = 0; i < h->n_bounds; i++) {
		char bound[32];

		/* "1.0" in both formats, or the series would be another one in each */
		snprintf(bound, sizeof(bound), "%g", h->bounds[i]);
		below += h->counts[i];
		text_addf(view->out, "%s_bucket{%sle=\"%s%s\"} %llu\n", name, labels,
		    bound, strchr(bound, '.') ? "" : ".0", (unsigned long long)below);
	}
	text_addf(view->out, "%s_bucket{%sle=\"+Inf\"} %llu\n", name, labels,
	    (unsigned long long)h->count);
	if (labels_len)
		labels_len--; /* the comma */
	text_addf(view->out, "%s_sum%s%.*s%s %.6f\n", name, open, labels_len, labels,
	    close, h->sum);
	text_addf(view->out, "%s_count%s%.*s%s %llu\n", name, open, labels_len, labels,
	    close, (unsigned long long)h->count);
}

void
metrics_emit_histogram(struct metrics_view *view, const struct metrics_family *family)
{
	add_histogram(view, family->name, "", field_of(view, family));
}

void
metrics_emit_apply_histogram(
    struct metrics_view *view, const struct metrics_family *family)
{
	add_histogram(view, family->name, "operation=\"apply\",", field_of(view, family));
}

void
metrics_emit_route_histograms(
    struct metrics_view *view, const struct metrics_family *family)
{
	const struct metrics_route *route;
	char labels[128];

	for (route = view->metrics->routes; route; route = route->next) {
		snprintf(labels, sizeof(labels), "route=\"%s\",", route->route);
		add_histogram(view, family->name, labels, &route->duration);
	}
}
