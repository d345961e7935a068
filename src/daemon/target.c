/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/target.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/report.h"
#include "daemon/target_internal.h"

void
target_changed(struct target *target)
{
	talloc_free(target->plan);
	target->plan = NULL;
	target->on_change(target->arg);
}

/* ---- what is known ---- */

/* The ids that the run in progress has committed, for the plan to know. */
static const char **
committed_ids(const void *ctx, const struct run *run)
{
	const char **ids = mem_array(ctx, const char *, run->n_applied);

	for (size_t i = 0; i < run->n_applied; i++)
		ids[i] = run->applied[i].id;
	return ids;
}

const struct plan *
target_plan(struct target *target)
{
	if (target->plan == NULL) {
		const struct run *parked = run_list_parked(&target->runs);
		const struct run *run = target->run;
		const char **committed = run != NULL ? committed_ids(target, run) : NULL;
		struct plan_input input = {
			.folder = target->folder,
			.history = target->history,
			.policy = target->params->policy,
			.running = run != NULL ? run->current : NULL,
			.committed = committed,
			.n_committed = run != NULL ? run->n_applied : 0,
			.failed = parked != NULL ? parked->err.migration : NULL,
			.failed_checksum =
			    parked != NULL ? parked->failed_checksum : NULL,
			.pooled = target->status.database.pooled,
			.in_doubt = parked != NULL && parked->in_doubt,
		};

		target->plan = plan_build(target, &input);
		talloc_free(committed);
		if (target->plan->counts[MIGRATION_PENDING] == 0)
			target->status.oldest_pending_seen_us = 0;
		else if (target->status.oldest_pending_seen_us == 0)
			target->status.oldest_pending_seen_us = clock_now_us();
	}
	return target->plan;
}

/* Who has the lock: our run knows it better than the last look. */
static struct lock_facts
lock_now(const struct target *target)
{
	const struct run *run = target->run;
	struct lock_facts lock = target->lock_seen;

	if (run != NULL && run->state > RUN_LOCK) {
		lock = (struct lock_facts){ .held = true, .ours = true };
		snprintf(
		    lock.holder, sizeof(lock.holder), "this daemon, run %s", run->id);
	} else if (run != NULL && run->lock_holder != NULL) {
		lock = (struct lock_facts){ .held = true };
		snprintf(lock.holder, sizeof(lock.holder), "%s", run->lock_holder);
	}
	return lock;
}

const struct status *
target_status(struct target *target)
{
	struct status *status = &target->status;

	status->target = TARGET_NAME;
	status->folder = target->folder;
	status->plan = target_plan(target);
	status->run = target->run;
	status->last_run = run_list_last_finished(&target->runs);
	status->parked = run_list_parked(&target->runs);
	status->runs = target->runs.runs;
	status->n_runs = target->runs.n;
	status->stopping = target->stopping;
	status->lock = lock_now(target);
	return status;
}

/* ---- the database ---- */

static void
on_observation(void *arg, const struct observation *seen)
{
	struct target *target = arg;
	struct status *status = &target->status;

	if (seen->database.reachable) {
		status->database = seen->database;
		status->tracking = seen->tracking;
		target->lock_seen = seen->lock;
	} else { /* what we knew of it stays, with its age */
		status->database.looked = true;
		status->database.reachable = false;
		status->database.err = seen->database.err;
	}
	if (seen->history != NULL &&
	    seen->history->read_at_us >= target->history_floor_us) {
		talloc_free(target->history);
		target->history = talloc_steal(target, seen->history);
	}
	for (size_t i = 0; i < seen->n_runs; i++)
		run_list_add_old(&target->runs, seen->runs[i]);
	target_changed(target);
	target_try_wanted(target);
}

void
target_refresh(struct target *target)
{
	if (target->observer != NULL)
		observer_look(target->observer);
}

/* Look at the server that the configuration and the folder's layout name now. */
static void
target_observe(struct target *target)
{
	struct target_params params;
	const struct layout *layout = target->folder->layout;

	config_target_params(
	    target->config, layout != NULL ? layout->name : NULL, &params);
	params.name = TARGET_NAME;
	if (target->observer != NULL && target_params_equal(target->params, &params)) {
		target_params_treat_as(target->params, &params);
		return;
	}
	observer_close(target->observer);
	talloc_free(target->params);
	talloc_free(target->history);
	target->history = NULL;
	target->params = target_params_copy(target, &params);
	target->observer = observer_new(target->loop, target->params,
	    (uint64_t)target->config->refresh_interval_ms, on_observation, target);
}

/* ---- the folder ---- */

static void
use_folder(struct target *target, struct folder *folder)
{
	bool first = target->folder == NULL;

	folder_unref(target->folder);
	target->folder = folder;
	report_folder(folder);
	target_observe(target);
	target_changed(target);
	if (!first && target->config->apply_on_change)
		target_want_run(target, "folder change");
}

bool
target_scan(struct target *target, enum metrics_scan trigger)
{
	int64_t began_us = clock_mono_us();
	struct folder *now = folder_load(target->config->migrations,
	    config_layout_name(target->config), clock_now_us());
	struct folder *before = target->candidate;
	bool moving = false;

	target->metrics->scans[trigger]++;
	target->metrics->scan_duration_us = clock_mono_us() - began_us;
	target->candidate = NULL;
	if (target->folder != NULL && folder_equal(target->folder, now)) {
		target->folder->scanned_at_us = now->scanned_at_us;
		target->folder->device = now->device;
		target->folder->inode = now->inode;
		folder_unref(now);
	} else if (target->folder == NULL ||
	    (before != NULL && folder_is_settled(before, now))) {
		use_folder(target, now);
	} else {
		target->candidate = now;
		moving = true;
	}
	folder_unref(before);
	return moving;
}

/* ---- life ---- */

struct target *
target_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg)
{
	struct target *target = mem_zero(NULL, struct target);

	target->loop = loop;
	target->metrics = metrics;
	target->on_change = on_change;
	target->arg = arg;
	target->herald = herald_new(loop, metrics, on_change, arg);
	target_init_settle(target);
	return target;
}

void
target_configure(struct target *target, const struct config *config)
{
	bool first = target->config == NULL;

	target->config = config;
	herald_configure(target->herald, config);
	folder_unref(target->folder);
	target->folder = NULL; /* another path or layout is used at once */
	target_scan(target, SCAN_RELOAD);
	if (first && config->apply_on_start)
		target_want_run(target, "start");
}

const struct run *
target_run(const struct target *target)
{
	return target->run;
}

const struct folder *
target_folder(const struct target *target)
{
	return target->folder;
}

static void
on_settle_closed(uv_handle_t *handle)
{
	struct target *target = handle->data;

	run_list_clear(&target->runs);
	folder_unref(target->folder);
	folder_unref(target->candidate);
	talloc_free(target);
}

void
target_close(struct target *target)
{
	observer_close(target->observer);
	target->observer = NULL;
	herald_close(target->herald);
	uv_close((uv_handle_t *)&target->settle_timer, on_settle_closed);
}
