/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * --ephemeral: a private throw-away PostgreSQL. initdb and postgres found on the machine (PATH, pg_config --bindir, /usr/lib/postgresql/NN/bin, newest first), a
 * directory of its own, unix socket only, trust inside that 0700 directory, no fsync. As root it runs as another user (postgres, else nobody): PostgreSQL refuses
 * root. Gone at exit; if we are killed, the server gets SIGQUIT (PR_SET_PDEATHSIG through a small watcher process that also removes the directory).
 */

#include <uv.h>

#include "base/err.h"

struct ephemeral;

/* Start and wait until it takes connections. CONFIGURATION when no PostgreSQL is found (hint: the Debian package). Blocks some seconds, before the loop runs. */
int ephemeral_start(const void *ctx, struct ephemeral **out, struct err *err) MUST_CHECK;

/* Its connection string. */
const char *ephemeral_url(const struct ephemeral *ephemeral);

/* Stop it (immediate) and remove the directory. */
void ephemeral_stop(struct ephemeral *ephemeral);
