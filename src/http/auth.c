/* SPDX-License-Identifier: PostgreSQL */
#include "http/auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/log.h"
#include "http/api.h"

#define SECOND_US 1000000

/* RFC 6750 section 2.1: "Bearer" without regard to case, then the token. */
static bool
is_right(const char *header, const char *token)
{
	if (strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	header += 7;
	header += strspn(header, " ");
	return digest_secret_equal(header, token);
}

static bool
is_guessing(const struct api *api, const char *peer, int64_t now_us)
{
	for (size_t i = 0; i < AUTH_ADDRESSES; i++) {
		const struct auth_failures *row = &api->auth_failures[i];

		if (strcmp(row->peer, peer) == 0)
			return row->n >= AUTH_FAILURES_PER_SECOND &&
			    now_us - row->second_us < SECOND_US;
	}
	return false;
}

/* Count a failure in the address's row, else in the row that is the oldest. */
static void
note_failure(struct api *api, const char *peer, int64_t now_us)
{
	struct auth_failures *row = &api->auth_failures[0];

	for (size_t i = 0; i < AUTH_ADDRESSES && strcmp(row->peer, peer) != 0; i++) {
		struct auth_failures *other = &api->auth_failures[i];

		if (strcmp(other->peer, peer) == 0 || other->second_us < row->second_us)
			row = other;
	}
	if (strcmp(row->peer, peer) != 0 || now_us - row->second_us >= SECOND_US) {
		*row = (struct auth_failures){ .second_us = now_us };
		snprintf(row->peer, sizeof(row->peer), "%s", peer);
	}
	row->n++;
}

int
auth_check(struct request *request, const char *token, int64_t now_mono_us)
{
	const char *header = request_header(request, "Authorization");
	unsigned n = request_count_headers(request, "Authorization");

	if (!token || request->listener.is_unix)
		return 0;
	/*
	 * Then even the right token is not looked at, or guessing would go on behind
	 * the 429.
	 */
	if (is_guessing(request->api, request->peer, now_mono_us))
		return request_refuse(request, 429, CAT_PERMISSION_DENIED, NULL,
		    "too many attempts without the right token from this address");
	if (n == 1 && is_right(header, token))
		return 0;
	note_failure(request->api, request->peer, now_mono_us);
	log_warning("write refused: no valid token", LOG_STR("peer", request->peer),
	    LOG_STR("path", request->path), LOG_STR("request", request->id));
	request_add_header(request, "WWW-Authenticate", "Bearer realm=\"migrationd\"");
	return request_refuse(request, 401, CAT_PERMISSION_DENIED,
	    "send it: curl -H \"Authorization: Bearer $(cat TOKEN_FILE)\"",
	    n == 0 ? "this needs the token of token_file" : "the token is not right");
}
