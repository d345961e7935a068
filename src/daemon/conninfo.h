/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Connection strings as they may be shown. Only libpq reads them for real; here the secrets are
 * covered, and whatever is not understood is covered whole.
 */

#include <stddef.h>

/*
 * The connection string (URI or key=value, PostgreSQL 15 docs section 34.1.1) with "****"
 * in the place of the password and of every parameter that is not known to be harmless;
 * "****" alone when it is not understood. Owned by ctx.
 */
char *conninfo_mask(const void *ctx, const char *conninfo);

/*
 * What is covered there, as it is written: a password with %40 for its '@'. `*n` strings, they
 * and the array owned by ctx; NULL where nothing is.
 */
const char **conninfo_covered(const void *ctx, const char *conninfo, size_t *n);
