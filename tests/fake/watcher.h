/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * An observer on the scripted libpq, and who hears its reports. What must be true of
 * every report is checked as it comes.
 *
 *	watcher_begin(&watcher);      script_server has been called
 *	watcher_start(&watcher);
 *	watcher_await(&watcher, 1);
 *	...
 *	watcher_end(&watcher);        nothing is left, or the test fails
 *
 * Include after cmocka.h.
 */

#include <stdint.h>
#include <uv.h>

#include "core/run.h"
#include "db/observer.h"
#include "script.h"

struct watcher {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a turn of the loop ends */
	struct target_params params;
	uint64_t interval_ms;
	struct folder *folder;
	struct observer *observer;
	size_t n_blocks;
	unsigned n_turns;

	/* the last report, and how many there were */
	unsigned n_reports;
	struct observation seen; /* history and runs: NULL */
	bool had_history;
	char unread[6]; /* SQLSTATE of why the data table is not; "": it is */
	bool table_existed;
	size_t n_rows;
	size_t n_baselines;
	enum run_outcome last_run; /* of the runs that came with it */
	int64_t reported_us;
	char sent[SCRIPT_WORDS];

	/* what to do from within a report, once */
	bool look_in_report;
	bool close_in_report;
};

void watcher_begin(struct watcher *watcher);
void watcher_start(struct watcher *watcher);

/* One turn of the loop. */
void watcher_turn(struct watcher *watcher);

/* Turn the loop until there were `n` reports: at least so many, or exactly. */
void watcher_await_at_least(struct watcher *watcher, unsigned n);
void watcher_await(struct watcher *watcher, unsigned n);

/* Ask for a look, and await its report. */
void watcher_look(struct watcher *watcher);

void watcher_end(struct watcher *watcher);
