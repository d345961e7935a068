/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a file would hash to, had git or an editor not changed its line ends: is that all that is
 * another since it was applied?
 *
 *	struct eol *eol = eol_new(ctx, migration);
 *
 *	while (!eol_step(eol, migration, &budget))
 *		...		a file may hold 64 MB: a piece in each turn of the loop
 *	if (strcmp(eol_digest(eol, true, false), recorded) == 0) ...
 *
 * Each byte is hashed twice, for the end of the text makes no difference to what is before it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/migration.h"

struct eol;

/* Nothing hashed yet. Owned by `ctx`. */
struct eol *eol_new(const void *ctx, const struct migration *m);

/*
 * Go on, for as many bytes as `*budget` has, which are taken from it. True: all is hashed. `m` may
 * be another each time, as long as its checksum is the same, and so its text.
 */
bool eol_step(struct eol *eol, const struct migration *m, size_t *budget);

/* The checksum of the text as it is: whose digests these are. */
const char *eol_checksum(const struct eol *eol);

/* With all of its lines ending in LF or CRLF, and the last one too or not. Once all is hashed. */
const char *eol_digest(const struct eol *eol, bool crlf, bool last);
