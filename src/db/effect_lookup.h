/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Asks the catalogs whether a statement of DDL ran: is there what it makes, or takes away?
 * Names without a schema are looked for where the session would find them.
 */

#include "core/sqleffect.h"
#include "db/pgconn.h"

/* One row of one bool: it is there. For effects that are neither UNKNOWN nor HARMLESS. */
struct pgconn_statement effect_lookup(const void *ctx, const struct sqleffect *effect);

/* From the answer: whether the statement ran. */
bool effect_lookup_ran(const struct sqleffect *effect, const PGresult *result);
