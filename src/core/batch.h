/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A batched backfill: a file of one statement that touches a bounded number of rows, and
 * is repeated, each time in a transaction of its own, until it touches none.
 *
 *	-- migrationd: batch size=1000 pause=50ms
 *	-- migrationd: batch-count SELECT count(*) FROM users WHERE nick IS NULL
 *	UPDATE users SET nick = split_part(name, ' ', 1)
 *	WHERE id IN (SELECT id FROM users WHERE nick IS NULL LIMIT $1);
 *
 * The statement finds by itself what is left to do: its WHERE leaves out what is done.
 * $1 is the size; without it the statement has a LIMIT of its own. The rows to do are
 * known where batch-count asks for them; else how long it will take is not told.
 *
 * Pure functions: what the file says, and how far it is. db/runner_batch.c runs it.
 */

#include "core/run.h"
#include "core/script.h"

struct batch {
	unsigned size; /* what $1 is; 0: the statement does not ask for it */
	int64_t pause_ms;
	const char *count; /* the query of batch-count, into the text; NULL: none */
	size_t count_len;
	const char *table; /* what it changes, as the statement names it */
	size_t table_len;
	bool adds; /* INSERT: how many rows there are now bounds nothing */
};

/*
 * Look at a script whose directives ask for batches: script->batch, or script->problem
 * with the place. It must be one UPDATE, DELETE, INSERT or MERGE with $1, LIMIT or FETCH.
 */
void batch_build(struct script *script, const struct migration *migration);

/*
 * How far it is: rows and total to percent, rate since `start_rows` at `start_us`, and
 * time left. What is not known is -1.
 */
void batch_measure(
    struct run_batch *batch, uint64_t start_rows, int64_t start_us, int64_t now_us);

/*
 * It has touched twice as many rows as there can be: its WHERE does not leave out what
 * is done. SQL_ERROR with what to do about it, else 0.
 */
int batch_check_end(const struct run_batch *batch, struct err *err) MUST_CHECK;
