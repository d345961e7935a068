/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Names of problems: `type` and `title` of RFC 9457 for an HTTP status and an error.
 *
 * What is wrong with the request itself (400, 401, 404, 405 ...) is named by the
 * status. What went wrong while doing what was asked (409, 422, 500, 503) is named by
 * the category, where there is one that says more than the status.
 */

#include "base/err.h"

/* "urn:migrationd:problem:sql-error", owned by ctx. */
char *problem_type(const void *ctx, const struct err *err, unsigned status);

/* The category's title or the reason phrase of the status. */
const char *problem_title(const struct err *err, unsigned status);

/*
 * Whether the same request may work later without anybody changing anything: 429, 503,
 * or by category.
 */
bool problem_is_retryable(const struct err *err, unsigned status);
