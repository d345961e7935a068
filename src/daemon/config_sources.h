/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The places that a configuration is read from, for config.c alone; others use
 * daemon/config.h.
 *
 * config.c calls them from the strongest to the weakest. Each puts the values that it
 * finds into the configuration where nothing stronger has spoken, and notes their origin;
 * a wrong value is an error also where it would not count.
 */

#include "daemon/config.h"
#include "daemon/options.h"

/* One value, or the elements of a list, from one place. */
struct config_value {
	const struct option_row *row;
	const char *const *texts; /* one; of a list any number */
	size_t n;
	bool is_list; /* the elements are apart already */
	const char *origin;
};

/* Put it into the configuration. The error tells the value; the caller wraps it in the place. */
int config_put(
    struct config *config, const struct config_value *value, struct err *err) MUST_CHECK;

/* Remember something odd. */
void config_warn(struct config *config, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* config_flags.c: the command line. */
int config_read_flags(
    struct config *config, int argc, char *const *argv, struct err *err) MUST_CHECK;

/* config_env.c: MIGRATIOND_*, DATABASE_URL and their *_FILE; the files in
 * $CREDENTIALS_DIRECTORY. */
int config_read_env(
    struct config *config, char *const *environ, struct err *err) MUST_CHECK;
int config_read_credentials(
    struct config *config, char *const *environ, struct err *err) MUST_CHECK;

/* config_file.c: the file at `path`. */
int config_read_file(struct config *config, const char *path, struct err *err) MUST_CHECK;

/* config_check.c: what no single option can know. */
int config_check(struct config *config, struct err *err) MUST_CHECK;

/* Say which option the error is about, and where its value stands. Returns -1. */
int config_wrap(const struct config *config, const char *name, struct err *err);

/*
 * config_secrets.c: connection strings, the files and commands that secrets come from; reads
 * the token.
 */
int config_check_secrets(struct config *config, struct err *err) MUST_CHECK;
