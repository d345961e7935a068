/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Connection strings as they may be shown. Only libpq reads them for real; here the secrets are
 * covered, and whatever is not understood is covered whole.
 */

/*
 * The connection string (URI or key=value, PostgreSQL 15 docs section 34.1.1) with "****"
 * in the place of the password and of every parameter that is not known to be harmless;
 * "****" alone when it is not understood. Owned by ctx.
 */
char *conninfo_mask(const void *ctx, const char *conninfo);
