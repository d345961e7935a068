/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The statements that make a scratch database like the one we are connected to, and drop
 * those that nobody works in any more. Its name says whose it is, so that there is no moment at
 * which a kill leaves one that nobody knows: migrationd_verify_, the process id of the session
 * that makes it, a random number.
 */

#include <stddef.h>

#include "db/pgconn.h"

#define VERIFY_DATABASE_NAME 64

/* One to send, by itself. */
struct verify_statement {
	const char *sql;
	bool is_leftover; /* it drops one that is not ours */
};

/*
 * A query for them, owned by `ctx`. It also sees to it that the session is not cut while it
 * waits.
 */
const char *verify_sql_ask(const void *ctx);

/*
 * From the answer to that, owned by `ctx`, and the name: any number that drop a leftover, one
 * that creates ours, and those that give it the settings of the database we are connected to.
 */
struct verify_statement *verify_sql_read(
    const void *ctx, const PGresult *result, size_t *n, char name[VERIFY_DATABASE_NAME]);

/* Drop it, and whoever is still connected to it. */
const char *verify_sql_drop(const void *ctx, const char *name);
