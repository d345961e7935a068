/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * From a target's parameters to a session: what runner and observer do alike.
 */

#include "base/text.h"
#include "core/phase.h"
#include "db/engine.h"
#include "db/pgconn.h"
#include "db/target_params.h"
#include "db/tracking.h"

/*
 * Start connecting; `fn` gets the answer. The files with connection string and
 * password are read again each time, and password_command run, so that both can be
 * rotated. -1 with err, and `fn` is not called, when a file cannot be read.
 */
int connect_start(struct pgconn *conn, const struct target_params *params,
    pgconn_reply_fn *fn, void *arg, struct err *err) MUST_CHECK;

/*
 * The tracking table of a phase of the target on that server: names resolved. Points
 * into params and engine.
 */
struct tracking_table connect_tracking_table(
    const struct target_params *params, enum phase phase, const struct engine *engine);

/*
 * Whether another try may work by itself: the server is starting, away, or full
 * (08xxx, 57P03, 53300, no SQLSTATE).
 */
bool connect_may_retry(const struct err *err);

/*
 * Whether a password that is made anew may work where this one did not: Aurora DSQL says of a
 * token of that kind that it is over. Once: the second time the clock of this host is wrong.
 */
bool connect_is_stale(const struct err *err);

/*
 * Pause before try number `attempt` (from 0): 100 ms doubling to 5 s, half of it
 * random.
 */
uint64_t connect_pause_ms(unsigned attempt);
