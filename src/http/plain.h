/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The same documents as text, for people with curl at 3 am: one screen, the verdict first, what to type next last. No colours, columns aligned.
 */

#include "base/text.h"
#include "core/status.h"

void plain_status(struct text *out, const struct status *status);
void plain_migrations(struct text *out, const struct status *status, const char *state);
void plain_migration(struct text *out, const struct plan_item *item);
void plain_plan(struct text *out, const struct status *status);
void plain_run(struct text *out, const struct run *run);
void plain_runs(struct text *out, const struct status *status, size_t limit);

/* "file:line:col: text", category and SQLSTATE, statement, detail, hint: one a line. */
void plain_error(struct text *out, const struct err *err);
