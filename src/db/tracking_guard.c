/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/bounds.h"
#include "base/text.h"
#include "db/tracking_kind.h"

#define SUFFIX "_migrationd_guard"

/* PostgreSQL cuts longer names (NAMEDATALEN - 1), and with them what makes this one ours. */
#define NAME_BYTES 63

/*
 * The index is named after its table, with which it shares the schema: one schema may hold
 * several tracking tables.
 */
static void
add_index_name(struct text *sql, const struct tracking_table *table)
{
	char name[NAME_BYTES + 1];
	size_t len = strlen(table->table);

	if (len > NAME_BYTES - strlen(SUFFIX))
		len = NAME_BYTES - strlen(SUFFIX);
	while (len > 0 && ((unsigned char)table->table[len] & 0xc0) == 0x80)
		len--; /* no half characters */
	memcpy(name, table->table, len);
	memcpy(name + len, SUFFIX, sizeof(SUFFIX));
	text_add_identifier(sql, name);
}

struct pgconn_statement
tracking_guard(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	if (!table->kind->guard_columns)
		return (struct pgconn_statement){ .sql = "" };
	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SET LOCAL lock_timeout = '5s'; CREATE UNIQUE INDEX ");
	add_index_name(&sql, table);
	text_add(&sql, tracking_sql(ctx, table, " ON {table} "));
	text_addf(&sql, "(%s)", table->kind->guard_columns);
	return (struct pgconn_statement){ .sql = sql.data };
}

struct pgconn_statement
tracking_unguard(const void *ctx, const struct tracking_table *table)
{
	struct text sql;

	if (!table->kind->guard_columns)
		return (struct pgconn_statement){ .sql = "" };
	text_init(&sql, ctx, BOUND_SQL);
	text_add(&sql, "SET LOCAL lock_timeout = '5s'; DROP INDEX ");
	text_add_identifier(&sql, table->schema);
	text_add_char(&sql, '.');
	add_index_name(&sql, table);
	return (struct pgconn_statement){ .sql = sql.data };
}

void
tracking_guard_refused(const struct tracking_table *table, struct err *err)
{
	struct err why = *err;

	err_clear(err);
	if (strcmp(why.sqlstate, "23505") == 0) {
		err_set(err, CAT_CONFIGURATION,
		    "guard = on, but %s.%s has a row twice, and so can have no unique "
		    "index: %s Delete one of them, and the next run makes it",
		    table->schema, table->table, why.detail);
		return;
	}
	err_set(err, why.category,
	    "guard = on, but its index on %s.%s could not be made: %s; the next run "
	    "tries again",
	    table->schema, table->table, why.text);
}
