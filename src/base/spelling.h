/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * "did you mean": how far a word is from a name that it may have been meant for.
 *
 *	for (each name) {
 *		unsigned off = spelling_distance(word, name);
 *
 *		if (off < best) ...
 *	}
 *	if (spelling_is_near(word, best)) ... nearest
 */

#include <stdbool.h>

/* What is longer is near to nothing. */
#define SPELLING_BYTES 64

/*
 * How many characters to add, drop or change (Levenshtein). The beginning of a name, of
 * three characters at least, is as good as one slip of the finger.
 */
unsigned spelling_distance(const char *word, const char *name);

/* Whether a word may have been meant for a name that is so far away. */
bool spelling_is_near(const char *word, unsigned distance);
