/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The observer: keeps what we know of the database fresh, and never writes.
 *
 * One idle connection of its own; it looks when asked and on a timer: server,
 * tracking table, rows, lock holder. A lost connection is noticed at once (the
 * socket is watched while idle) and made again with growing pauses. It works with
 * no tracking table, no rights, no database: then the facts say so.
 */

#include <uv.h>

#include "db/observation.h"
#include "db/target_params.h"

struct observer;

typedef void observer_fn(void *arg, const struct observation *observation);

/* Starts looking at once. `params` is borrowed and must outlive the observer. */
struct observer *observer_new(uv_loop_t *loop, const struct target_params *params,
    uint64_t interval_ms, observer_fn *fn, void *arg);

/*
 * Look now; when a look is under way, once more after it. The report comes from the
 * loop, never from inside this call. May be called from a report.
 */
void observer_look(struct observer *observer);

/* No report comes any more. May be called from a report; NULL is fine. */
void observer_close(struct observer *observer);
