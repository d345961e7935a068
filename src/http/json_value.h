/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Single values of the documents in http/json.h, for those who make documents. Each
 * gives a new reference; what is not known is null.
 */

#include <jansson.h>

#include "core/status.h"

/* A string; null for NULL. Bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *s);

/*
 * The same, and null for "", which means "not known" in the fixed fields of our
 * structs.
 */
json_t *json_text_or_null(const char *s);

/* "2026-11-20T05:58:12.123Z"; null for 0. */
json_t *json_time_or_null(int64_t us);

/* A span as a number of seconds. */
json_t *json_seconds(int64_t us);

json_t *json_count(size_t n);

/* [{"method", "path", "body", "when"}]: what to send next. */
json_t *json_requests(const struct status_request *requests, size_t n);

/*
 * Add the members that say what is wrong, as far as they are known: category, sqlstate,
 * hint, statement ..., and the requests that answer it.
 */
void json_set_error(json_t *object, const struct err *err);

/* A problem document, or null when there is no error. `run_id` may be NULL. */
json_t *json_error_or_null(const struct err *err, const char *run_id);
