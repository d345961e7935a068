/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a server that is not PostgreSQL makes of the SQL of a file: which statements are a
 * transaction by themselves, and which it is known to refuse. Pure data and functions;
 * db/engine.c says which server has which dialect, core/script.c cuts files by it.
 *
 *	dialect_class(dialect, text, len, &class);
 *	refusal = dialect_refuses(dialect, text, len);
 *
 * A dialect of NULL is PostgreSQL's own. The tables go stale: a server learns new
 * statements from month to month. So the directive "unchecked" switches the refusals off
 * for a file, and what is not in a table is left to the server to refuse.
 */

#include "core/sqlclass.h"

struct dialect_refusal {
	/*
	 * How the statement begins, in lower case: words that follow each other, "a|b"
	 * either, "*" any one word, "..." any number of words.
	 */
	const char *pattern;
	const char
	    *what; /* "a temporary table"; NULL: allowed, rows below do not count */
	const char *hint; /* what to do instead */
};

struct dialect {
	const char *name; /* "Aurora DSQL" */
	/* each statement of DDL is a transaction of its own, even between BEGIN and COMMIT */
	bool ddl_alone;
	bool async_index;     /* CREATE INDEX ASYNC: a job builds it afterwards */
	bool no_modes;        /* BEGIN ISOLATION LEVEL ... is refused */
	const char *observed; /* when its refusals were last seen: "2026-10" */
	const struct dialect_refusal *refusals;
	size_t n_refusals;
};

extern const struct dialect dialect_dsql;
extern const struct dialect dialect_yugabytedb; /* whose DDL is not transactional */
extern const struct dialect dialect_cockroachdb;

/* As sqlclass_of; where DDL runs alone, it is SQLCLASS_DDL or an index that is built alone. */
void dialect_class(
    const struct dialect *dialect, const char *text, size_t len, struct sqlclass *out);

/* The row that refuses it, or NULL. */
const struct dialect_refusal *dialect_refuses(
    const struct dialect *dialect, const char *text, size_t len);
