/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the files tracking_*.c share: one such file is one kind of tracking table.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "db/tracking.h"

/* Each row of tracking.c that may be chosen, from 0; NULL behind the last. */
const struct tracking *tracking_at(size_t i);

/* CREATE SCHEMA, with its semicolon, where there is none. */
void tracking_add_create_schema(struct text *sql, const struct tracking_table *table,
    const struct tracking_look *look);

/* DELETE of all rows whose `column`, as a text, is `key`. */
struct pgconn_statement tracking_delete(const void *ctx,
    const struct tracking_table *table, const char *column, const char *key);

/* The type of a column that numbers the rows: SERIAL, or what the server has instead. */
const char *tracking_serial(const struct tracking_table *table);

/* Microseconds since 1970 of a column of any date type. */
void tracking_add_epoch(struct text *sql, const char *column);

/* A field, NULL where it is SQL NULL. Lives as long as the result. */
const char *tracking_value(const PGresult *result, int row, int column);

/*
 * The number that `text` begins with: what a sequence folder sorts by. False: none, or
 * beyond 18 digits. `text` may be NULL.
 */
bool tracking_leading_number(const char *text, int64_t *number);
