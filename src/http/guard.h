/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The guard at the door: what is refused before anything is routed. Pure functions over
 * struct request.
 *
 * libmicrohttpd 0.9.75 accepts differing Content-Length headers, Content-Length beside
 * Transfer-Encoding, a missing or doubled Host, NUL bytes in the target: each is a
 * smuggling vector and each is refused here with 400 and the connection closed.
 * Browsers are kept out by Host (DNS rebinding, 421), Origin and Sec-Fetch-Site (403)
 * and content type (415): no CORS header is ever sent.
 *
 * Which Host is ours:
 *   - always localhost, 127.0.0.1, [::1], the hosts of the listeners and allowed_hosts,
 *     with any port
 *   - a listener that others can reach (wildcard or not loopback) adds every IP
 *     literal: a name is what DNS rebinding needs
 *   - such a listener with a token and without allowed_hosts adds every name: a
 *     Kubernetes service has more names than anybody lists, and the token keeps out
 *     what a browser may be talked into
 *   - on a unix socket and on a probe listener it does not matter
 */

#include "http/request.h"

/* Both lists end with NULL; NULL: none. */
struct guard_policy {
	const char *const *allowed_hosts; /* "*": any */
	const char *const *listen_hosts;  /* of the listeners, without port or brackets */
	bool has_token;                   /* writes need one */
};

/*
 * Checks of the header block, after route_parse_target. 0, or -1 with a reply made:
 * 400, 403 (Origin), 413 (Content-Length above BOUND_BODY_BYTES), 421 (Host), 505. The
 * connection closes where the framing is in doubt.
 */
int guard_check_head(
    struct request *request, const struct guard_policy *policy) MUST_CHECK;

/*
 * Checks of a write once the body is there: 415 unless it is application/json, or empty
 * and not sent by a web page. The strict 415 is a defence too: form types are the ones
 * that a browser sends across sites without asking first.
 */
int guard_check_body(struct request *request) MUST_CHECK;
