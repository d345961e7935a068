/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The hooks: commands of the operator's (db/child.h) that are run before a run that has something
 * to do, after it, and when a run did not succeed. One at a time, in order; none holds up the loop,
 * none holds up a run but hook_before with hook_required.
 *
 *	struct hooks *hooks = hooks_new(loop, metrics, on_change, me);
 *
 *	hooks_configure(hooks, config, passwords);
 *	hooks_add(hooks, HOOK_AFTER, run, NULL, NULL, NULL);
 *	...
 *	hooks_close(hooks);
 */

#include <uv.h>

#include "daemon/config.h"
#include "daemon/hook_facts.h"
#include "db/password.h"
#include "http/metrics.h"

struct hooks;

/* How a hook ended: CAT_NONE, or CONFIGURATION. */
typedef void hooks_fn(void *arg, const struct err *err);

/* `on_change` is called when one has ended: hooks_is_busy may be another. */
struct hooks *hooks_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg);

/*
 * Both must stay until the next call, or hooks_close. What password_command has printed is
 * covered where a hook prints it.
 */
void hooks_configure(struct hooks *hooks, const struct config *config,
    const struct password_memory *passwords);

/* Whether there is a command for it. */
bool hooks_has(const struct hooks *hooks, enum hook_kind kind);

/*
 * Run the hook of that kind, if there is a command for it. All that it is told is taken now:
 * the run, and before it the outlook, behind it (NULL) what was applied.
 * `fn` (or NULL) is called once, from the loop, never from inside, unless hooks_forget or
 * hooks_close came first. More than BOUND_HOOKS that wait are not run: `fn` gets an error.
 */
void hooks_add(struct hooks *hooks, enum hook_kind kind, const struct run *run,
    const struct outlook *outlook, hooks_fn *fn, void *arg);

/* Nobody waits for `arg`'s hook any more: it is killed, or not begun. */
void hooks_forget(struct hooks *hooks, const void *arg);

/* One runs, or waits to. */
bool hooks_is_busy(const struct hooks *hooks);

/* Kill the one that runs, drop the others. */
void hooks_abandon(struct hooks *hooks);

/* The same, and free. */
void hooks_close(struct hooks *hooks);
