/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Listening sockets: made from HOST:PORT, [IPV6]:PORT or unix:PATH, or handed over by systemd
 * (LISTEN_FDS, sd_listen_fds(3)).
 *
 *	if (listen_parse(ctx, "127.0.0.1:8432", &address, err) < 0 ||
 *	    listen_check_exposure(&address, has_token, insecure, err) < 0 ||
 *	    listen_open(&address, &fd, err) < 0) ...
 *	...
 *	close(fd);
 *	listen_unlink(&address);
 */

#include <stdbool.h>

#include "base/err.h"

struct listen_address {
	const char *text; /* as configured */
	bool is_unix;
	bool is_loopback; /* also for unix sockets */
	bool is_wildcard;
	const char
	    *host; /* or path; "" for *:PORT, which is every address of both families */
	const char *port;
};

/* Parse; owned by ctx. CONFIGURATION that shows the right forms. A name is resolved by
 * listen_open only, and of all names "localhost" alone counts as loopback. */
int listen_parse(const void *ctx, const char *text, struct listen_address *out,
    struct err *err) MUST_CHECK;

/*
 * Refuse an address that others can reach when neither a token nor insecure = true is there.
 * CONFIGURATION.
 */
int listen_check_exposure(const struct listen_address *address, bool has_token,
    bool insecure, struct err *err) MUST_CHECK;

/* Bind and listen, close-on-exec and non-blocking; `*fd` is the caller's. A stale unix
 * socket that nobody answers is replaced; mode 0660. NETWORK_ERROR/CONFIGURATION with the
 * address ("address in use: is another migrationd running?"). */
int listen_open(
    const struct listen_address *address, int *fd, struct err *err) MUST_CHECK;

/* Remove the unix socket's file, unless somebody answers there: call it when our own is
 * closed. */
void listen_unlink(const struct listen_address *address);

/* SD_LISTEN_FDS_START of sd-daemon.h. */
#define LISTEN_FDS_START 3

/* Sockets from systemd: number n (0 when none), first is descriptor 3; `*is_probe` by
 * LISTEN_FDNAMES ("metrics" or "probe"). Clears the variables. */
int listen_inherited(bool *is_probe, int max);

/* The address of such a socket, owned by ctx: "127.0.0.1:8432", for the log and
 * listen_check_exposure. */
int listen_describe(
    const void *ctx, int fd, struct listen_address *out, struct err *err) MUST_CHECK;
