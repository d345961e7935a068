/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Who may write: the bearer token of token_file on TCP, the socket's permissions on a unix socket. With no token configured only
 * loopback and unix listeners exist (the daemon refuses others), and these may write.
 */

#include "http/request.h"

/*
 * 0, or -1 with a reply made: 401 + WWW-Authenticate: Bearer. `token` NULL: none is configured. Tokens in the query are never accepted. Compared in
 * constant time. Ten failures within a second from anywhere: 429 for the rest of that second.
 */
int auth_check(struct request *request, const char *token, int64_t now_mono_us) MUST_CHECK;
