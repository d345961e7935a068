/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the files tracking_*.c share: one such file is one kind of tracking table. It says what
 * the table is and what of a row is read; and it has functions only for what its tool does as no
 * other. Statements are written whole, with words in braces for what each table has its own of
 * (tracking_sql). tracking_dbmate.c is the shortest, tracking_flyway.c the longest.
 *
 *	const struct tracking tracking_sample = {
 *		.name = "sample",
 *		.default_table = "sample_versions",
 *		.key = HISTORY_BY_VERSION,
 *		.columns = columns,
 *		.create = "CREATE TABLE IF NOT EXISTS {table} (version varchar primary key)",
 *		.row = { .key = "version", .order_by = "version" },
 *		.number = tracking_leading_number,
 *		.record = tracking_record_version,
 *		.forget = tracking_forget,
 *	};
 */

#include <stdbool.h>
#include <stdint.h>

#include "db/tracking.h"

/* Each row of tracking.c that may be chosen, from 0; NULL behind the last. */
const struct tracking *tracking_at(size_t i);

/*
 * The kind of a table that looks like this: of those that have this name by default (any_name: of
 * all) the one of which the most columns are there, all it needs. NULL: none that we know.
 */
const struct tracking *tracking_kind_of(
    const char *table, bool any_name, const struct tracking_look *look);

/* ---- statements: all of them owned by ctx ---- */

/*
 * The statement with each word in braces replaced:
 *
 *	{table}   the table's qualified name, quoted
 *	{name}    its name without the schema, for within double quotes: "{name}_pk"
 *	{serial}  the type of a column that numbers the rows: SERIAL, or what stands in for it
 *	{target}  the target's own table, as a literal
 */
const char *tracking_sql(
    const void *ctx, const struct tracking_table *table, const char *statement);

/* Whether the column of the table `t` is, as a text, what the parameter is. */
#define TRACKING_IS(column, param) \
	"t." column "::pg_catalog.text OPERATOR(pg_catalog.=) " param "::pg_catalog.text"

/* INSERT of these values into these columns, unless there is a row `t` for which `same` holds. */
const char *tracking_insert_absent(const void *ctx, const struct tracking_table *table,
    const char *columns, const char *values, const char *same);

/* DELETE of all rows whose key, as a text, is that one. */
struct pgconn_statement tracking_delete(
    const void *ctx, const struct tracking_table *table, const char *key);

/* A `record` of a table that needs no more than the column `version`, a varchar. */
struct pgconn_statement tracking_record_version(const void *ctx,
    const struct tracking_table *table, const struct migration *migration,
    int64_t duration_us);

/* A `forget` that deletes all rows with the key of the one that was read. */
struct pgconn_statement tracking_forget(const void *ctx,
    const struct tracking_table *table, const struct tracking_gone *gone);

/* What both of drizzle-orm's tables take, which differ in the key: in tracking_drizzle.c. */
struct pgconn_statement tracking_forget_drizzle(const void *ctx,
    const struct tracking_table *table, const struct tracking_gone *gone);
struct pgconn_statement tracking_bless_drizzle(const void *ctx,
    const struct tracking_table *table, const struct tracking_gone *gone);

/* ---- values as they were read; `text` and `value` may be NULL, which is no number, and false */

bool tracking_is_true(const char *value);

/* The number that `text` is. */
bool tracking_whole_number(const char *text, int64_t *number);

/*
 * The number that `text` begins with: what a sequence folder sorts by. False: none, or
 * beyond 18 digits.
 */
bool tracking_leading_number(const char *text, int64_t *number);

/* The tool of that table would not go on from here: CONFIGURATION (409, exit 8). */
void tracking_stop(struct history *history, const char *hint, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
