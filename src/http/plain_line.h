/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Lines of the text pages in http/plain.h: a label, then its value. For plain*.c, and for
 * what migrationctl prints of others' words.
 */

#include "base/clock.h"
#include "base/text.h"
#include "core/status.h"

#define PLAIN_LABEL "%-9s "

/*
 * A name or message that others made: control characters shown, a line break goes on
 * under the value.
 */
void plain_add_clean(struct text *out, const char *s);

/* "label     value"; nothing when the value is NULL or "". */
void plain_add_line(struct text *out, const char *label, const char *value);

/* The body of a request as JSON; nothing where it has none. */
void plain_add_body(struct text *out, const struct status_request *request);

/* "2026-11-20 05:58:12Z": seconds are enough for people. "" for 0. */
const char *plain_time(int64_t us, char buf[CLOCK_TEXT]);

/* "apply 01890a5d-... succeeded 2026-11-20 05:58:12Z, 3 migrations in 2.6 s" */
void plain_add_run(struct text *out, const struct run *run);

/* plain_error without what to do, where that is part of what is `advised` below it. */
void plain_error_but(struct text *out, const struct err *err, const char *advised);

/* Whom its statement waits for, who waits behind it, and how far it is; a line each. */
void plain_add_wait(struct text *out, const struct run *run);
