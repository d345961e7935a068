/* SPDX-License-Identifier: PostgreSQL */
#include "core/sqlwords.h"

#include <string.h>

#include "base/utf8.h"

void
sqlwords_advance(struct sqlwords *words)
{
	words->now = sqltoken_next_solid(&words->reader);
}

bool
sqlwords_accept(struct sqlwords *words, const char *word)
{
	bool is = sqltoken_is(&words->now, word);

	if (is)
		sqlwords_advance(words);
	return is;
}

bool
sqlwords_accept_two(struct sqlwords *words, const char *first, const char *second)
{
	return sqlwords_accept(words, first) && sqlwords_accept(words, second);
}

bool
sqlwords_accept_three(
    struct sqlwords *words, const char *first, const char *second, const char *third)
{
	return sqlwords_accept_two(words, first, second) && sqlwords_accept(words, third);
}

bool
sqlwords_accept_one_of(struct sqlwords *words, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sqlwords_accept(words, list[i]))
			return true;
	}
	return false;
}

bool
sqlwords_is_end(const struct sqlwords *words)
{
	return words->now.kind == SQLTOKEN_END || words->now.kind == SQLTOKEN_SEMICOLON;
}

/* One byte of a name, and how many of the token stand for it. */
static size_t
name_byte(const struct sqltoken *token, size_t at, char *byte)
{
	char c = token->text[at];

	*byte = c;
	if (token->kind == SQLTOKEN_NAME)
		return c == '"' ? 2 : 1;
	if (c >= 'A' && c <= 'Z')
		*byte = (char)(c - 'A' + 'a');
	return 1;
}

/*
 * As the server keeps it: without the quotes, else in lower case, which in UTF-8
 * touches ASCII only (PostgreSQL 15, downcase_identifier), and cut between
 * characters to what fits.
 */
static void
copy_name(char out[SQLWORDS_NAME], const struct sqltoken *token)
{
	size_t quotes = token->kind == SQLTOKEN_NAME;
	size_t n = 0, whole = 0, skip = 0;

	for (size_t i = quotes; i + quotes < token->len && n < SQLWORDS_NAME - 1; n++)
		i += name_byte(token, i, &out[n]);
	while (whole < n) {
		size_t step =
		    utf8_sequence((const unsigned char *)out + whole, n - whole, &skip);

		if (step == 0)
			break;
		whole += step;
	}
	out[whole] = '\0';
}

static bool
is_name(const struct sqltoken *token)
{
	return (token->kind == SQLTOKEN_WORD || token->kind == SQLTOKEN_NAME) &&
	    !token->open;
}

bool
sqlwords_accept_name(
    struct sqlwords *words, char schema[SQLWORDS_NAME], char name[SQLWORDS_NAME])
{
	if (!is_name(&words->now))
		return false;
	schema[0] = '\0';
	copy_name(name, &words->now);
	sqlwords_advance(words);
	while (sqltoken_is_char(&words->now, '.')) {
		sqlwords_advance(words);
		if (!is_name(&words->now))
			return false;
		memcpy(schema, name, SQLWORDS_NAME);
		copy_name(name, &words->now);
		sqlwords_advance(words);
	}
	return true;
}
