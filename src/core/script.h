/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A script: how a migration's file is run. Made of the file by pure functions when
 * a run is planned.
 *
 * Most files are `plain`: one transaction, the layout's parts sent as they are, and
 * the tracking row inside. The others fall into segments, each either transactional
 * (its statements in one transaction) or a single statement that runs alone,
 * outside: CREATE INDEX CONCURRENTLY, VACUUM, a DO body with COMMIT ...
 *
 *	CREATE TABLE a(); CREATE INDEX CONCURRENTLY i ON a (x); INSERT INTO b ...;
 *	|---- segment 0 --| |-------- segment 1, alone ------| |-- segment 2 --|
 *
 * A file's own BEGIN and COMMIT are not sent. COMMIT ends a segment. What stands outside
 * of such pairs is a segment as well, and goes on into a BEGIN: that is less than psql
 * commits, and what drizzle-orm does. A new enum value is not to be used before it is
 * committed, so a segment ends behind ALTER TYPE ... ADD VALUE where the rest of the file
 * names the value or the type. With COPY ... FROM STDIN the data behind the statement go
 * with it.
 *
 * Where each statement of DDL is a transaction by itself (core/dialect.h) it runs alone, and
 * a file that has any falls into segments.
 *
 * A text that ends inside a quote is plain: the server says best what is wrong with it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/text.h"
#include "core/dialect.h"
#include "core/directive.h"
#include "core/migration.h"
#include "core/sqlclass.h"

struct script_statement {
	const char *text; /* into migration.text */
	size_t len;
	const char *data; /* of COPY ... FROM STDIN: the lines behind it; NULL: none */
	size_t data_len;
	size_t part;     /* of the migration */
	size_t offset;   /* in that part */
	unsigned number; /* in the file, from 1: the same as locate_error counts */
	struct sqlclass class;
};

struct script_segment {
	bool transactional; /* else it has one statement */
	size_t first;       /* in script->statements */
	size_t n;           /* 1 at least */
	/*
	 * What its BEGIN asked for: "ISOLATION LEVEL SERIALIZABLE"; NULL: nothing. Into
	 * the migration's text.
	 */
	const char *modes;
	size_t modes_len;
};

struct batch;

struct script {
	/*
	 * One transaction, parts sent as they are; then there are no segments and
	 * statements. Without it there may be none, too: a file of nothing but COMMIT.
	 */
	bool plain;
	struct directives directives;
	struct script_statement *statements;
	size_t n_statements;
	struct script_segment *segments;
	size_t n_segments;
	/* Its one segment is repeated until it touches no row (core/batch.h); NULL: not. */
	struct batch *batch;
	/*
	 * Why it cannot be run, or NULL: ROLLBACK or two-phase commit in the file, psql
	 * commands (\restrict and \unrestrict, which pg_dump writes, are passed over), a
	 * directive that is wrong, what the dialect refuses, a statement between BEGIN and
	 * COMMIT that must not be there, `transaction` asked for where a statement refuses
	 * it. With the place in the file and EXIT_REFUSED; then the rest of the struct
	 * says nothing.
	 */
	struct err *problem;
};

/*
 * The script of a migration on a server of that dialect (NULL: PostgreSQL's), owned by `ctx`;
 * it points into the migration's text.
 */
struct script *script_build(
    const void *ctx, const struct migration *migration, const struct dialect *dialect);

/*
 * Add what a segment has to begin with (`segment` is below n_segments), where the session
 * is as if new for each, or a later run goes on with it: "SET TRANSACTION" with what
 * its BEGIN asked for, and what the segments before have SET for their session, at most
 * some BOUND_SCRIPT_SETTINGS. To be sent behind our own BEGIN and before any query.
 */
void script_add_opening(const struct script *script, size_t segment, struct text *sql);

/*
 * Hex SHA-256 of a statement's text: the journal knows a statement by number and
 * digest.
 */
void script_digest(const struct script_statement *statement, char hex[DIGEST_HEX]);
