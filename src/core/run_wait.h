/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the statement of a run waits for, and how far it is: arithmetic on those facts
 * of struct run, and the words for them that log, status and pages share.
 *
 *	progress->done = 300; progress->total = 1200; ...
 *	run_progress_measure(progress, &start, clock_mono_us());
 *	run_progress_text(progress, buf, sizeof(buf));
 *
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/run.h"

/* The first look at a phase: what the rate is reckoned from. Zeroed before the first. */
struct run_progress_start {
	bool known;
	char command[32];
	char phase[64];
	char unit[16];
	uint64_t done;
	int64_t mono_us;
};

/* Forget what the last look showed. */
void run_wait_clear(struct run *run);

/* Whether the statement waits for other sessions. */
bool run_is_blocked(const struct run *run);

/*
 * From done and total to percent, rate and time left: the rate is the mean since
 * `start`, which begins anew when the phase does. What cannot be said yet is -1.
 */
void run_progress_measure(
    struct run_progress *progress, struct run_progress_start *start, int64_t mono_us);

/* What is known of how far the migration in hand is: of its batches, else of its statement. */
const struct run_progress *run_progress_now(const struct run *run);

/* "CREATE INDEX, building index: scanning table, 25.0 %, 980 blocks/s, 12.4 s left" */
#define RUN_PROGRESS_TEXT 256
const char *run_progress_text(
    const struct run_progress *progress, char *buf, size_t size);

/* "pid 4711 (psql as app, idle in transaction for 3 min)", as far as it is known. */
#define RUN_BLOCKER_TEXT 256
const char *run_blocker_text(const struct run_blocker *blocker, char *buf, size_t size);

/* What to type to be rid of it: "SELECT pg_terminate_backend(4711)". */
#define RUN_REMEDY_TEXT 96
const char *run_blocker_remedy(const struct run_blocker *blocker, char *buf, size_t size);

/*
 * For a run that is blocked: "waiting for a lock that pid 4711 (...) holds", with the
 * number of the others.
 */
#define RUN_BLOCKED_TEXT (RUN_BLOCKER_TEXT + 64)
const char *run_blocked_text(const struct run *run, char *buf, size_t size);

/* "apply in progress: running the SQL of a migration (0043_x, 1 of 3 done)" */
void run_doing_text(const struct run *run, char *buf, size_t size);

/* What can be done meanwhile: wait, follow it, end it or what it waits for. */
void run_doing_advice(const struct run *run, char *buf, size_t size);
