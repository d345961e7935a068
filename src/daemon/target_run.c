/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/repair.h"
#include "daemon/report.h"
#include "daemon/target_internal.h"
#include "daemon/watch.h"

/*
 * How often a run waits for a folder that will not stand still before it goes on
 * with the one that did last.
 */
#define SETTLE_LOOKS 20

/* Between the runs of one wish that failed: 1 s, 2 s, 4 s ... */
#define WISH_PAUSE_US      INT64_C(1000000)
#define WISH_PAUSE_DOUBLES 8 /* up to 4 min */

/*
 * A run that may work later by itself keeps the wish for it alive, with longer and
 * longer pauses: what does not work for an hour shall not fill the log for an hour.
 */
static void
note_wish(struct target *target, const struct run *run)
{
	bool again =
	    run->outcome == RUN_FAILED && category_is_retryable(run->err.category);

	if (!target->run_is_wanted || !again)
		return;
	target->want_run = true;
	target->want_after_mono_us =
	    clock_mono_us() + (WISH_PAUSE_US << target->want_failures);
	if (target->want_failures < WISH_PAUSE_DOUBLES)
		target->want_failures++;
}

static void on_settle(uv_timer_t *timer);

/* It is the one in progress, and begins once the folder stands still. */
static void
run_take(struct target *target, struct run *run)
{
	target->run = run;
	target->run_is_closed = false;
	target->settle_looks = 0;
	target->compared_stamp = 0; /* that of a folder which is gone: not equal */
	target->compared_equal = false;
	report_run_start(run);
	uv_timer_start(&target->settle_timer, on_settle, 0, 0);
}

/* The run in progress is done: what follows for us. */
static void
on_run_done(void *arg, const struct observation *seen)
{
	struct target *target = arg;
	struct run *run = target->run;

	/* not of the database that was configured before */
	if (target_params_equal(target->params, target->run_params))
		target_see(target, seen);
	if (!target_params_same_table(target->params, target->run_params))
		run->failed_checksum[0] = '\0';
	target->history_floor_mono_us = clock_mono_us();
	note_wish(target, run);
	verify_abandon(target->verify); /* the run did not wait for it */
	target->verify = NULL;
	report_run_end(run, target->config->instance);
	metrics_count_run(target->metrics, run);
	herald_ended(target->herald, run);
	/* the lease that it left is not to be taken over */
	if (run->left_unfenced)
		digest_uuid7(clock_now_us(), target->process);
	target->run = NULL;
	target->runner = NULL;
	target->lock_seen = (struct lock_facts){ 0 };
	TALLOC_FREE(target->run_params);
	run_unref(run);
	if (target->next != NULL)
		run_take(target, target->next);
	target->next = NULL;
	target_changed(target);
	target_refresh(target);
}

static void
on_runner_change(void *arg)
{
	target_changed(arg);
}

/* The database is what the folder makes: now the hooks. */
static void
on_verified(void *arg, const struct err *err)
{
	struct target *target = arg;

	target->verify = NULL;
	if (err_is_set(err) ||
	    !herald_planned(target->herald, target->run, target->planned, runner_go_on,
		target->runner))
		runner_go_on(target->runner, err);
}

static bool
on_planned(void *arg, const struct outlook *outlook)
{
	struct target *target = arg;

	if (target->run->verify) {
		target->planned = outlook;
		target->verify = verify_start(target->loop, target->run_params,
		    target->run, target->run_folders[PHASE_SCHEMA], on_verified, target);
		return true;
	}
	return herald_planned(
	    target->herald, target->run, outlook, runner_go_on, target->runner);
}

/* The folder stands still: go. */
static void
run_begin(struct target *target)
{
	struct runner_events events = {
		.on_change = on_runner_change,
		.on_planned = on_planned,
		.on_done = on_run_done,
		.arg = target,
	};

	for (size_t i = 0; i < PHASE_COUNT; i++)
		target->run_folders[i] = target->phases[i].folder;
	/* what is wished for from here on is about what this run does not have */
	target->run_is_wanted = target->want_run;
	target->want_run = false;
	target->run_params = target_params_copy(target, target->params);
	memcpy(target->run_params->process, target->process, sizeof(target->process));
	target->runner = runner_start(
	    target->loop, target->run_params, target->run, target->run_folders, &events);
	if (target->stop_reason != NULL)
		runner_finish_early(target->runner, target->stop_reason);
	TALLOC_FREE(target->stop_reason);
}

static void
on_settle(uv_timer_t *timer)
{
	struct target *target = timer->data;

	if (target->stop_reason == NULL && target_scan(target, SCAN_REQUEST) != 0 &&
	    ++target->settle_looks < SETTLE_LOOKS)
		uv_timer_start(timer, on_settle,
		    watch_settle_timeout(
			target->loop, (uint64_t)target->config->settle_ms),
		    0);
	else
		run_begin(target);
}

/* What the configuration does not let anybody ask for. */
static int
check_allowed(const struct target_params *params, const struct run_request *request,
    struct err *err)
{
	if (request->operation == PLAN_ROLLBACK && !params->rollback) {
		err_set(
		    err, CAT_CONFIGURATION, "rollback is off: nothing is undone here");
		err_hint(err,
		    "set rollback = on (--rollback) and reload; a dry run shows what would "
		    "be undone all the same");
		err->http_status = 403;
	} else if (params->guard && repair_is_of_guard(request->action)) {
		err_set(err, CAT_CONFIGURATION,
		    "guard is on: the next run would make the index again");
		err_hint(err, "set guard = off first, and POST /reload");
		err->http_status = 409;
	}
	err->exit_code = err_is_set(err) ? EXIT_REFUSED : EXIT_FINE;
	return err_is_set(err) ? -1 : 0;
}

/*
 * The first phase in which a migration failed or is in doubt, of the lenient ones or of the
 * others; or PHASE_COUNT.
 */
static enum phase
find_stuck(struct target *target, bool lenient)
{
	unsigned p;

	for (p = 0; p < PHASE_COUNT; p++) {
		if (target->phases[p].folder == NULL || phase_is_lenient(p) != lenient)
			continue;
		const size_t *counts = target_plan(target, p)->counts;

		if (counts[MIGRATION_FAILED] + counts[MIGRATION_IN_DOUBT] > 0)
			break;
	}
	return (enum phase)p;
}

/*
 * Whether the run in progress cannot do any more all that is asked for. Its outcome may be
 * decided, or it is told to end; a file may have come since it took its folders, or another
 * configuration; or nobody had asked for it, so that it leaves out what failed in a lenient phase.
 */
static bool
is_too_late(struct target *target, const struct run_request *request)
{
	const struct run *run = target->run;

	if (run->outcome != RUN_IN_PROGRESS ||
	    (target->run_is_closed && run_is_for(run, request)))
		return true;
	if (!run_is_for(run, request) || target->runner == NULL)
		return false;
	if (run->by_itself && !request->by_itself &&
	    find_stuck(target, true) != PHASE_COUNT)
		return true;
	return !target_has_present_folders(target);
}

/* Which run a request is for: the one in progress, or the one behind it. */
static struct run **
run_slot(struct target *target, const struct run_request *request)
{
	return target->run != NULL && is_too_late(target, request) ? &target->next
								   : &target->run;
}

struct run *
target_run_start(struct target *target, const struct run_request *request, bool *joined,
    struct err *err)
{
	struct run **slot = NULL;

	if (target->stopping) {
		err_set(
		    err, CAT_CANCELLED, "migrationd is stopping and takes no new run");
		err->http_status = 503;
		return NULL;
	}
	slot = run_slot(target, request);
	if (*slot != NULL && !run_is_for(*slot, request)) {
		err_set(err, CAT_CANCELLED, "another run is in progress: %s %s",
		    run_operation_name((*slot)->operation), (*slot)->id);
		err_hint(err, "wait for it (GET /runs/%s), then call again", (*slot)->id);
		err->http_status = 409;
		return NULL;
	}
	if (check_allowed(target->params, request, err) < 0)
		return NULL;
	*joined = *slot != NULL;
	if (*slot == NULL) {
		*slot = run_new(request, TARGET_NAME, clock_now_us(), clock_mono_us());
		run_list_add(&target->runs, *slot);
		if (slot == &target->run)
			run_take(target, *slot);
		target_changed(target);
	}
	(*slot)->by_itself = (*slot)->by_itself && request->by_itself;
	(*slot)->callers++;
	return run_ref(*slot);
}

/*
 * Start the run that apply_on_start or apply_on_change wished for, once the
 * database can be reached; a standby may be promoted.
 */
void
target_try_wanted(struct target *target)
{
	struct run_request request = { .operation = PLAN_APPLY,
		.by_itself = true,
		.requested_by = target->want_reason };
	struct err err = { 0 };
	const struct database_facts *database = &target->status.database;
	enum phase stuck;
	bool joined;

	if (!target->want_run || target->run != NULL || target->stopping ||
	    !database->reachable || database->in_recovery ||
	    clock_mono_us() < target->want_after_mono_us)
		return;
	const struct migration *undone = target_rolled_back(target);

	if (undone != NULL) {
		log_warning(
		    "not applied: a migration was rolled back and has not changed since; "
		    "POST /apply applies it again",
		    LOG_STR("migration", undone->id));
		target->want_run = false;
		return;
	}
	/* what failed in a lenient phase keeps nothing else waiting */
	stuck = find_stuck(target, false);
	if (stuck != PHASE_COUNT) {
		const struct run *parked =
		    run_list_parked(&target->runs, stuck, target->phases[stuck].folder);

		log_warning(
		    "not applied: a migration failed and has not changed since; POST /apply "
		    "tries it again",
		    LOG_STR("migration", parked != NULL ? parked->err.migration : NULL),
		    LOG_STR("failedRun", parked != NULL ? parked->id : NULL));
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
	target->want_failures = 0;
	target->want_after_mono_us = 0;
	target_try_wanted(target);
}

bool
target_is_busy(const struct target *target)
{
	return target->run != NULL;
}

bool
target_is_telling(const struct target *target)
{
	return herald_is_busy(target->herald);
}

/* The one behind the run in progress ends before it began. */
static void
end_next(struct target *target, const char *reason)
{
	struct run *run = target->next;

	target->next = NULL;
	err_set(&run->err, CAT_CANCELLED, "cancelled before it began: %s", reason);
	run_conclude(run, true, clock_now_us(), clock_mono_us());
	run_set_state(run, RUN_DONE);
	report_run_end(run, target->config->instance);
	metrics_count_run(target->metrics, run);
	run_unref(run);
	target_changed(target);
}

/* End the run in progress: after the migration in hand, or now. */
static void
run_end_early(struct target *target, bool now, const char *reason)
{
	target->run_is_closed = true;
	if (target->runner == NULL) { /* it waits for the folder to stand still */
		if (target->stop_reason == NULL)
			target->stop_reason = mem_strdup(target, reason);
		uv_timer_start(&target->settle_timer, on_settle, 0, 0);
	} else if (target->verify != NULL) {
		verify_cancel(target->verify, reason);
	} else if (now) {
		runner_cancel(target->runner, reason);
	} else {
		runner_finish_early(target->runner, reason);
	}
	target_changed(target);
}

void
target_stop(struct target *target, bool now)
{
	target->stopping = true;
	if (now)
		herald_abandon(target->herald);
	if (target->next != NULL)
		end_next(target, "migrationd is stopping");
	if (target->run != NULL)
		run_end_early(target, now, "migrationd is stopping");
	target_changed(target);
}

struct run *
target_cancel(
    struct target *target, const char *id, bool now, const char *peer, struct err *err)
{
	struct run *run = run_list_find(&target->runs, id);
	char reason[128];

	if (run == NULL) {
		err_set(err, CAT_RESOURCE_NOT_FOUND, "there is no run %.64s", id);
		err_hint(err, "GET /runs lists them");
		return NULL;
	}
	if (run != target->run && run != target->next) {
		err_set(err,
		    run->outcome == RUN_CANCELLED ? CAT_CANCELLED : CAT_CONFIGURATION,
		    "run %s is over: %s", run->id, run_outcome_name(run->outcome));
		err->http_status = 409;
		return NULL;
	}
	log_info("run cancelled by a request", LOG_STR("run", run->id),
	    LOG_STR("mode", now ? "now" : "graceful"), LOG_STR("peer", peer));
	snprintf(reason, sizeof(reason), "http %s asked for it", peer);
	run_ref(run);
	if (run == target->next)
		end_next(target, reason);
	else
		run_end_early(target, now, reason);
	return run;
}

void
target_init_settle(struct target *target)
{
	uv_timer_init(target->loop, &target->settle_timer);
	target->settle_timer.data = target;
}
