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
	for (size_t i = 0; i < PHASE_COUNT; i++)
		TALLOC_FREE(target->phases[i].plan);
	target->on_change(target->arg);
}

/* ---- what is known ---- */

/* The ids that the run in progress has committed in a phase, for its plan to know. */
static const char **
committed_ids(const void *ctx, const struct run *run, enum phase phase, size_t *n)
{
	const char **ids = mem_array(ctx, const char *, run->n_applied);

	for (size_t i = 0; i < run->n_applied; i++)
		if (run->applied[i].phase == phase)
			ids[(*n)++] = run->applied[i].id;
	return ids;
}

static void
note_oldest_pending(struct target *target, const struct plan *plan)
{
	if (plan->counts[MIGRATION_PENDING] == 0)
		target->status.oldest_pending_seen_us = 0;
	else if (target->status.oldest_pending_seen_us == 0)
		target->status.oldest_pending_seen_us = clock_now_us();
}

static struct plan *
build_plan(struct target *target, enum phase phase, struct plan_policy policy,
    const struct run_request *request, const void *ctx)
{
	const struct target_phase *of = &target->phases[phase];
	const struct run *run = target->run;
	const struct run *parked = run_list_parked(&target->runs, phase, of->folder);
	void *scratch = mem_context(NULL, "plan");
	struct plan_input input = {
		.folder = of->folder,
		.history = of->history,
		.policy = policy,
		.operation = request->operation,
		.target = request->up_to,
		.force = request->force,
		.steps = request->steps,
		.only = request->only,
		.pooled = target->status.database.pooled,
		.dialect = target->status.database.dialect,
	};
	struct plan *plan = NULL;

	/* what a rollback has undone is recorded still, as far as the history goes */
	if (run != NULL && run_goes_forward(run) && request->operation != PLAN_ROLLBACK) {
		input.running = run->phase == phase ? run->current : NULL;
		input.committed = committed_ids(scratch, run, phase, &input.n_committed);
	}
	if (parked != NULL) {
		input.failed = parked->err.migration;
		input.failed_checksum = parked->failed_checksum;
		input.in_doubt = parked->in_doubt;
	}
	plan = plan_build(ctx, &input);
	talloc_free(scratch);
	return plan;
}

/* What runs every time is pending in a run alone: else nothing would ever be current. */
static struct plan *
make_plan(struct target *target, enum phase phase)
{
	const struct run_request request = { .operation = PLAN_APPLY };
	struct plan_policy policy = phase_policy(phase, &target->params->policy);

	if (policy.rerun == RERUN_ALWAYS)
		policy.rerun = RERUN_CHANGED;
	return build_plan(target, phase, policy, &request, target);
}

const struct plan *
target_plan(struct target *target, enum phase phase)
{
	struct target_phase *of = &target->phases[phase];

	if (of->plan == NULL) {
		of->plan = make_plan(target, phase);
		if (phase == PHASE_SCHEMA)
			note_oldest_pending(target, of->plan);
	}
	return of->plan;
}

void
target_look_ahead(struct target *target, const struct run_request *request,
    const void *ctx, struct outlook *outlook)
{
	*outlook = (struct outlook){ 0 };
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		if (target->phases[p].folder != NULL &&
		    phase_is_asked(request->phases, p))
			outlook->plans[p] = build_plan(target, p,
			    phase_policy(p, &target->params->policy), request, ctx);
}

const struct migration *
target_rolled_back(struct target *target)
{
	const struct plan *plan = target_plan(target, PHASE_SCHEMA);

	/* thousands may be pending, and each status asks */
	if (!run_list_has_rollback(&target->runs))
		return NULL;
	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct migration *m = plan->steps[i].of;

		if (run_list_rolled_back(&target->runs, m->id, m->checksum) != NULL)
			return m;
	}
	return NULL;
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
	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		struct status_phase *phase = &status->phases[p];

		phase->folder = target->phases[p].folder;
		phase->plan = NULL;
		phase->parked = NULL;
		if (phase->folder != NULL) {
			phase->plan = target_plan(target, p);
			phase->parked = run_list_parked(&target->runs, p, phase->folder);
		}
		phase->unread = target->phases[p].unread;
	}
	status->folder = status->phases[PHASE_SCHEMA].folder;
	status->plan = status->phases[PHASE_SCHEMA].plan;
	status->parked = status->phases[PHASE_SCHEMA].parked;
	status->tracking = status->phases[PHASE_SCHEMA].tracking;
	status->run = target->run;
	status->last_run = run_list_last_finished(&target->runs);
	status->rolled_back = target_rolled_back(target);
	status->runs = target->runs.runs;
	status->n_runs = target->runs.n;
	status->stopping = target->stopping;
	status->lock = lock_now(target);
	return status;
}

/* ---- the database ---- */

static void
keep_history(struct target *target, struct target_phase *phase, struct history *seen)
{
	if (seen == NULL || seen->as_of_mono_us < target->history_floor_mono_us)
		return;
	talloc_free(phase->history);
	phase->history = talloc_steal(target, seen);
}

void
target_see(struct target *target, const struct observation *seen)
{
	struct status *status = &target->status;

	if (seen->database.reachable) {
		status->database = seen->database;
		target->lock_seen = seen->lock;
	} else if (seen->database.looked) { /* what we knew of it stays, with its age */
		status->database.looked = true;
		status->database.reachable = false;
		status->database.err = seen->database.err;
	}
	for (size_t i = 0; i < PHASE_COUNT; i++) {
		keep_history(target, &target->phases[i], seen->histories[i]);
		if (seen->tracking[i].kind == NULL)
			continue;
		status->phases[i].tracking = seen->tracking[i];
		talloc_free(target->phases[i].unread);
		target->phases[i].unread = talloc_steal(target, seen->unread[i]);
	}
	for (size_t i = 0; i < seen->n_runs; i++)
		run_list_add_known(&target->runs, seen->runs[i]);
}

static void
on_observation(void *arg, const struct observation *seen)
{
	struct target *target = arg;

	target_see(target, seen);
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

	config_target_params(
	    target->config, target->phases[PHASE_SCHEMA].folder->layout, &params);
	params.name = TARGET_NAME;
	params.password_memory = target->passwords;
	if (target->observer != NULL && target_params_equal(target->params, &params)) {
		target_params_treat_as(target->params, &params);
		return;
	}
	if (target->params != NULL && !target_params_same_table(target->params, &params))
		run_list_forget(&target->runs);
	observer_close(target->observer);
	talloc_free(target->params);
	for (size_t i = 0; i < PHASE_COUNT; i++) {
		TALLOC_FREE(target->phases[i].history);
		TALLOC_FREE(target->phases[i].unread);
	}
	target->params = target_params_copy(target, &params);
	target->observer = observer_new(target->loop, target->params,
	    (uint64_t)target->config->refresh_interval_ms, on_observation, target);
}

/* ---- the folders ---- */

static void
use_folder(struct target *target, enum phase phase, struct folder *folder)
{
	struct target_phase *of = &target->phases[phase];
	bool first = of->folder == NULL;

	folder_unref(of->folder);
	of->folder = folder;
	report_folder(phase, folder);
	if (phase == PHASE_SCHEMA) /* its layout says which table is looked at */
		target_observe(target);
	target_changed(target);
	if (!first && target->config->apply_on_change)
		target_want_run(target, "folder change");
}

/* True when it may still be changing. */
static bool
scan_phase(struct target *target, enum phase phase)
{
	struct target_phase *of = &target->phases[phase];
	int64_t settle_us = target->config->settle_ms * 1000;
	int64_t began_us = clock_mono_us();
	struct folder *now = config_load_folder(target->config, phase);
	struct folder *before = of->candidate;

	of->candidate = NULL;
	if (of->folder == NULL) {
		use_folder(target, phase, now);
	} else if (folder_equal(of->folder, now)) {
		of->folder->scanned_at_us = now->scanned_at_us;
		of->folder->device = now->device;
		of->folder->inode = now->inode;
		folder_unref(now);
	} else if (before == NULL || !folder_is_settled(before, now)) {
		of->candidate = now;
		of->candidate_mono_us = clock_mono_us();
	} else if (began_us - of->candidate_mono_us < settle_us) {
		/* two events, or one and the timer: two looks at the same moment */
		of->candidate = now;
	} else {
		use_folder(target, phase, now);
	}
	folder_unref(before);
	return of->candidate != NULL;
}

unsigned
target_scan(struct target *target, enum metrics_scan trigger)
{
	int64_t began_us = clock_mono_us();
	unsigned moving = 0;

	for (unsigned p = 0; p < PHASE_COUNT; p++)
		if (config_phase_path(target->config, p) != NULL && scan_phase(target, p))
			moving |= PHASE_BIT(p);
	target->metrics->scans[trigger]++;
	target->metrics->scan_duration_us = clock_mono_us() - began_us;
	return moving;
}

static void
drop_folders(struct target *target)
{
	for (size_t i = 0; i < PHASE_COUNT; i++) {
		struct target_phase *phase = &target->phases[i];

		TALLOC_FREE(phase->plan); /* it points into the folder */
		folder_unref(phase->folder);
		folder_unref(phase->candidate);
		phase->folder = phase->candidate = NULL;
	}
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
	target->passwords = mem_zero(target, struct password_memory);
	digest_uuid7(clock_now_us(), target->process);
	target->herald = herald_new(loop, metrics, on_change, arg);
	target_init_settle(target);
	return target;
}

void
target_configure(struct target *target, const struct config *config)
{
	bool first = target->config == NULL;

	target->config = config;
	herald_configure(target->herald, config, target->passwords);
	target->run_is_closed |= target->runner != NULL;
	drop_folders(target); /* another path or layout is used at once */
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
target_folder(const struct target *target, enum phase phase)
{
	return target->phases[phase].folder;
}

static void
on_settle_closed(uv_handle_t *handle)
{
	struct target *target = handle->data;

	run_list_clear(&target->runs);
	drop_folders(target);
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
