/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The monitor: a second connection of a run, which looks what the first one's backend
 * does while a statement takes its time.
 *
 *	monitor = monitor_start(loop, params, run, MONITOR_INTERVAL_MS, fn, me);
 *	monitor_watch(monitor, pid);            a statement was sent to that backend
 *	...
 *	monitor_rest(monitor, &reply->err);     it ended
 *	...
 *	monitor_close(monitor);
 *
 * Nothing is sent while nothing is watched, and a statement that ends within the
 * interval is never looked at: most runs make no second connection. Each look writes
 * into the run who blocks it, who waits behind it and how far it is, and logs when the
 * blockers change. Whatever happens to the connection does not harm the run: it is made
 * again with growing pauses, and without it the run knows less.
 */

#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "core/run.h"
#include "db/target_params.h"

/* Blockers are to be named within 2 s. */
#define MONITOR_INTERVAL_MS 500u

struct monitor;

enum monitor_verdict {
	MONITOR_SEEN, /* the run knows more than before */
	/*
	 * The statement waits for a lock, and yield_after sessions or more wait behind
	 * it: cancel it and try again later. Told once for each statement.
	 */
	MONITOR_YIELD
};

/* Called from the loop after each look. May call any function of this header. */
typedef void monitor_fn(void *arg, enum monitor_verdict verdict);

/*
 * At rest. Takes a reference of run; `params` is borrowed and must outlive the monitor.
 */
struct monitor *monitor_start(uv_loop_t *loop, const struct target_params *params,
    struct run *run, uint64_t interval_ms, monitor_fn *fn, void *arg);

/*
 * That backend begins a statement: look after an interval, and at each from then on.
 * The process id is the server's own, not one that a pooler made up.
 */
void monitor_watch(struct monitor *monitor, int backend_pid);

/*
 * The statement ended, so: what was seen is forgotten, but for the blockers of one that
 * did not get its lock (category LOCK_TIMEOUT). Nothing when at rest; NULL is fine.
 */
void monitor_rest(struct monitor *monitor, const struct err *err);

/* Nothing is called any more. NULL is fine. */
void monitor_close(struct monitor *monitor);
