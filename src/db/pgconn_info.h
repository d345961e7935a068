/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The connection string as we see it before libpq does: which hosts, which settings of
 * ours, and how to name the server to people without a secret.
 *
 *	struct pgconn_info *info;
 *
 *	if (pgconn_info_read(ctx, &params, &info, err) < 0) ...
 *	PQconnectStartParams(info->keywords, info->values, 0);
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "db/pgconn.h"

struct pgconn_info_host {
	const char *
	    name; /* host name, address, or path of a socket folder; "" is the default socket */
	const char *port;
};

struct pgconn_info {
	const char **keywords; /* NULL-terminated, with their values: for libpq */
	const char **values;
	size_t n_settings;
	struct pgconn_info_host *hosts; /* in the order to be tried */
	size_t
	    n_hosts; /* 0: nothing to resolve, libpq has addresses or sees to it itself */
	bool own_user_timeout; /* the string does not set tcp_user_timeout */
	const char *describe;  /* see pgconn_describe */
};

/*
 * Read params->conninfo (URI or keywords; PG* environment and built-in defaults for
 * what is missing) and add password, application name, UTF8 and keepalives. Owned by
 * `ctx`. CONFIGURATION when it cannot be read; the text never quotes it.
 */
int pgconn_info_read(const void *ctx, const struct pgconn_params *params,
    struct pgconn_info **out, struct err *err) MUST_CHECK;

/* Set or replace one setting. */
void pgconn_info_set(struct pgconn_info *info, const char *keyword, const char *value);

/* One setting, or NULL. */
const char *pgconn_info_get(const struct pgconn_info *info, const char *keyword);

/* Whether the host is a unix socket. */
bool pgconn_info_is_socket(const struct pgconn_info_host *host);
