/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Is an index there, and is it valid? What tells whether CREATE INDEX CONCURRENTLY or DROP
 * INDEX CONCURRENTLY came to its end.
 */

#include "core/sqlclass.h"
#include "db/pgconn.h"

enum index_state {
	INDEX_ABSENT,
	INDEX_INVALID,
	INDEX_VALID
};

/*
 * At most one row: valid, schema, name. An index that was named without a schema is
 * looked for on its table, and where that is not known by its name alone.
 */
struct pgconn_statement index_lookup(const void *ctx, const struct sqlclass *class);
enum index_state index_lookup_read(const PGresult *result);

/* DROP INDEX, CONCURRENTLY where the server knows that, of what index_lookup found. */
struct pgconn_statement index_drop(
    const void *ctx, const PGresult *found, bool concurrently);
