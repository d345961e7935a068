/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Where to go on with a migration that ran in segments and did not come to its end.
 * A pure function of its script and of what the journal of statements says.
 */

#include "core/script.h"
#include "core/sqleffect.h"

/* A row of the journal. */
struct resume_row {
	unsigned number;
	char digest[DIGEST_HEX];
	bool finished;
};

struct resume {
	size_t
	    segment; /* go on with this one; n_segments: all ran, only the row is missing */
	bool
	    unknown; /* the one statement of that segment was begun, and nobody knows its end */
};

/*
 * CHECKSUM_MISMATCH (409, EXIT_REFUSED) when a statement that ran, or may have, is
 * another now: the file was changed behind what is done already. `back`: it is the way back
 * of a rollback, and what a person is told to do differs.
 */
int resume_find(const struct script *script, const struct migration *migration, bool back,
    const struct resume_row *rows, size_t n, struct resume *out,
    struct err *err) MUST_CHECK;

/* How to learn from the catalogs whether a statement of that kind ran. */
enum resume_lookup {
	RESUME_ASK,   /* they cannot tell: a person has to */
	RESUME_AGAIN, /* no need to know: running it again does no harm (VACUUM, REINDEX) */
	RESUME_INDEX_MADE, /* is the index there, and valid? */
	RESUME_INDEX_GONE, /* is the index still there? */
	RESUME_OBJECT      /* what resume_effect says: is it there? */
};
enum resume_lookup resume_lookup_of(const struct script_statement *statement);

/* What a statement of DDL that runs alone makes, or takes away. */
struct sqleffect resume_effect(const struct script_statement *statement);

/* What a statement that ran alone leaves behind. */
enum resume_left {
	RESUME_LEFT_ALL,     /* it did not fail */
	RESUME_LEFT_NOTHING, /* it failed as a whole */
	RESUME_LEFT_INDEX,   /* perhaps an invalid index: look */
	RESUME_LEFT_UNKNOWN
};

/* Where the server answered it with that error. */
enum resume_left resume_left_by(
    const struct script_statement *statement, const char *sqlstate);

/*
 * The question for a person: text and hint of an error that stops the run (409,
 * EXIT_REFUSED).
 */
void resume_ask(const struct migration *migration,
    const struct script_statement *statement, bool back, struct err *err);
