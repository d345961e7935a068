/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The commands of migrationctl: one row and one function each. Parser, --help, completion
 * and the words in which advice of the API is given come from these tables; the manual is
 * checked against them.
 *
 *	const struct ctl_command *command = ctl_command_find("apply");
 *	int exit_code = command->run(ctl);
 */

#include <stdbool.h>
#include <stddef.h>

struct ctl;

enum ctl_flag_type {
	CTL_SWITCH,   /* takes no value */
	CTL_TEXT,     /* any text, or one word of `argument` where that is a list */
	CTL_DURATION, /* "30s" */
	CTL_NUMBER,   /* from 1 */
};

struct ctl_flag {
	const char *name; /* without the dashes; NULL ends a list */
	enum ctl_flag_type type;
	/* In capitals what stands for the value ("ID"); "bash|zsh|fish" is all there is. */
	const char *argument;
	const char *help;
};

/* Where a command can work. */
enum ctl_place {
	CTL_ANYWHERE, /* asks the daemon of --server, or works by itself without one */
	CTL_SERVER,   /* asks a daemon: there must be one */
	CTL_HERE,     /* asks nobody */
};

struct ctl_command {
	const char *name;
	/*
	 * What stands behind it: "MIGRATION retry|applied|pending"; in brackets what may
	 * be left out. NULL: nothing.
	 */
	const char *operands;
	const char *summary;          /* a line of --help */
	const char *about;            /* more of it, for its own --help; or NULL */
	const struct ctl_flag *flags; /* of its own; NULL: none */
	enum ctl_place place;
	/*
	 * The request of the API that it stands for, as advice names it: "GET /runs/{id}".
	 * NULL: none.
	 */
	const char *request;
	/* The members of that request's body: operands, in order, then --flags; or NULL. */
	const char *members;
	int (*run)(struct ctl *ctl); /* the exit code */
};

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/* Flags that every command takes; a NULL name ends them. */
extern const struct ctl_flag ctl_flags[];

const struct ctl_command *ctl_command_find(const char *name);

/*
 * The operand `index` of a command: its length, 0 when there are not so many; *word is
 * where it begins, without brackets, *optional whether it may be left out.
 */
size_t ctl_operand(
    const struct ctl_command *command, size_t index, const char **word, bool *optional);

/* Whether an argument of len bytes is a closed list, "bash|zsh|fish". */
bool ctl_is_list(const char *argument, size_t len);

/* Whether `word` is in that list. */
bool ctl_list_has(const char *list, size_t len, const char *word);

/* ---- the functions, by file ---- */

int ctl_run_status(struct ctl *ctl); /* cmd_read.c */
int ctl_run_list(struct ctl *ctl);
int ctl_run_show(struct ctl *ctl);
int ctl_run_plan(struct ctl *ctl);
int ctl_run_check(struct ctl *ctl);
int ctl_run_history(struct ctl *ctl);
int ctl_run_config(struct ctl *ctl);
int ctl_run_version(struct ctl *ctl);
int ctl_run_apply(struct ctl *ctl); /* cmd_write.c */
int ctl_run_baseline(struct ctl *ctl);
int ctl_run_rollback(struct ctl *ctl);
int ctl_run_repair(struct ctl *ctl);
int ctl_run_cancel(struct ctl *ctl);
int ctl_run_ping(struct ctl *ctl); /* cmd_wait.c */
int ctl_run_wait(struct ctl *ctl);
int ctl_run_events(struct ctl *ctl);
int ctl_run_create(struct ctl *ctl); /* cmd_author.c */
int ctl_run_prepare(struct ctl *ctl);
int ctl_run_new_data(struct ctl *ctl);
int ctl_run_completion(struct ctl *ctl); /* completion.c */
