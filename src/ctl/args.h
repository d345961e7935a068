/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The command line of migrationctl: one command, flags anywhere, its operands.
 *
 * Flags are those of the command, those that every command takes (ctl_flags), and the
 * settings of the daemon (--database-url, --migrations, ...), which are passed on as they
 * are for a command that works by itself.
 *
 *	struct args args;
 *
 *	if (args_parse(ctx, argc, argv, &args, err) < 0) ...
 *	if (args_has(&args, "json")) ...
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "ctl/command.h"

#define ARGS_OPERANDS 4u
#define ARGS_BYTES    4096u /* of a value or an operand */

/* A flag that was given, with its value ("" for a switch). */
struct args_flag {
	const struct ctl_flag *flag;
	const char *text;
};

struct args {
	const struct ctl_command *command; /* NULL: none was named */
	struct args_flag *flags;
	size_t n_flags;
	const char *operands[ARGS_OPERANDS];
	size_t n_operands;
	/* Settings of the daemon, as arguments of a command line: argv[0] stands first. */
	const char **settings;
	size_t n_settings;
};

/*
 * Read it; points into argv, lists are owned by `ctx`. CONFIGURATION with EXIT_USAGE, what
 * is wrong with which argument, and as hint what was probably meant. With --help anything
 * may be missing.
 */
int args_parse(const void *ctx, int argc, char *const *argv, struct args *args,
    struct err *err) MUST_CHECK;

/*
 * "migrationctl" and all that was said of where the work is: --server and the settings, each as
 * a word for a shell, what is secret in them covered. For a command that is to be pasted; what
 * the environment says it finds there again. Owned by ctx.
 */
char *args_program(const void *ctx, const struct args *args);

/* Whether the flag was given. */
bool args_has(const struct args *args, const char *name);

/* Its value, of several the last; NULL when it was not given. */
const char *args_text(const struct args *args, const char *name);

/* The value of a CTL_DURATION in ms, or `fallback`. */
int64_t args_ms(const struct args *args, const char *name, int64_t fallback);

/* The operand at `index`, or NULL. */
const char *args_operand(const struct args *args, size_t index);
