/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a statement of DDL leaves in the catalogs: so that, where nobody saw its end, they can
 * be asked whether it ran. Decided by its words, as sqlclass is; what it cannot tell for sure
 * is UNKNOWN.
 *
 * That it made its object counts as proof: had the object been there before, the statement
 * would have failed. With IF [NOT] EXISTS, OR REPLACE and the like it proves nothing, but then
 * to run it again does no harm.
 */

#include <stdbool.h>

#include "core/sqlwords.h"

enum sqleffect_kind {
	SQLEFFECT_UNKNOWN,
	SQLEFFECT_HARMLESS, /* running it again changes nothing */
	SQLEFFECT_RELATION, /* table, view, sequence: schema.name */
	SQLEFFECT_COLUMN,   /* `part` of the table schema.name */
	SQLEFFECT_CONSTRAINT,
	SQLEFFECT_SCHEMA,
	SQLEFFECT_TYPE /* and domain */
};

struct sqleffect {
	enum sqleffect_kind kind;
	bool gone;                  /* it takes it away; else it makes it */
	char schema[SQLWORDS_NAME]; /* "": by the search_path */
	char name[SQLWORDS_NAME];
	char part[SQLWORDS_NAME];
};

void sqleffect_of(const char *text, size_t len, struct sqleffect *out);
