/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The password of a connection, asked of a command (password_command): for those that last some
 * minutes only, as the tokens of Aurora DSQL and of RDS with IAM, or that lie in a vault.
 *
 *	conn->asking = password_ask(loop, "aws dsql generate-db-connect-auth-token ...", 10000,
 *	    memory, on_password, conn);
 *
 * It prints the password as one line on standard output. What it says on standard error goes to
 * the log, the password covered.
 */

#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct password;

/*
 * What the command has printed, for all connections of one target: their owner makes it
 * (mem_zero), and keeps it longer than any of them.
 */
struct password_memory {
	char *last; /* the password that it printed last; NULL: none yet */
	/* digest of what it said last when there was no password, which is logged once: the
	 * same words every 5 s help nobody; 0: the last time there was one */
	int64_t complaint;
};

/* `password` is gone when the function returns; NULL with err. */
typedef void password_fn(void *arg, const char *password, const struct err *err);

/*
 * Run the command line (base/words.h); `memory` notes what it prints. `fn` is called once, from
 * the loop, unless password_drop came first. The error names the program and quotes nothing that
 * it printed: CONFIGURATION, or NETWORK_ERROR where another try may help.
 */
struct password *password_ask(uv_loop_t *loop, const char *command, int64_t timeout_ms,
    struct password_memory *memory, password_fn *fn, void *arg);

/* Nobody waits any more. NULL is fine. */
void password_drop(struct password *password);
