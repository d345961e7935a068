/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The guard at the door: what is refused before anything is routed. Pure functions over struct request.
 *
 * libmicrohttpd 0.9.75 accepts differing Content-Length headers, Content-Length beside Transfer-Encoding, a missing or doubled
 * Host, NUL bytes in the target: each is a smuggling vector and each is refused here with 400 and the connection closed. Browsers
 * are kept out by Host (DNS rebinding, 421), Origin (403) and content type (415): no CORS header is ever sent.
 */

#include "http/request.h"

struct guard_policy {
	const char *const *allowed_hosts; /* besides localhost, 127.0.0.1, [::1] and the listen addresses; NULL-terminated */
	const char *const *listen_hosts;  /* hosts of the listeners; NULL-terminated; a wildcard listener allows any IP literal */
	bool any_host;			  /* "*" in allowed_hosts */
};

/* Checks of the header block, in the first call. 0, or -1 with a reply made (request->close set where the framing is in doubt):
 * 400, 403 (Origin), 413 (Content-Length above BOUND_BODY_BYTES), 414, 421 (Host), 505. */
int guard_check_head(struct request *request, const struct guard_policy *policy) MUST_CHECK;

/* Checks of a write once the body is there: 415 unless the body is empty (and no Origin) or application/json. */
int guard_check_body(struct request *request) MUST_CHECK;
