/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What is told of a run outside of it: the document that a hook reads on its standard
 * input, and the body of a webhook.
 */

#include <stddef.h>

#include "core/run.h"

/*
 * The run's document (json_run) and two members more: "hook" ("before"), "migrations",
 * the ids that are planned, or that were applied. Owned by `ctx`.
 */
char *json_hook(const void *ctx, const char *hook, const struct run *run,
    const char *const *ids, size_t n_ids);

/*
 * {"type": "migration.run.failed", "timestamp", "data": {...}}: Standard Webhooks 1.0
 * wants it thin, so it has ids, counts and the first error, without what the server says
 * in DETAIL, HINT and CONTEXT, which quotes rows. Of the ids the first NOTICE_IDS.
 * `instance` may be NULL. Owned by `ctx`.
 */
#define NOTICE_IDS 50
char *json_webhook(const void *ctx, const char *type, const struct run *run,
    const char *const *ids, size_t n_ids, const char *instance, int64_t now_us);
