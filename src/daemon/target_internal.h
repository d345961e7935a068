/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A target from inside, for the two files that make it: target.c knows (folder, database,
 * status), target_run.c acts (start a run, and what follows when it ends).
 */

#include "daemon/herald.h"
#include "daemon/run_list.h"
#include "daemon/target.h"
#include "db/observer.h"
#include "db/password.h"
#include "db/runner.h"
#include "db/verify.h"

#define TARGET_NAME "default"

/* A phase that is not configured has no folder. */
struct target_phase {
	struct folder *folder;     /* in use */
	struct folder *candidate;  /* to be seen unchanged for `settle`; NULL: none */
	int64_t candidate_mono_us; /* when the first look that saw it was over */
	struct history *history;   /* last known; NULL: never read */
	struct err *unread;        /* why it could not be read now; NULL: it could */
	struct plan *plan;         /* of both, made when asked for; NULL: make it */
};

struct target {
	uv_loop_t *loop;
	struct metrics *metrics;
	void (*on_change)(void *arg);
	void *arg;
	const struct config *config;
	struct target_params *params;     /* as configured now */
	struct target_params *run_params; /* as they were when the run began */
	char process[UUID_TEXT];          /* what its runs are known by (db/lease.h) */

	struct target_phase phases[PHASE_COUNT];
	int64_t history_floor_mono_us; /* older histories than this are stale */

	struct observer *observer;
	struct runner *runner;
	struct folder *run_folders[PHASE_COUNT]; /* that its runner has and keeps */
	struct verify *verify;                   /* of the run in progress; NULL: none */
	const struct outlook *planned; /* what that run does once it is verified */
	struct herald *herald;
	struct password_memory *passwords; /* of its connections */
	struct run *run;                   /* in progress */
	bool run_is_closed; /* to callers: told to end, or of an older configuration */
	struct run *next;   /* begins when that one is over; NULL: none waits */
	char *stop_reason; /* why the one that has not begun is to end; NULL: it is not */
	uv_timer_t settle_timer;
	unsigned settle_looks;
	/* the disk compared with run_folders, for callers: when it had that stamp */
	unsigned long long compared_stamp;
	bool compared_equal;

	struct run_list runs;
	bool want_run; /* apply_on_start or apply_on_change is waiting for its chance */
	bool run_is_wanted; /* by that, the run in progress */
	const char *want_reason;
	unsigned want_failures;     /* runs that failed since the wish */
	int64_t want_after_mono_us; /* not before then again */
	bool stopping;

	struct lock_facts lock_seen; /* at the last look */
	struct status status;
};

/*
 * Something that the status shows is another now: the plan is made anew when asked
 * for.
 */
void target_changed(struct target *target);

/* Take over what was seen of the database that is configured. */
void target_see(struct target *target, const struct observation *seen);

/* The plan of what is known now of a phase that has a folder. */
const struct plan *target_plan(struct target *target, enum phase phase);

/*
 * The first migration that a person has rolled back, and that has not changed since: it
 * waits for a person. NULL: none.
 */
const struct migration *target_rolled_back(struct target *target);

/*
 * A run that apply_on_start or apply_on_change wishes for; and the look whether its
 * time has come.
 */
void target_want_run(struct target *target, const char *reason);
void target_try_wanted(struct target *target);

/* Whether the folders that the run in progress has taken are as the disk has them now. */
bool target_has_present_folders(struct target *target);

/* The timer of a run that waits for the folder to stand still. */
void target_init_settle(struct target *target);
