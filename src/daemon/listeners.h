/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * All listening sockets of the daemon, and the HTTP server behind them: those that systemd
 * handed over, or else those of the configuration.
 */

#include "base/bounds.h"
#include "daemon/config.h"
#include "daemon/listen.h"
#include "http/httpd.h"

struct listeners {
	struct listen_address addresses[2 * BOUND_LISTENERS];
	const char
	    *hosts[2 * BOUND_LISTENERS + 1]; /* of the addresses, NULL-terminated */
	size_t n;
};

/* Open them all and give them to `httpd`. Owned by `ctx`. CONFIGURATION or NETWORK_ERROR that names
 * the address; what is open by then is closed with the httpd. */
int listeners_open(struct listeners *listeners, const void *ctx, struct httpd *httpd,
    const struct config *config, struct err *err) MUST_CHECK;

/* Remove the files of unix sockets that we made. Call it when the httpd has closed them. */
void listeners_unlink(const struct listeners *listeners);
