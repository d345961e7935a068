/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the server of the scripted libpq keeps: rows of the tracking table, rows of the
 * journal of statements, and which SQL of the migrations took effect, how often. It
 * follows what is sent and what becomes of each transaction, so it is right where a
 * COMMIT came through and its answer did not, and answers when it is asked for its rows.
 *
 *	script_server();
 *	model_begin();
 *	model_rows(folder, 1);                   what is there already
 *	model_statement(2, "VACUUM one", false); begun, and not known to be done
 *	...
 *	model_n_rows_of(key), model_n_ran(text, len)
 *
 * An index is there, and valid, between CREATE and DROP INDEX CONCURRENTLY. Rows of a
 * table of another kind than Drizzle's are counted, but not read back.
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/folder.h"

void model_begin(void);

/* The first `n` migrations of the folder are applied. */
void model_rows(const struct folder *folder, size_t n);

/* A row of the journal of statements, of whatever migration is asked for. */
void model_statement(unsigned number, const char *text, bool finished);

/* There is an index, and it is valid. */
void model_index(void);

/* A row of another table: "seeds". */
void model_row(const char *table, const char *key, const char *checksum);

/* Rows for so many batches, of "UPDATE many"; and for how many there still are. */
void model_batches(unsigned n);
unsigned model_n_left(void);

/* What there is by now is of an earlier run. */
void model_next_run(void);

/* Committed rows with that key; all that this run added, or took away. */
unsigned model_n_rows_of(const char *key);
unsigned model_n_new_rows(void);
unsigned model_n_lost_rows(void);

/* How often that SQL took effect. */
unsigned model_n_ran(const char *text, size_t len);

/* SQL that took effect more than once, and is not VACUUM; NULL: none. */
const char *model_ran_twice(void);

/* The journal of statements, "1 done, 2 begun". */
void model_journal(char *buf, size_t size);
