/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Who may write: the bearer token of token_file on TCP, the socket's permissions on a
 * unix socket. With no token configured only loopback and unix listeners exist (the
 * daemon refuses others unless told insecure = true), and whoever reaches these may
 * write.
 */

#include "http/request.h"

/* Failures of one address within a second before the rest of that second is refused. */
#define AUTH_FAILURES_PER_SECOND 10u

/* How many addresses are remembered at once. */
#define AUTH_ADDRESSES 16u

/* One address that failed lately. */
struct auth_failures {
	char peer[64];
	int64_t second_us; /* when the counted second began, monotonic */
	unsigned n;
};

/*
 * 0, or -1 with a reply made: 401 + WWW-Authenticate: Bearer, and 429 for an address
 * that guesses. `token` NULL: none is configured. The token stands in one Authorization
 * header; in a query or a cookie it is not looked for. Compared in constant time.
 */
int auth_check(
    struct request *request, const char *token, int64_t now_mono_us) MUST_CHECK;
