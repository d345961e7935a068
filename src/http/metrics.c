/* SPDX-License-Identifier: PostgreSQL */
#include "http/metrics.h"

#include <string.h>

#include "base/mem.h"

/*
 * A migration is either instant or an hour. Bounds must not change between expositions,
 * and never between releases: dashboards add them up.
 */
static const double run_bounds[] = { 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600,
	14400 };
static const double lock_bounds[] = { 0.1, 0.5, 1, 5, 30, 300, 900 };
static const double http_bounds[] = { 0.005, 0.01, 0.05, 0.1, 1, 10 };

#define SET_BOUNDS(histogram, b) \
	((histogram)->bounds = (b), (histogram)->n_bounds = ARRAY_SIZE(b))

struct metrics *
metrics_new(const void *ctx, int64_t now_us)
{
	struct metrics *metrics = mem_zero(ctx, struct metrics);

	metrics->started_at_us = now_us;
	metrics->config_reload_ok = true;
	metrics->config_reload_at_us = now_us;
	SET_BOUNDS(&metrics->run_duration, run_bounds);
	SET_BOUNDS(&metrics->migration_duration, run_bounds);
	SET_BOUNDS(&metrics->lock_wait, lock_bounds);
	return metrics;
}

static void
observe(struct metrics_histogram *histogram, double seconds)
{
	unsigned i = 0;

	while (i < histogram->n_bounds && seconds > histogram->bounds[i])
		i++;
	histogram->counts[i]++;
	histogram->sum += seconds;
	histogram->count++;
}

static double
to_seconds(int64_t us)
{
	return (double)us / 1e6;
}

static void
note_last_run(struct metrics *metrics, const struct run *run)
{
	metrics->last_run_ok = run->outcome == RUN_SUCCEEDED;
	metrics->last_run_at_us = run->finished_at_us;
	if (metrics->last_run_ok)
		metrics->last_run_ok_at_us = run->finished_at_us;
	metrics->last_run_duration_us = run->duration_us;
	metrics->last_run_migrations = run->n_applied;
}

const char *
hook_name(enum hook_kind kind)
{
	static const char *const names[] = {
		[HOOK_BEFORE] = "before",
		[HOOK_AFTER] = "after",
		[HOOK_FAILURE] = "failure",
	};

	return names[kind];
}

void
metrics_count_run(struct metrics *metrics, const struct run *run)
{
	metrics->runs[run->operation]++;
	if (run->outcome != RUN_SUCCEEDED)
		metrics->run_failures[run->operation]++;
	if (err_is_set(&run->err))
		metrics->errors[run->err.category]++;
	if (run->outcome == RUN_FAILED && run->err.migration[0])
		metrics->phase_failures[run->phase]++;
	for (size_t p = 0; p < PHASE_COUNT; p++)
		metrics->phase_failures[p] += run->phases[p].n_failed;
	metrics->statements += run->statements;
	observe(&metrics->lock_wait, to_seconds(run->lock_wait_us));
	if (run->operation == PLAN_APPLY) {
		if (run->n_applied > 0)
			metrics->last_applied_at_us = run->finished_at_us;
		metrics->migrations_applied += run->n_applied;
		observe(&metrics->run_duration, to_seconds(run->duration_us));
		for (size_t i = 0; i < run->n_applied; i++)
			observe(&metrics->migration_duration,
			    to_seconds(run->applied[i].duration_us));
	}
	note_last_run(metrics, run);
}

static struct metrics_http *
http_series(struct metrics *metrics, const char *route, const char *method, unsigned code)
{
	struct metrics_http **link = &metrics->http;

	if (metrics->n_http >= METRICS_HTTP_SERIES) {
		route = "other";
		method = "other";
		code = 0;
	}
	for (; *link; link = &(*link)->next) {
		struct metrics_http *series = *link;

		if (series->code == code && strcmp(series->route, route) == 0 &&
		    strcmp(series->method, method) == 0)
			return series;
	}
	*link = mem_zero(metrics, struct metrics_http);
	**link = (struct metrics_http){ .route = route, .method = method, .code = code };
	metrics->n_http++;
	return *link;
}

static struct metrics_histogram *
route_histogram(struct metrics *metrics, const char *route)
{
	struct metrics_route **link = &metrics->routes;

	while (*link && strcmp((*link)->route, route) != 0)
		link = &(*link)->next;
	if (!*link) {
		*link = mem_zero(metrics, struct metrics_route);
		(*link)->route = route;
		SET_BOUNDS(&(*link)->duration, http_bounds);
	}
	return &(*link)->duration;
}

void
metrics_count_request(struct metrics *metrics, const char *route, const char *method,
    unsigned code, double seconds)
{
	http_series(metrics, route, method, code)->count++;
	if (seconds >= 0)
		observe(route_histogram(metrics, route), seconds);
}
