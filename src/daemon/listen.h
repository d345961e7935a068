/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Listening sockets: made from HOST:PORT, [IPV6]:PORT or unix:PATH, or handed over by systemd (LISTEN_FDS, sd_listen_fds(3)).
 */

#include <stdbool.h>

#include "base/err.h"

struct listen_address {
	const char *text; /* as configured */
	bool is_unix;
	bool is_loopback; /* also for unix sockets */
	bool is_wildcard;
	const char *host; /* or path */
	const char *port;
};

/* Parse; owned by ctx. CONFIGURATION that shows the right forms. */
int listen_parse(const void *ctx, const char *text, struct listen_address *out, struct err *err) MUST_CHECK;

/*
 * Refuse an address that others can reach when neither a token nor insecure = true is there. CONFIGURATION.
 */
int listen_check_exposure(const struct listen_address *address, bool has_token, bool insecure, struct err *err) MUST_CHECK;

/* Bind and listen, close-on-exec and non-blocking; `*fd` is the caller's. A stale unix socket that nobody answers is
 * replaced; mode 0660. NETWORK_ERROR/CONFIGURATION with the address ("address in use: is another migrationd running?"). */
int listen_open(const struct listen_address *address, int *fd, struct err *err) MUST_CHECK;

/* Remove the unix socket's file, if it is ours. */
void listen_unlink(const struct listen_address *address);

/* Sockets from systemd: number n (0 when none), first is descriptor 3; `*is_probe` by LISTEN_FDNAMES ("metrics" or "probe"). Clears the variables. */
int listen_inherited(bool *is_probe, int max);

/* The first descriptor that systemd hands over. */
#define LISTEN_FDS_START 3
