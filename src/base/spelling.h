/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * "did you mean": how far a word is from a name that it may have been meant for.
 *
 *	struct spelling spelling = { .word = "statsu" };
 *
 *	for (each name)
 *		spelling_try(&spelling, name);
 *	spelling_nearest(&spelling)     "status"
 */

/* What is longer is near to nothing. */
#define SPELLING_BYTES 64

struct spelling {
	const char *word;
	const char *nearest; /* of those that were tried; the first where several are */
	/*
	 * How many characters to add, drop or change (Levenshtein). The beginning of a name,
	 * of three characters at least, is as good as one slip of the finger.
	 */
	unsigned distance;
};

void spelling_try(struct spelling *spelling, const char *name);

/* The name that the word may have been meant for, or NULL. */
const char *spelling_nearest(const struct spelling *spelling);
