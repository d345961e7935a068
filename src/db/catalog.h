/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a database consists of, out of pg_catalog: schemas, extensions, tables, views,
 * sequences, columns, constraints, indexes, statistics, rules, types, domains, functions,
 * triggers and policies, each with its definition as the server writes it. All of it in one
 * snapshot, and the same whatever the search_path of the role is.
 *
 *	pgconn_query(conn, catalog_query(ctx, params), on_rows, me);
 *	...
 *	if (catalog_read(ctx, reply->result, &schema, &err) < 0) ...
 *	pgconn_query(conn, catalog_end, ...);
 *
 * Left out is what no file makes: the server's own, members of extensions, the target's
 * tracking tables with what hangs on them, and our journal. Owners, rights and comments are not
 * compared, nor the order of columns: databases that are as good as each other differ there.
 *
 * Given (core/schema.h) is what a database has for other reasons: extensions, schemas that
 * another role owns (a platform's, auth and storage of Supabase), tracking tables of other tools,
 * partitions (those that time brings are made by jobs).
 */

#include "core/schema.h"
#include "db/pgconn.h"
#include "db/target_params.h"

/*
 * The query, owned by `ctx`. It begins a transaction that only reads, and leaves it open;
 * catalog_end ends it.
 */
const char *catalog_query(const void *ctx, const struct target_params *params);
extern const char catalog_end[];

/* Its rows, sorted, owned by `ctx`. Fails as schema_add does. */
int catalog_read(const void *ctx, const PGresult *result, struct schema **out,
    struct err *err) MUST_CHECK;
