/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * How a family of metrics prints its samples: one function for each shape. For
 * metrics_render.c alone.
 */

#include "http/metrics.h"

/* All that an emitter prints from. */
struct metrics_view {
	struct text *out;
	const struct metrics *metrics;
	const struct status *status;
	struct metrics_process process;
};

struct metrics_family {
	const char *name;
	const char *type; /* counter, gauge, histogram */
	void (*emit)(struct metrics_view *view, const struct metrics_family *family);
	size_t
	    offset; /* the field of struct metrics, or of struct metrics_process, that it shows */
	double (*value)(const struct status *status); /* for metrics_emit_value */
	const char *help;
};

/* The field named by `offset`: a uint64_t, a bool, microseconds as seconds. */
void metrics_emit_count(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_flag(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_seconds(struct metrics_view *view, const struct metrics_family *family);

/* What `value` says. */
void metrics_emit_value(struct metrics_view *view, const struct metrics_family *family);

/* A double in struct metrics_process; left out when negative. */
void metrics_emit_process(struct metrics_view *view, const struct metrics_family *family);

/*
 * One sample for each member of a closed list: an array of uint64_t, but for states and
 * levels.
 */
void metrics_emit_operations(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_categories(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_hooks(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_scans(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_states(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_phases(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_phase_states(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_log_levels(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_log_dropped(
    struct metrics_view *view, const struct metrics_family *family);

/* Labels only, the value is 1; the newest applied migration, or nothing. */
void metrics_emit_build(struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_schema_version(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_last_applied(
    struct metrics_view *view, const struct metrics_family *family);

/* By route. */
void metrics_emit_requests(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_route_histograms(
    struct metrics_view *view, const struct metrics_family *family);

/* A struct metrics_histogram; the second with operation="apply". */
void metrics_emit_histogram(
    struct metrics_view *view, const struct metrics_family *family);
void metrics_emit_apply_histogram(
    struct metrics_view *view, const struct metrics_family *family);
