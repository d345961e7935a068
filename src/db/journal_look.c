/* SPDX-License-Identifier: PostgreSQL */
#include "db/journal.h"

/*
 * Whether a table of ours is there, and how it is made: for all of them alike.
 */

#include <string.h>

#include "base/mem.h"

struct journal_look
journal_read_look(const PGresult *result)
{
	bool row = PQntuples(result) == 1;

	return (struct journal_look){
		.exists = row && strcmp(PQgetvalue(result, 0, 0), "t") == 0,
		.may_create = row && strcmp(PQgetvalue(result, 0, 1), "t") == 0,
		.schema_exists = row && strcmp(PQgetvalue(result, 0, 2), "t") == 0,
	};
}

struct pgconn_statement
journal_create_with(const void *ctx, bool schema_exists, const char *create_table)
{
	return (struct pgconn_statement){
		.sql = mem_printf(ctx, "%s%s",
		    schema_exists ? "" : "CREATE SCHEMA IF NOT EXISTS migrationd; ",
		    create_table),
	};
}
