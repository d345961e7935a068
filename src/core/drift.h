/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where a database and what the folder makes are not the same, in words that a developer
 * acts on:
 *
 *	table app.users is missing in the database
 *	column app.users.email is text, the folder says character varying(200)
 *	index app.by_email is in the database, and the folder does not make it
 *
 * Of a table that one side lacks its columns, indexes and the like are not told besides. What the
 * database has as given (schema.h), and the folder does not make, is no difference.
 * A pure function of two sets (core/schema.h), which have to be sorted.
 */

#include <stddef.h>

#include "core/schema.h"

struct drift {
	char **differences; /* by kind and name */
	size_t n;           /* at most BOUND_DRIFT */
	size_t n_more;      /* that are not listed */
};

/* CONFIGURATION: how many there are, and in its detail as many of them as it holds. */
void drift_refuse(const struct drift *drift, struct err *err);

/* Owned by `ctx`. Nothing differs: n is 0. */
struct drift *drift_compare(
    const void *ctx, const struct schema *database, const struct schema *folder);
