/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * --ephemeral: a private throw-away PostgreSQL. initdb and postgres are found in PATH,
 * else where packages put them, the newest first; a directory of its own under $TMPDIR or
 * /tmp, unix socket only, trust inside that 0700 directory, no fsync. As root it runs as
 * another user (postgres, else nobody): PostgreSQL refuses root.
 *
 * A small process of ours, the keeper, starts the server, and removes it with its
 * directory when the pipe between us closes. So there is one way to clean up, whether we
 * end by ephemeral_stop, by exit, by a crash or by SIGKILL.
 */

#include "base/err.h"
#include "base/macros.h"

struct ephemeral;

/* Start and wait until it takes connections. CONFIGURATION when no PostgreSQL is found
 * (hint: the Debian package); its last log lines in err->detail when it does not start.
 * Blocks a second or two: before the loop runs, and before there are threads. */
int ephemeral_start(const void *ctx, struct ephemeral **out, struct err *err) MUST_CHECK;

/* Its connection string: superuser "postgres", database "postgres". */
const char *ephemeral_url(const struct ephemeral *ephemeral);

/* Stop it (immediate), remove the directory, and wait until both are done. NULL is fine. */
void ephemeral_stop(struct ephemeral *ephemeral);
