/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A child: a command of the operator's (password_command, hooks), run beside the loop, which never
 * waits for it. No shell, a time limit, a limit to what is kept of its output; however it ends, and
 * however we end, nothing that it started stays behind.
 *
 *	struct child_params params = { .argv = argv, .timeout_ms = 10000, .max_output = 8192 };
 *	struct child *child = child_start(loop, &params, on_end, me, err);
 *	...
 *	static void on_end(void *arg, const struct child_end *end)
 *	{
 *		if (err_is_set(&end->err)) ...
 *	}
 *
 * `fn` is called once, from the loop, never from inside child_start, unless child_close came first.
 * The child frees itself.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

struct child;

/* Borrowed for the call of child_start. */
struct child_params {
	char *const *argv;    /* argv[0] is looked for in PATH */
	char *const *environ; /* NULL: ours; without what systemd said to us alone */
	const char *input;    /* what it reads; NULL: nothing */
	size_t input_len;
	int64_t timeout_ms; /* then SIGTERM, and soon SIGKILL */
	size_t max_output;  /* bytes kept, each of standard output and standard error */
	bool strict;        /* more output than that is an error and ends it */
};

/* How it ended. The strings are NUL-terminated, gone when the function returns. */
struct child_end {
	/*
	 * CAT_NONE: exit code 0. CONFIGURATION: there is no such program, or too much output;
	 * NETWORK_ERROR, which another try may help: another exit code, a signal, no end in time.
	 * Names the program, quotes neither its arguments nor its output.
	 */
	struct err err;
	int exit_code; /* 128 + N: by signal N */
	char *output;
	size_t output_len;
	char *errors; /* standard error */
	bool cut;     /* there was more than is kept */
};

typedef void child_fn(void *arg, const struct child_end *end);

/* NULL with err when there are no descriptors or processes left. */
struct child *child_start(uv_loop_t *loop, const struct child_params *params,
    child_fn *fn, void *arg, struct err *err);

/* SIGKILL to all of it; nothing is called any more. NULL is fine. */
void child_close(struct child *child);
