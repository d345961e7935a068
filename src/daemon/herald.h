/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The herald: tells those outside what a run does, by hooks and webhooks. Whoever starts
 * runners has one.
 *
 *	on_planned       herald_planned(herald, run, outlook, runner_go_on, runner)
 *	the run is done  herald_ended(herald, run)
 *
 * hook_before comes before a run that has something to do, hook_after behind each of
 * those, however it went, and hook_failure behind each run that did not succeed, or left
 * something out that failed. Webhooks likewise: migration.run.started, then .succeeded,
 * .failed, .refused or .cancelled.
 */

#include <uv.h>

#include "core/phase.h"
#include "daemon/hooks.h"

struct herald;

/* `on_change` is called when something has been told: herald_is_busy may be another. */
struct herald *herald_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg);

/* Both must stay until the next call, or herald_close; as in hooks_configure. */
void herald_configure(struct herald *herald, const struct config *config,
    const struct password_memory *passwords);

/*
 * The run has something to do. True: it has to wait for `fn`, which is called once, from the loop,
 * unless the run ends before; with an error nothing may be applied.
 */
bool herald_planned(struct herald *herald, const struct run *run,
    const struct outlook *outlook, hooks_fn *fn, void *arg);

/* The run is DONE. A hook behind it that fails becomes one of its warnings. */
void herald_ended(struct herald *herald, struct run *run);

/* Something is still to be told. */
bool herald_is_busy(const struct herald *herald);

/* Tell nothing any more. */
void herald_abandon(struct herald *herald);

/* The same, and free. */
void herald_close(struct herald *herald);
