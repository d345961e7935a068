/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The configuration: one generation, immutable once loaded, a talloc context of its own.
 * flags > environment > file > credentials > default; each value remembers where it came from.
 *
 *	struct config_source source = { .argc = argc, .argv = argv, .environ = environ };
 *	struct config *config = NULL;
 *
 *	if (config_load(NULL, &source, &config, &err) < 0) ...
 *	log_init(STDERR_FILENO, config->log_format, config->log_level);
 *	config_log_warnings(config);
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "core/plan.h"
#include "db/target_params.h"

/* Actions among the flags. */
struct config {
	/* actions */
	const char *config_path; /* the file that was read, or NULL */
	bool help, version, check_config, print_config, once;

	/* what and where */
	const char *migrations;
	const char *data; /* folders of the phases behind it; NULL: none */
	const char *repeatable;
	const char *seeds;
	int seeds_when; /* 0: when it changes, 1: always */
	const char *database_url;
	const char *database_direct_url;
	const char *database_url_file;
	const char *database_direct_url_file;
	const char *password_file;
	const char *password_command;
	bool ephemeral;
	const char *manifest;
	const char *immutable;             /* "001-009" */
	struct plan_range immutable_range; /* of it */
	int layout;   /* 0: auto; else the number of layout_name, from 1 */
	int tracking; /* 0: auto; else likewise of tracking_name */
	int engine;   /* 0: auto; else likewise of engine_name */
	const char *tracking_schema;
	const char *tracking_table;
	const char *instance;

	/* how */
	int transaction;    /* enum plan_transaction */
	int out_of_order;   /* enum plan_out_of_order */
	int on_modified;    /* enum plan_on_modified */
	int other_tracking; /* 0 refuse, 1 ignore */
	bool journal;
	bool guard;
	bool apply_on_start;
	bool apply_on_change;
	bool rollback;
	int64_t lock_wait_ms;
	int lock; /* enum target_lock_mode */
	int64_t ddl_lock_timeout_ms;
	int64_t statement_timeout_ms;
	unsigned yield_after;
	const char *hook_before;
	const char *hook_after;
	const char *hook_failure;
	int64_t hook_timeout_ms;
	bool hook_required;
	const char **webhook_url;
	const char *webhook_secret_file;
	int64_t batch_max_lag_ms;
	unsigned batch_max_active;
	int64_t connect_timeout_ms;
	int64_t connect_wait_ms;
	int64_t connection_max_age_ms;
	int64_t refresh_interval_ms;
	int64_t rescan_interval_ms;
	int64_t settle_ms;
	int64_t shutdown_grace_ms;

	/* HTTP */
	const char **listen; /* NULL-terminated, as are the other lists; NULL: none */
	const char **probe_listen;
	const char *token_file;
	const char **allowed_hosts;
	bool insecure;
	int64_t request_timeout_ms;

	/* log */
	int log_format; /* enum log_format */
	int log_level;  /* enum log_level */

	/* derived */

	/* By index of option_table: "default", "file:12", "env NAME", "flag", "credential
	 * NAME". */
	const char **origins;
	const char *token; /* as token_file held it at load; NULL: none */
	/* What `layout` and `tracking` stand for; NULL for auto. */
	const char *layout_name;
	const char *tracking_name;
	/* For the log, which is not set up yet while a configuration is loaded. */
	const char **warnings;
	size_t n_warnings;
};

/* Where to read from. argv and environment are main's; tests make their own. */
struct config_source {
	int argc;
	char *const *argv;
	char *const *environ;
};

/*
 * Load a generation. CONFIGURATION names file:line, flag or variable, the value (never a
 * secret's) and what is allowed; an unknown flag has exit code EXIT_USAGE and a "did you
 * mean". With help or version, errors elsewhere are not looked for.
 */
int config_load(const void *ctx, const struct config_source *source, struct config **out,
    struct err *err) MUST_CHECK;

/*
 * A copy of the command line, owned by `ctx`. In the original, which ps and /proc show to everybody
 * on the machine, stars take the place of secrets.
 */
char **config_take_argv(const void *ctx, int argc, char **argv);

/* What was odd but no error: one line each. */
void config_log_warnings(const struct config *config);

/* Whether the running daemon may go from `old` to `new`: CONFIGURATION that names the
 * first option that needs a restart. */
int config_check_reload(
    const struct config *old, const struct config *new, struct err *err) MUST_CHECK;

/* The parameters of a target whose folder has that layout (NULL: not known; then tracking
 * auto means drizzle). Points into the configuration. */
void config_target_params(
    const struct config *config, const struct layout *layout, struct target_params *out);

/* Use the private server of --ephemeral: `url` is kept as long as the configuration. */
void config_use_ephemeral(struct config *config, const char *url);

/* The folder of a phase; NULL: it has none. */
const char *config_phase_path(const struct config *config, enum phase phase);

/* Read it: one reference, or NULL where the phase has none. */
struct folder *config_load_folder(const struct config *config, enum phase phase);

/* The value of a row as text, masked where secret, owned by ctx; "" when unset. */
char *config_value_text(const void *ctx, const struct config *config, size_t row);

/* --print-config: the file that would give this configuration, with an origin comment per
 * line. */
void config_print(FILE *out, const struct config *config);

/* --help. */
void config_help(FILE *out);

/* What one flag is for: indented below it, in lines of 80 columns. */
void config_help_text(FILE *out, const char *text);
