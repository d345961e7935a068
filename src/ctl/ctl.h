/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * migrationctl: a command line, a way to ask, and what is printed of the answers. What
 * the functions of all commands share.
 *
 *	static int
 *	run_list(struct ctl *ctl)
 *	{
 *		struct answer answer;
 *
 *		if (ctl_ask(ctl, "GET", "/migrations", NULL, &answer) < 0)
 *			return ctl->exit_code;
 *		return ctl_show(ctl, &answer, render_migrations);
 *	}
 *
 * Data goes to standard output, errors and the progress bar to standard error.
 */

#include <stdbool.h>
#include <stdio.h>

#include "ctl/args.h"
#include "ctl/ask.h"
#include "ctl/render.h"

struct ctl {
	struct args args;
	char *const *environ;
	struct ask *ask;     /* NULL: nothing was asked yet */
	const void *scratch; /* what owns answers and texts: ctl itself, or of one look */
	const char *server;  /* NULL: the work is done here */
	const char *
	    program; /* "migrationctl" and the flags that say where; NULL till they are read */
	int64_t patience_ms; /* how long to go on with what may work later */
	int exit_code;       /* of the last failure */
	bool may_pass;       /* what the last run failed of may be gone soon */
	bool is_json;
	bool is_quiet;
};

/* The program, from its main: the exit code. */
int ctl_main(int argc, char **argv, char *const *environ);

/*
 * The configuration for what is done here, owned by ctl: flags, environment, file, as the
 * daemon takes them. What is odd about it is told.
 */
int ctl_load_config(struct ctl *ctl, struct config **config, struct err *err) MUST_CHECK;

/* ---- asking ---- */

/*
 * Put a question; `body` is taken. -1 when there is no answer or it is a problem: that is
 * printed, and ctl->exit_code says what to exit with. The
 * answer is owned by ctl->scratch.
 */
int ctl_ask(struct ctl *ctl, const char *method, const char *path, json_t *body,
    struct answer *answer) MUST_CHECK;

/* The same for any question. */
int ctl_put(
    struct ctl *ctl, const struct question *question, struct answer *answer) MUST_CHECK;

/* The same, but a problem is an answer too, and nothing is printed of it. */
int ctl_ask_raw(struct ctl *ctl, const char *method, const char *path, json_t *body,
    struct answer *answer) MUST_CHECK;

/*
 * "path?name=value", the value percent-encoded; `path` alone where it is NULL. Owned by
 * ctl.
 */
char *ctl_path(struct ctl *ctl, const char *path, const char *name, const char *value);

/* The exit code that a problem document or a run that has ended calls for. */
int ctl_exit_code_of(const struct answer *answer);

/* ---- printing ---- */

/* Print the answer: with --json as it came. Returns EXIT_FINE. */
int ctl_show(struct ctl *ctl, const struct answer *answer, render_fn *render);

/*
 * Print a plan. Returns the exit code that its run would have, as far as can be known: of the
 * refusal where it is refused, EXIT_UNREACHABLE where the database was not read.
 */
int ctl_show_plan(struct ctl *ctl, const struct answer *answer);

/* The answer as it came, to standard output. */
void ctl_print_raw(const struct answer *answer);

/* Whether somebody sits there, on a terminal that can move its cursor. */
bool ctl_is_terminal(const struct ctl *ctl, FILE *file);

/* The start of a text for standard output or standard error, and printing it. */
void ctl_paint(struct ctl *ctl, FILE *file, struct paint *paint);
void ctl_print(const struct paint *paint, FILE *file);

/* An error of our own: "migrationctl: ..." and its hint. Returns its exit code. */
int ctl_print_error(struct ctl *ctl, const struct err *err);

/* A problem of the API, to standard error; with --json to standard output. */
void ctl_print_problem(struct ctl *ctl, const struct answer *answer);

/* ---- runs ---- */

/*
 * Start a run by a POST of `body` (taken) to `path`, follow it until it ends, and print
 * what happens. The exit code.
 */
int ctl_do_run(struct ctl *ctl, const char *path, json_t *body);

/* Follow the run of that document until it ends. The exit code. */
int ctl_follow(struct ctl *ctl, const json_t *run);

/* ---- help ---- */

void ctl_help(FILE *out);
void ctl_help_command(FILE *out, const struct ctl_command *command);
