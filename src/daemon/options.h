/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The options: one row each. Flag, environment variable, key of the file, default, range,
 * --help, --print-config, /config and the checks of manual and sample file all come from this
 * table. A new option is one row and one field of struct config.
 *
 *	for (size_t i = 0; i < option_count; i++)
 *		option_set(config, &option_table[i], config, option_table[i].fallback, err);
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/names.h"

/*
 * The field of struct config that a type fills. A list is repeated as a flag, has commas in the
 * environment and braces in the file.
 */
enum option_type {
	OPTION_STRING, /* const char *; NULL when unset */
	OPTION_LIST,   /* const char **, NULL-terminated; NULL when unset */
	OPTION_BOOL, /* bool; "true|false|on|off|yes|no|1|0"; a flag without a value is true */
	OPTION_CHOICE,   /* int: index into the choices */
	OPTION_DURATION, /* int64_t milliseconds; "500ms", "10s", "5min", "2h", "1d", "0" */
	OPTION_NUMBER,   /* unsigned; "0", "17" */
};

enum {
	OPTION_SECRET = 1, /* masked wherever it is shown */
	OPTION_RELOAD = 2, /* a reload may change it */
	OPTION_FLAG_ONLY =
	    4, /* an action, not a setting: not in file, environment, /config */
	OPTION_COMMAND = 8, /* a command line: of it only the program is shown */
};

struct option_row {
	/* Key of the file; flag "--name-with-dashes"; environment MIGRATIOND_NAME. */
	const char *name;
	enum option_type type;
	size_t offset; /* in struct config */
	unsigned flags;

	/* Another environment variable that sets it ("DATABASE_URL"), or NULL. */
	const char *env;
	/* A file in $CREDENTIALS_DIRECTORY that sets it, by its content or by its path; or NULL. */
	const char *credential;
	bool credential_is_path;
	const char *fallback; /* default as text; NULL: unset */

	/*
	 * Of OPTION_CHOICE: a NULL-terminated list; or, where another module has the list,
	 * "auto" and then what this function names.
	 */
	const char *const *choices;
	names_fn *names;

	/* Of OPTION_DURATION, in ms, and of OPTION_NUMBER. */
	int64_t min;
	int64_t max;

	/* For --help: "PATH", "HOST:PORT|unix:PATH"; NULL: what the type says. */
	const char *argument;
	/* One or two sentences. The manual is checked to name the same options. */
	const char *help;
	char group; /* heading in --help: see option_group */
};

extern const struct option_row option_table[];
extern const size_t option_count;

const struct option_row *option_find(const char *name);      /* by key */
const struct option_row *option_find_flag(const char *flag); /* "database-url" */

/* "--database-url", "MIGRATIOND_DATABASE_URL" into buf; OPTION_NAME bytes are enough. */
#define OPTION_NAME 64
const char *option_flag(const struct option_row *row, char *buf, size_t size);
const char *option_env(const struct option_row *row, char *buf, size_t size);

/* The key of the option that was probably meant, for "did you mean"; '-' and '_', upper
 * and lower case are the same. NULL when none is near. */
const char *option_nearest(const char *name);

/* The heading of a group in --help, or NULL. The groups in order: option_groups. */
extern const char option_groups[];
const char *option_group(char group);

/*
 * Put a value into its field of the struct at `base`; a string is copied to `ctx`, an
 * empty one is NULL; a list is cut at commas. `text` NULL: unset (for strings and lists).
 * CONFIGURATION that quotes the value, unless it is secret, and says what is allowed; the
 * caller says where it stands.
 */
int option_set(const void *ctx, const struct option_row *row, void *base,
    const char *text, struct err *err) MUST_CHECK;

/* As option_set, for a list whose elements are apart already: they replace the present ones. */
int option_set_list(const void *ctx, const struct option_row *row, void *base,
    const char *const *texts, size_t n, struct err *err) MUST_CHECK;

/* The value as option_set takes it, not masked; "" when unset. Owned by ctx. */
char *option_text(const void *ctx, const struct option_row *row, const void *base);

/* What may be written: "on, off", "a number and ms, s, min, h or d from 1s to 1h" ...
 * Owned by ctx. */
char *option_allowed(const void *ctx, const struct option_row *row);
