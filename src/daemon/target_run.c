/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/report.h"
#include "daemon/target_internal.h"

/*
 * How often a run waits for a folder that will not stand still before it takes it
 * as it is.
 */
#define SETTLE_LOOKS 20

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
	target->lock_seen = (struct lock_facts){ 0 };
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
	if (target->run != NULL && !run_is_for(target->run, request)) {
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

/*
 * Start the run that apply_on_start or apply_on_change wished for, once the
 * database can be reached.
 */
void
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

void
target_want_run(struct target *target, const char *reason)
{
	target->want_run = true;
	target->want_reason = reason;
	target_try_wanted(target);
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

void
target_init_settle(struct target *target)
{
	uv_timer_init(target->loop, &target->settle_timer);
	target->settle_timer.data = target;
}
