/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The webhooks: a message to each of webhook_url about what a run does, by the rules of Standard
 * Webhooks 1.0 (daemon/webhook_sign.h). They are sent beside the loop's other work; what is not
 * accepted is tried again with growing pauses for about an hour, from memory: whoever must miss
 * nothing asks GET /runs.
 *
 *	struct webhooks *webhooks = webhooks_new(loop, metrics, on_change, me);
 *
 *	webhooks_configure(webhooks, config);
 *	webhooks_add(webhooks, "migration.run.failed", run->id, body);
 *	...
 *	webhooks_close(webhooks);
 */

#include <uv.h>

#include "daemon/config.h"
#include "http/metrics.h"

struct webhooks;

/* `on_change` is called when a try has ended: webhooks_is_busy may be another. */
struct webhooks *webhooks_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg);

/* `config` must stay until the next call, or webhooks_close. */
void webhooks_configure(struct webhooks *webhooks, const struct config *config);

/* Whether there is anybody to tell. */
bool webhooks_has(const struct webhooks *webhooks);

/*
 * Tell everybody. Strings are copied. Where BOUND_WEBHOOKS messages wait already the oldest of
 * them is given up.
 */
void webhooks_add(
    struct webhooks *webhooks, const char *type, const char *run, const char *body);

/* One is under way, or was never tried. */
bool webhooks_is_busy(const struct webhooks *webhooks);

/* Give all of them up. */
void webhooks_abandon(struct webhooks *webhooks);

/* The same, and free. */
void webhooks_close(struct webhooks *webhooks);
