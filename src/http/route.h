/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The routes: one table; a new route is one row and one handler.
 */

#include "http/api.h"
#include "http/request.h"

enum {
	ROUTE_WRITE = 1, /* needs authorisation and a JSON or empty body */
	ROUTE_PROBE = 2, /* also served by the probe listener */
	ROUTE_FRESH =
	    4, /* shows the database: asks for a look when the last is old, and waits briefly */
	ROUTE_SLOW = 8, /* kept out of the duration histogram */
	ROUTE_METRICS =
	    16 /* answers in the formats of Prometheus instead of JSON or text */
};

/*
 * How old the last look at the database may be, and how long a reader waits for a new
 * one.
 */
#define ROUTE_FRESH_US 1000000
#define ROUTE_WAIT_MS  80

struct route {
	const char *path; /* "/runs/{id}": "{id}" matches one segment of [A-Za-z0-9_.-] */
	enum request_method method; /* GET rows serve HEAD too */
	unsigned flags;
	void (*handler)(struct request *request);
	const char *summary; /* for / and the manual */
};

extern const struct route route_table[];
extern const size_t route_count;

/*
 * Cut the raw target into path and query; strip an optional /v1; absolute-form and '*'
 * as in RFC 9112 section 3.2. -1 with a reply made: 414 above BOUND_TARGET_BYTES; 400
 * for NUL, blanks, control or non-ASCII bytes, %00, '#', "//" and "." or ".." segments.
 */
int route_parse_target(struct request *request) MUST_CHECK;

/*
 * Find the row and call its handler, or reply 404, 405 + Allow, 406, 501 (unknown
 * method), 204 + Allow (OPTIONS), and for a write what auth_check and guard_check_body
 * say. On the probe listener other routes are 404.
 */
void route_dispatch(struct request *request);

/* Label for metrics: the row's path, or "unmatched". */
const char *route_label(const struct request *request);
