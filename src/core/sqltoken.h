/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The words of SQL, by the rules of PostgreSQL's own scanner (PostgreSQL 15,
 * scan.l and psqlscan.l): 'strings', E'strings\'', U&'', "names", $tag$ bodies
 * $tag$, -- and nested C comments. sqlscan cuts a text into statements with them,
 * sqlclass looks at how a statement begins.
 *
 * The text is read in place, nothing is allocated; a token points into it.
 *
 *	struct sqltoken_reader reader = { .text = text, .len = len };
 *	struct sqltoken token = sqltoken_next_solid(&reader);
 *
 *	if (sqltoken_is(&token, "create")) ...
 */

#include <stdbool.h>
#include <stddef.h>

enum sqltoken_kind {
	SQLTOKEN_END,
	SQLTOKEN_SPACE,
	SQLTOKEN_COMMENT, /* a whole one; an open one is OTHER */
	SQLTOKEN_WORD,    /* a keyword or a name without quotes */
	SQLTOKEN_NAME,    /* "in quotes" */
	SQLTOKEN_STRING,  /* '', E'', $$ $$; of the prefixes only E belongs to it */
	SQLTOKEN_SEMICOLON,
	SQLTOKEN_OPEN_PAREN,
	SQLTOKEN_CLOSE_PAREN,
	SQLTOKEN_OTHER
};

struct sqltoken {
	enum sqltoken_kind kind;
	const char *text;
	size_t len;
	bool open; /* the text ended inside of it */
};

struct sqltoken_reader {
	const char *text;
	size_t len;
	size_t pos;
};

/* The token at `pos`, which moves behind it; END at the end, again and again. */
struct sqltoken sqltoken_next(struct sqltoken_reader *reader);

/* The next that is neither white space nor comment. */
struct sqltoken sqltoken_next_solid(struct sqltoken_reader *reader);

/*
 * Whether it is that word, given in lower case. ASCII only: a locale must not turn
 * KEYWORDS with an I into others.
 */
bool sqltoken_is(const struct sqltoken *token, const char *word);

/* Whether it is that one character. */
bool sqltoken_is_char(const struct sqltoken *token, char c);
