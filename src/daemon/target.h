/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A target: one database with its folders, tracking tables and policy. It owns, for each
 * phase, the folder, the last known history and the plan made of both; the runs, the
 * observer and the runner; and keeps one struct status up to date.
 *
 *	watch  -> target_scan()         folder changed -> new plan
 *	observer -> new history         -> new plan
 *	target_run_start()              -> runner -> history -> new plan
 */

#include <uv.h>

#include "core/status.h"
#include "daemon/config.h"
#include "http/metrics.h"

struct target;

struct target *target_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg);

/*
 * Take a (new) configuration: it must outlive the target or the next call. Rescans,
 * starts a new observer. A run in progress has a copy of what it needs of the old one.
 */
void target_configure(struct target *target, const struct config *config);

/*
 * Read the folders again. The set of phases whose folder may still be changing: look
 * again soon.
 */
unsigned target_scan(struct target *target, enum metrics_scan trigger);

/* Everything, with the plan made anew when something changed: for those who ask. */
const struct status *target_status(struct target *target);

/*
 * Parts of it that cost nothing. The run in progress, or NULL; the folder in use, NULL
 * where the phase has none.
 */
const struct run *target_run(const struct target *target);
const struct folder *target_folder(const struct target *target, enum phase phase);

/* See struct api_ops. */
void target_look_ahead(struct target *target, const struct run_request *request,
    const void *ctx, struct outlook *outlook);
struct run *target_run_start(struct target *target, const struct run_request *request,
    bool *joined, struct err *err);
struct run *target_cancel(
    struct target *target, const char *id, bool now, const char *peer, struct err *err);
void target_refresh(struct target *target);
bool target_is_busy(const struct target *target);

/* What was done is still to be told to hooks. */
bool target_is_telling(const struct target *target);

/* Stopping: no new run; the one in progress ends after the migration in hand, or now. */
void target_stop(struct target *target, bool now);

/* Close everything; the target frees itself when its handles are closed. */
void target_close(struct target *target);
