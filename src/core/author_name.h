/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Names of new migrations. Part of author.h.
 */

#include <stdint.h>

#include "core/folder.h"

/* How the numbers of a folder look. */
struct author_style {
	unsigned width;  /* digits */
	char separator;  /* behind the number and between words: '_' or '-' */
	int64_t highest; /* number in the folder; -1: there is none */
};

/*
 * The style of the newest migration, listed or not; `first` is the number of the first one in an
 * empty folder.
 */
struct author_style author_style_of(const struct folder *folder, int64_t first);

/*
 * The next number as text, owned by `ctx`: the time where the highest is one (ten digits:
 * seconds, fourteen: year to second), and in any case more than the highest.
 */
char *author_number(const void *ctx, const struct author_style *style, int64_t now_us);

/*
 * "Add users' table!" as part of a name: "add_users_table". CONFIGURATION when no letter
 * or digit is left.
 */
int author_slug(const void *ctx, const char *description, char separator, char **slug,
    struct err *err) MUST_CHECK;

/* "2026-11-20", owned by `ctx`. */
char *author_day(const void *ctx, int64_t now_us);
