/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Metrics: counters that modules raise, and the Prometheus text exposition of them and
 * of the status.
 *
 * Rendering takes constant time, never asks the database, and its series are bounded:
 * labels come from closed lists only (routes, methods, categories, states). Text format
 * 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), or OpenMetrics
 * 1.0 where the scraper prefers it. A new family is one row in metrics_render.c.
 *
 *	metrics.c          counting
 *	metrics_render.c   the table of families
 *	metrics_emit.c     the shapes in which a family prints its samples
 *	metrics_process.c  process_*, from /proc/self
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "core/status.h"

#define METRICS_BUCKETS 13
#define METRICS_HTTP_SERIES \
	1000u /* more combinations of route, method and code are counted as one */

struct metrics_histogram {
	const double *bounds; /* upper bounds in seconds, ascending */
	unsigned n_bounds;    /* +Inf not counted */
	uint64_t
	    counts[METRICS_BUCKETS + 1]; /* each bucket by itself, the last is +Inf */
	double sum;
	uint64_t count;
};

enum metrics_scan {
	SCAN_EVENT,
	SCAN_TIMER,
	SCAN_REQUEST,
	SCAN_RELOAD,
	SCAN_TRIGGER_COUNT
};

/* The commands that are run around a run (daemon/hooks.h). */
enum hook_kind {
	HOOK_BEFORE,
	HOOK_AFTER,
	HOOK_FAILURE,
	HOOK_KIND_COUNT
};

/* Requests with one combination of labels. */
struct metrics_http {
	struct metrics_http *next;
	const char *route;
	const char *method;
	unsigned code;
	uint64_t count;
};

/* Time to answer, by route. */
struct metrics_route {
	struct metrics_route *next;
	const char *route;
	struct metrics_histogram duration;
};

/*
 * All that is counted. One per process, owned by the app. Fields are raised directly by
 * their owners, but runs and requests, which have functions.
 */
struct metrics {
	int64_t started_at_us;
	bool config_reload_ok;
	int64_t config_reload_at_us;
	uint64_t runs[PLAN_OPERATION_COUNT];
	uint64_t run_failures[PLAN_OPERATION_COUNT];
	uint64_t errors[CAT_COUNT];
	uint64_t migrations_applied;
	uint64_t phase_failures[PHASE_COUNT];
	uint64_t statements;
	struct metrics_histogram run_duration; /* apply only */
	struct metrics_histogram migration_duration;
	struct metrics_histogram lock_wait;
	bool last_run_ok;
	int64_t last_run_at_us;
	int64_t last_run_ok_at_us;
	int64_t last_run_duration_us;
	uint64_t last_run_migrations;
	int64_t
	    last_applied_at_us; /* when a run last applied something; 0: not since the start */
	uint64_t scans[SCAN_TRIGGER_COUNT];
	int64_t scan_duration_us;
	uint64_t connects, connect_failures; /* set by the app before rendering */
	uint64_t notifications, notification_failures, notifications_waiting;
	uint64_t hooks[HOOK_KIND_COUNT], hook_failures[HOOK_KIND_COUNT];
	uint64_t requests_in_flight;
	int64_t loop_lag_us;
	struct metrics_http *http;
	unsigned n_http;
	struct metrics_route *routes;
};

/* Zeroed, buckets set; a configuration has just been loaded. */
struct metrics *metrics_new(const void *ctx, int64_t now_us);

/* "before" */
const char *hook_name(enum hook_kind kind);

/* A run is done: counts it, its migrations, statements, waits, errors. */
void metrics_count_run(struct metrics *metrics, const struct run *run);

/*
 * A request was answered. `route` and `method` come from closed lists and are kept.
 * `seconds` < 0: leave it out of the histogram.
 */
void metrics_count_request(struct metrics *metrics, const char *route, const char *method,
    unsigned code, double seconds);

/* All families. `openmetrics`: that format, else text 0.0.4. */
void metrics_render(struct text *out, const struct metrics *metrics,
    const struct status *status, bool openmetrics);

/* ---- process_*, as every Prometheus client has them ---- */

/* Measured once per rendering; negative where /proc does not tell. */
struct metrics_process {
	double cpu_seconds;
	double open_fds;
	double max_fds;
	double virtual_bytes;
	double virtual_max_bytes;
	double resident_bytes;
	double threads;
};

void metrics_measure_process(struct metrics_process *out);
