/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What kind of statement is it? Decided by its first words, comments skipped:
 * enough to know whether it can run in a transaction, and what to look for in the
 * catalogs when nobody knows whether it ran. It is not a parser and never rejects
 * SQL.
 *
 * What hides its nature is PLAIN: CALL (a procedure may commit), REINDEX and CLUSTER
 * of a partitioned table. The directive no-transaction is for those.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/sqlwords.h"

enum sqlclass_kind {
	SQLCLASS_PLAIN, /* runs in a transaction like any other */

	/* What a file does to the transaction itself. */
	SQLCLASS_BEGIN,     /* BEGIN, START TRANSACTION */
	SQLCLASS_COMMIT,    /* COMMIT, END; not AND CHAIN */
	SQLCLASS_ROLLBACK,  /* ROLLBACK, ABORT; not ROLLBACK TO SAVEPOINT */
	SQLCLASS_TWO_PHASE, /* PREPARE TRANSACTION, COMMIT/ROLLBACK PREPARED, AND CHAIN:
			     * refused */

	/* What the server refuses inside a transaction block (PostgreSQL 15,
	 * PreventInTransactionBlock). */
	SQLCLASS_CREATE_INDEX_CONCURRENTLY,
	SQLCLASS_DROP_INDEX_CONCURRENTLY,
	SQLCLASS_REINDEX_CONCURRENTLY, /* and REINDEX SCHEMA, DATABASE, SYSTEM */
	SQLCLASS_DETACH_CONCURRENTLY, /* DETACH PARTITION ... CONCURRENTLY; and FINALIZE, which
					 * waits for all others */
	SQLCLASS_VACUUM,              /* and CLUSTER without a table */
	SQLCLASS_DO_COMMIT,           /* a DO body of PL/pgSQL that commits */
	/* Where DDL is a transaction by itself (core/dialect.h). */
	SQLCLASS_CREATE_INDEX_ONLINE, /* CREATE INDEX, CREATE INDEX ASYNC */
	SQLCLASS_DDL,

	SQLCLASS_ALONE, /* CREATE/DROP DATABASE, TABLESPACE, SUBSCRIPTION, ALTER SYSTEM
			 * ... */

	SQLCLASS_COPY_STDIN, /* COPY ... FROM STDIN: its data stand behind it */
	SQLCLASS_META        /* a psql line that begins with a backslash */
};

struct sqlclass {
	enum sqlclass_kind kind;
	/* ALTER TYPE ... ADD VALUE: not to be used before the commit */
	bool adds_enum_value;
	bool if_not_exists;
	bool sets_session; /* SET and RESET, but SET LOCAL and the like; set_config() */
	/*
	 * As the server keeps names: unquoted, folded, cut; "" where there is none.
	 *
	 *			name		table		schema of
	 *   CREATE INDEX	index, or ""	its table	table and index
	 *   DROP INDEX		index (first)	""		index
	 *   REINDEX INDEX	index		""		index
	 *   REINDEX TABLE	""		table		table
	 *   DETACH		partition	its table	partition
	 *   ADD VALUE		type		""		type
	 */
	char schema[SQLWORDS_NAME];
	char name[SQLWORDS_NAME];
	char table[SQLWORDS_NAME];
};

void sqlclass_of(const char *text, size_t len, struct sqlclass *out);

/*
 * Is it CREATE [UNIQUE] INDEX [ASYNC] with nothing else before its name? Then it is of the
 * kind SQLCLASS_CREATE_INDEX_ONLINE with its names; else `out` stays as it is. `async`: it is
 * one of a server that has the word, so that "CREATE INDEX async ON t" makes an index without
 * a name.
 */
void sqlclass_of_index(const char *text, size_t len, bool async, struct sqlclass *out);

/* Whether it must be sent alone, outside a transaction. */
bool sqlclass_is_alone(enum sqlclass_kind kind);

/* "CREATE INDEX CONCURRENTLY", "COMMIT" ...: for messages. */
const char *sqlclass_name(enum sqlclass_kind kind);
