/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/target.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/report.h"
#include "daemon/run_list.h"
#include "db/observer.h"
#include "db/runner.h"

#define TARGET_NAME "default"

/* How often a run waits for a folder that will not stand still before it takes it as it is. */
#define SETTLE_LOOKS 20

struct target {
	uv_loop_t *loop;
	struct metrics *metrics;
	void (*on_change)(void *arg);
	void *arg;
	const struct config *config;
	struct target_params *params;     /* as configured now */
	struct target_params *run_params; /* as they were when the run began */

	struct folder *folder;    /* in use */
	struct folder *candidate; /* seen once, still to be seen unchanged; NULL: none */
	struct history *history;  /* last known; NULL: never read */
	int64_t history_floor_us; /* older histories than this are stale */
	struct plan *plan;        /* of both, made when asked for; NULL: make it */

	struct observer *observer;
	struct runner *runner;
	struct run *run; /* in progress */
	uv_timer_t settle_timer;
	unsigned settle_looks;

	struct run_list runs;
	char *failed_id; /* where the last run stopped, and the file's content then */
	char *failed_checksum;
	bool want_run; /* apply_on_start or apply_on_change is waiting for its chance */
	const char *want_reason;
	bool stopping;

	struct status status;
};

static void
target_changed(struct target *target)
{
	talloc_free(target->plan);
	target->plan = NULL;
	target->on_change(target->arg);
}

/* ---- what is known ---- */

static const struct plan *
target_plan(struct target *target)
{
	if (target->plan == NULL) {
		struct plan_input input = {
			.folder = target->folder,
			.history = target->history,
			.policy = target->params->policy,
			.running = target->run != NULL ? target->run->current : NULL,
			.failed = target->failed_id,
			.failed_checksum = target->failed_checksum,
		};

		target->plan = plan_build(target, &input);
		if (target->plan->counts[MIGRATION_PENDING] == 0)
			target->status.oldest_pending_seen_us = 0;
		else if (target->status.oldest_pending_seen_us == 0)
			target->status.oldest_pending_seen_us = clock_now_us();
	}
	return target->plan;
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
	status->runs = target->runs.runs;
	status->n_runs = target->runs.n;
	status->stopping = target->stopping;
	if (target->run != NULL && target->run->state > RUN_LOCK) {
		status->lock.held = status->lock.ours = true;
	}
	return status;
}

/* ---- runs ---- */

/* A run that may work later by itself keeps the wish for it alive. */
static bool
is_worth_another_try(const struct run *run)
{
	return run->outcome == RUN_FAILED && category_is_retryable(run->err.category);
}

static void
note_failed_migration(struct target *target, const struct run *run)
{
	const struct migration *m = NULL;

	talloc_free(target->failed_id);
	talloc_free(target->failed_checksum);
	target->failed_id = target->failed_checksum = NULL;
	if (run->outcome == RUN_FAILED && run->err.migration[0] != '\0' &&
	    !category_is_retryable(run->err.category))
		m = folder_find(target->folder, run->err.migration);
	if (m != NULL) {
		target->failed_id = mem_strdup(target, m->id);
		target->failed_checksum = mem_strdup(target, m->checksum);
	}
}

/* The run in progress is done: what follows for us. */
static void
run_ended(struct target *target, struct history *history)
{
	struct run *run = target->run;

	if (history != NULL) {
		talloc_free(target->history);
		target->history = talloc_steal(target, history);
		target->status.tracking.exists = history->table_exists;
	}
	target->history_floor_us = clock_now_us();
	note_failed_migration(target, run);
	if (!is_worth_another_try(run))
		target->want_run = false;
	report_run_end(run, target->config->instance);
	metrics_count_run(target->metrics, run);
	target->run = NULL;
	target->runner = NULL;
	target->status.lock = (struct lock_facts){ 0 };
	talloc_free(target->run_params);
	target->run_params = NULL;
	run_unref(run);
	target_changed(target);
	target_refresh(target);
}

static void
on_runner_change(void *arg)
{
	target_changed(arg);
}

static void
on_runner_done(void *arg, struct history *history)
{
	run_ended(arg, history);
}

/* The folder stands still: go. */
static void
run_begin(struct target *target)
{
	const struct folder_problem *blocker = folder_blocker(target->folder);
	struct runner_events events = { on_runner_change, on_runner_done, target };

	if (target->stopping || blocker != NULL) {
		struct err *err = &target->run->err;

		if (target->stopping)
			err_set(err, CAT_CANCELLED, "migrationd is stopping");
		else
			*err = blocker->err;
		run_conclude(
		    target->run, !target->stopping, clock_now_us(), clock_mono_us());
		run_set_state(target->run, RUN_DONE);
		run_ended(target, NULL);
		return;
	}
	target->run_params = target_params_copy(target, target->params);
	target->runner = runner_start(
	    target->loop, target->run_params, target->run, target->folder, &events);
}

static void
on_settle(uv_timer_t *timer)
{
	struct target *target = timer->data;

	if (target_scan(target, SCAN_REQUEST) && ++target->settle_looks < SETTLE_LOOKS)
		uv_timer_start(timer, on_settle, (uint64_t)target->config->settle_ms, 0);
	else
		run_begin(target);
}

static bool
is_same_request(const struct run *run, const struct run_request *request)
{
	const char *a = run->up_to != NULL ? run->up_to : "";
	const char *b = request->up_to != NULL ? request->up_to : "";

	return run->operation == request->operation && strcmp(a, b) == 0 &&
	    run->force == request->force;
}

struct run *
target_run_start(struct target *target, const struct run_request *request, bool *joined,
    struct err *err)
{
	if (target->stopping) {
		err_set(
		    err, CAT_CANCELLED, "migrationd is stopping and takes no new run");
		err->http_status = 503;
		return NULL;
	}
	if (target->run != NULL && !is_same_request(target->run, request)) {
		err_set(err, CAT_CANCELLED, "another run is in progress: %s %s",
		    run_operation_name(target->run->operation), target->run->id);
		err_hint(
		    err, "wait for it (GET /runs/%s), then call again", target->run->id);
		err->http_status = 409;
		return NULL;
	}
	*joined = target->run != NULL;
	if (target->run == NULL) {
		target->run =
		    run_new(request, TARGET_NAME, clock_now_us(), clock_mono_us());
		run_list_add(&target->runs, target->run);
		report_run_start(target->run);
		target->settle_looks = 0;
		uv_timer_start(&target->settle_timer, on_settle, 0, 0);
		target_changed(target);
	}
	target->run->callers++;
	return run_ref(target->run);
}

/* Start the run that apply_on_start or apply_on_change wished for, once the database can be reached. */
static void
target_try_wanted(struct target *target)
{
	struct run_request request = { .operation = PLAN_APPLY,
		.requested_by = target->want_reason };
	struct err err = { 0 };
	bool joined;

	if (!target->want_run || target->run != NULL || target->stopping ||
	    !target->status.database.reachable)
		return;
	if (target_plan(target)->counts[MIGRATION_FAILED] > 0) {
		log_warning(
		    "not applied: a migration failed and has not changed since; POST /apply "
		    "tries it again",
		    LOG_STR("migration", target->failed_id));
		target->want_run = false;
		return;
	}
	run_unref(target_run_start(target, &request, &joined, &err));
}

static void
target_want_run(struct target *target, const char *reason)
{
	target->want_run = true;
	target->want_reason = reason;
	target_try_wanted(target);
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
		status->lock = seen->lock;
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
		target->params->policy = params.policy;
		target->params->connect_wait_ms = params.connect_wait_ms;
		target->params->lock_wait_ms = params.lock_wait_ms;
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
	uv_timer_init(loop, &target->settle_timer);
	target->settle_timer.data = target;
	return target;
}

void
target_configure(struct target *target, const struct config *config)
{
	bool first = target->config == NULL;

	target->config = config;
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

bool
target_is_busy(const struct target *target)
{
	return target->run != NULL;
}

void
target_stop(struct target *target, bool now)
{
	target->stopping = true;
	if (target->runner != NULL && now)
		runner_cancel(target->runner, "migrationd is stopping");
	else if (target->runner != NULL)
		runner_finish_early(target->runner, "migrationd is stopping");
	target_changed(target);
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
	uv_close((uv_handle_t *)&target->settle_timer, on_settle_closed);
}
