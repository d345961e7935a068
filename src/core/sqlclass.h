/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What kind of statement is it? Decided by its first words, comments skipped:
 * enough to know whether it can run in a transaction, and what to look for in the
 * catalogs when nobody knows whether it ran. It is not a parser and never rejects
 * SQL.
 */

#include <stdbool.h>
#include <stddef.h>

enum sqlclass_kind {
	SQLCLASS_PLAIN, /* runs in a transaction like any other */

	/* What a file does to the transaction itself. */
	SQLCLASS_BEGIN,    /* BEGIN, START TRANSACTION */
	SQLCLASS_COMMIT,   /* COMMIT, END; not AND CHAIN */
	SQLCLASS_ROLLBACK, /* ROLLBACK, ABORT; not ROLLBACK TO SAVEPOINT */
	SQLCLASS_TWO_PHASE, /* PREPARE TRANSACTION, COMMIT/ROLLBACK PREPARED, AND CHAIN: refused */

	/* What the server refuses inside a transaction block (PostgreSQL 15,
	 * PreventInTransactionBlock). */
	SQLCLASS_CREATE_INDEX_CONCURRENTLY,
	SQLCLASS_DROP_INDEX_CONCURRENTLY,
	SQLCLASS_REINDEX_CONCURRENTLY, /* and REINDEX SCHEMA, DATABASE, SYSTEM */
	SQLCLASS_DETACH_CONCURRENTLY, /* ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY */
	SQLCLASS_VACUUM,              /* and CLUSTER without a table */
	SQLCLASS_DO_COMMIT, /* a DO body that commits, or a CALL (a procedure may) when told so */
	SQLCLASS_ALONE, /* CREATE/DROP DATABASE, TABLESPACE, SUBSCRIPTION, ALTER SYSTEM ... */

	SQLCLASS_COPY_STDIN, /* COPY ... FROM STDIN: its data stand behind it */
	SQLCLASS_META        /* a psql line that begins with a backslash */
};

struct sqlclass {
	enum sqlclass_kind kind;
	bool
	    adds_enum_value; /* ALTER TYPE ... ADD VALUE: not to be used before the commit */
	bool if_not_exists;
	/*
	 * Of the four index kinds: the index; of DETACH: the partition. As written,
	 * unquoted and folded like the server does; "" where there is none.
	 */
	char schema[64];
	char name[64];
	char table[64]; /* of CREATE INDEX: its table, to find an index without a name */
};

void sqlclass_of(const char *text, size_t len, struct sqlclass *out);

/* Whether it must be sent alone, outside a transaction. */
bool sqlclass_is_alone(enum sqlclass_kind kind);

/* "CREATE INDEX CONCURRENTLY", "COMMIT" ...: for messages. */
const char *sqlclass_name(enum sqlclass_kind kind);
