/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The routes: one table; a new route is one row and one handler.
 */

#include "http/api.h"
#include "http/request.h"

enum {
	ROUTE_WRITE = 1,  /* needs authorisation and a JSON or empty body */
	ROUTE_PROBE = 2,  /* also served by the probe listener; answered without touching anything */
	ROUTE_FRESH = 4,  /* shows the database: asks for a look when the last is old, and waits for it briefly */
	ROUTE_SLOW = 8,	  /* kept out of the duration histogram */
};

struct route {
	const char *path; /* "/runs/{id}": "{id}" matches one segment of [A-Za-z0-9_.-] */
	enum request_method method; /* GET rows serve HEAD too */
	unsigned flags;
	void (*handler)(struct request *request);
	const char *summary; /* for / and the manual */
};

extern const struct route route_table[];
extern const size_t route_count;

/* Cut the raw target into path, query; strip an optional /v1; absolute-form and '*' handled as RFC 9112 3.2 says. 400 for NUL, control bytes,
 * %00, '..' segments, "//". */
int route_parse_target(struct request *request) MUST_CHECK;

/*
 * Find the row and call its handler, or reply 404, 405 + Allow, 501 (unknown method), 204 + Allow (OPTIONS). On the probe listener other routes are 404.
 */
void route_dispatch(struct request *request);

/* Label for metrics: the row's path, or "unmatched". */
const char *route_label(const struct request *request);
