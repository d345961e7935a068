/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What is told of a run outside of it: the document that a hook reads on its standard
 * input, and the body of a webhook.
 */

#include <stddef.h>

#include "core/run.h"

/*
 * What is spoken of: with an outlook the ids of all that is planned, without (NULL) of
 * what was applied. An array of `*n`, owned by `ctx`.
 */
const char **notice_ids(
    const void *ctx, const struct run *run, const struct outlook *outlook, size_t *n);

/*
 * The run's document (json_run) and two members more: "hook" ("before") and "migrations",
 * the ids; with an outlook also "plan", a list of {"phase", "known", "migrations"}. Owned
 * by `ctx`.
 */
char *json_hook(const void *ctx, const char *hook, const struct run *run,
    const struct outlook *outlook);

/*
 * {"type": "migration.run.failed", "timestamp", "data": {...}}: Standard Webhooks 1.0
 * wants it thin, so it has ids, counts and the first error, without what the server says
 * in DETAIL, HINT and CONTEXT, which quotes rows. Of the ids the first NOTICE_IDS.
 * `instance` may be NULL. Owned by `ctx`.
 */
#define NOTICE_IDS 50
char *json_webhook(const void *ctx, const char *type, const struct run *run,
    const struct outlook *outlook, const char *instance, int64_t now_us);
