/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/text.h"
#include "db/tracking_kind.h"

/* ---- asking ---- */

static void
add_column(struct text *sql, const char *column)
{
	if (column)
		text_addf(sql, ", %s", column);
}

/*
 * Microseconds since 1970 of a column of any date type. One without a zone was written by a
 * session with the zone that ours has, too.
 */
static void
add_time(struct text *sql, const char *column)
{
	if (column)
		text_addf(sql,
		    ", (EXTRACT(EPOCH FROM %s::pg_catalog.timestamptz) "
		    "OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8",
		    column);
}

struct pgconn_statement
tracking_read(const void *ctx, const struct tracking_table *table)
{
	const struct tracking_row *row = &table->kind->row;
	struct text sql;

	text_init(&sql, ctx, BOUND_SQL);
	text_addf(&sql, "SELECT %s", row->key);
	add_column(&sql, row->name);
	add_column(&sql, row->checksum);
	for (size_t i = 0; i < TRACKING_MORE; i++)
		add_column(&sql, row->more[i]);
	add_time(&sql, row->time);
	text_addf(&sql, " FROM %s ORDER BY %s LIMIT %u",
	    row->from ? row->from : "{table}", row->order_by, BOUND_HISTORY_ROWS + 1);
	return (struct pgconn_statement){ .sql = tracking_sql(ctx, table, sql.data) };
}

/* ---- the answer ---- */

/* The next value, where that column was asked for; else, and for SQL NULL, NULL. */
static const char *
next_value(const PGresult *result, int row, int *at, const char *column)
{
	int field = *at;

	if (!column)
		return NULL;
	*at = field + 1;
	return PQgetisnull(result, row, field) ? NULL : PQgetvalue(result, row, field);
}

static void
read_row(
    struct history *history, const struct tracking *kind, const PGresult *result, int row)
{
	const char *more[TRACKING_MORE] = { NULL };
	const char *time = NULL;
	struct history_row r = { 0 };
	int at = 0;

	r.key = next_value(result, row, &at, kind->row.key);
	r.name = next_value(result, row, &at, kind->row.name);
	r.checksum = next_value(result, row, &at, kind->row.checksum);
	for (size_t i = 0; i < TRACKING_MORE; i++)
		more[i] = next_value(result, row, &at, kind->row.more[i]);
	time = next_value(result, row, &at, kind->row.time);
	r.applied_at_us = time ? strtoll(time, NULL, 10) : 0;
	if (kind->number)
		r.has_order = kind->number(r.key, &r.order);
	if (kind->read_more)
		kind->read_more(history, &r, more);
	history_add(history, &r);
}

void
tracking_to_facts(
    const struct tracking_table *table, bool exists, struct tracking_facts *facts)
{
	facts->kind = table->kind->name;
	(void)snprintf(
	    facts->table, sizeof(facts->table), "%s.%s", table->schema, table->table);
	facts->exists = exists;
}

struct history *
tracking_new_history(const void *ctx, const struct tracking_table *table, int64_t mono_us)
{
	struct history *history = history_new(ctx, table->kind->key);

	history->needs_layout = table->kind->needs_layout;
	history->as_of_mono_us = mono_us;
	return history;
}

int
tracking_read_history(const void *ctx, const struct tracking_table *table,
    const PGresult *result, int64_t mono_us, struct history **out, struct err *err)
{
	int n = PQntuples(result);
	struct history *history = NULL;

	if ((unsigned)n > BOUND_HISTORY_ROWS)
		return err_set(err, CAT_CONFIGURATION,
		    "table %s.%s has more than %u rows", table->schema, table->table,
		    BOUND_HISTORY_ROWS);
	history = tracking_new_history(ctx, table, mono_us);
	history->table_exists = true;
	for (int row = 0; row < n; row++)
		read_row(history, table->kind, result, row);
	*out = history;
	return 0;
}

/* ---- what the kinds make of a value ---- */

bool
tracking_is_true(const char *value)
{
	return value && strcmp(value, "t") == 0;
}

bool
tracking_whole_number(const char *text, int64_t *number)
{
	char *end = NULL;

	if (!text)
		return false;
	*number = strtoll(text, &end, 10);
	return *end == '\0';
}

bool
tracking_leading_number(const char *text, int64_t *number)
{
	size_t digits = text ? strspn(text, "0123456789") : 0;
	int64_t n = 0;

	if (digits == 0 || digits > 18)
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (text[i] - '0');
	*number = n;
	return true;
}

void
tracking_stop(struct history *history, const char *hint, const char *fmt, ...)
{
	struct err err = { .http_status = 409, .exit_code = EXIT_REFUSED };
	va_list ap;

	va_start(ap, fmt);
	err_vset(&err, CAT_CONFIGURATION, fmt, ap);
	va_end(ap);
	err_hint(&err, "%s", hint);
	history_stop(history, &err);
}
