/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The words of a statement, one at a time, for a look at how it begins: comments and
 * white space are passed over, `now` is the next one.
 *
 *	struct sqlwords words = { .reader = { .text = text, .len = len } };
 *
 *	sqlwords_advance(&words);
 *	if (sqlwords_accept_two(&words, "drop", "index")) ...
 */

#include "core/sqltoken.h"

#define SQLWORDS_NAME 64 /* NAMEDATALEN: the bytes of a name and NUL */

struct sqlwords {
	struct sqltoken_reader reader;
	struct sqltoken now;
};

void sqlwords_advance(struct sqlwords *words);

/* Step over the word, given in lower case, if it is the next; of several, over as many
 * as are there. */
bool sqlwords_accept(struct sqlwords *words, const char *word);
bool sqlwords_accept_two(struct sqlwords *words, const char *first, const char *second);
bool sqlwords_accept_three(
    struct sqlwords *words, const char *first, const char *second, const char *third);
bool sqlwords_accept_one_of(struct sqlwords *words, const char *const *list, size_t n);

/*
 * Step over [[database.]schema.]name, as the server keeps names: without quotes, else in
 * lower case, cut to what fits. No schema: "".
 */
bool sqlwords_accept_name(
    struct sqlwords *words, char schema[SQLWORDS_NAME], char name[SQLWORDS_NAME]);

/* Whether the statement ends here. */
bool sqlwords_is_end(const struct sqlwords *words);
