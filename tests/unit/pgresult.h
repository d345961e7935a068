/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A result made by hand, as the readers of src/db get it from a server. Include cmocka.h first.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

/* Rows of texts, one after the other; NULL is SQL NULL. Free by PQclear. */
static inline PGresult *
pgresult_make(int n_fields, int n_rows, const char *const *values)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns[32] = { 0 };
	static char name[] = "column";

	for (int i = 0; i < n_fields; i++)
		columns[i].name = name;
	assert_true(PQsetResultAttrs(result, n_fields, columns));
	for (int i = 0; i < n_fields * n_rows; i++) {
		char *value = (char *)(uintptr_t)values[i];

		assert_true(PQsetvalue(result, i / n_fields, i % n_fields, value,
		    value ? (int)strlen(value) : -1));
	}
	return result;
}
