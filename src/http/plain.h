/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The same documents as text, for people with curl at 3 am: one screen, the verdict
 * first, what to type next last. No colours, columns aligned, times in UTC. Control
 * characters in names and messages are shown as \x1b and the like, so that no file name
 * or server message moves the cursor.
 */

#include "base/text.h"
#include "core/check.h"
#include "core/status.h"

/* Rows of the table in the status: one screen. */
#define PLAIN_STATUS_ROWS 40u

/*
 * `host`: as the client called us, for the commands under the advice; NULL: none. They send
 * $TOKEN where the daemon wants one.
 */
void plain_status(
    struct text *out, const struct status *status, const char *host, bool needs_token);
void plain_migrations(struct text *out, const struct status *status, const char *state);
void plain_migration(struct text *out, const struct plan_item *item);
/* What a run of that operation would do. */
void plain_plan(struct text *out, const struct status *status,
    enum plan_operation operation, const struct outlook *outlook);

/*
 * A line for each finding, "path/file:line: error: what is wrong [kind]" as compilers
 * write it, under it what to do and the commands; the verdict last.
 */
void plain_check(struct text *out, const struct check *check);
void plain_run(struct text *out, const struct run *run);
void plain_runs(
    struct text *out, const struct status *status, size_t limit, const char *after);

/*
 * "file:line:col: text", then category and SQLSTATE, statement, detail, hint: one a
 * line.
 */
void plain_error(struct text *out, const struct err *err);
