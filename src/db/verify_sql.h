/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The statements that make a scratch database like the one we are connected to, and drop
 * those that nobody works in any more. Its name and its comment say whose it is.
 */

#include <stddef.h>

#define VERIFY_DATABASE_PREFIX "migrationd_verify_"
#define VERIFY_DATABASE_NAME   64

/* A name that nobody has. */
void verify_sql_name(char name[VERIFY_DATABASE_NAME]);

/*
 * A query whose rows are the statements to send, each by itself, in that order: any number
 * that drop a leftover, one that creates `name`, one that comments on it. Owned by `ctx`.
 */
const char *verify_sql_statements(const void *ctx, const char *name);

/* Drop it, and whoever is still connected to it. */
const char *verify_sql_drop(const void *ctx, const char *name);
