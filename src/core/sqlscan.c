/* SPDX-License-Identifier: PostgreSQL */
#include "core/sqlscan.h"

#include <string.h>

/* What keeps a semicolon from ending the statement. */
struct nesting {
	unsigned parens;
	unsigned blocks; /* BEGIN and CASE of a function body that wait for their END */
	unsigned words;
	char
	    head[4]; /* first letters of the leading CREATE OR REPLACE FUNCTION, else 0 */
};

static bool
is_newline(char c)
{
	return c == '\n' || c == '\r';
}

void
sqlscan_init(struct sqlscan *scan, const char *text, size_t len)
{
	*scan = (struct sqlscan){ .reader = { .text = text, .len = len } };
}

/* First letter of a word that may stand before a function's body, else 0. */
static char
head_letter(const struct sqltoken *token)
{
	static const char *const words[] = { "create", "or", "replace", "function",
		"procedure" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (sqltoken_is(token, words[i]))
			return words[i][0];
	}
	return 0;
}

static bool
is_function(const struct nesting *nesting)
{
	const char *head = nesting->head;
	const char *what = head[1] == 'o' && head[2] == 'r' ? &head[3] : &head[1];

	return head[0] == 'c' && (*what == 'f' || *what == 'p');
}

/*
 * The heuristic of psql 14 and later: in CREATE FUNCTION a bare BEGIN opens a
 * body of statements, which ends at its END; the END of a CASE within is
 * counted away.
 */
static void
track_word(struct nesting *nesting, const struct sqltoken *token)
{
	if (nesting->words < sizeof(nesting->head))
		nesting->head[nesting->words++] = head_letter(token);
	if (nesting->parens > 0 || !is_function(nesting))
		return;
	if (sqltoken_is(token, "begin") ||
	    (nesting->blocks > 0 && sqltoken_is(token, "case")))
		nesting->blocks++;
	else if (nesting->blocks > 0 && sqltoken_is(token, "end"))
		nesting->blocks--;
}

/* Take the token in; true when it ends the statement. */
static bool
track(struct nesting *nesting, const struct sqltoken *token)
{
	if (token->kind == SQLTOKEN_WORD)
		track_word(nesting, token);
	else if (token->kind == SQLTOKEN_OPEN_PAREN)
		nesting->parens++;
	else if (token->kind == SQLTOKEN_CLOSE_PAREN && nesting->parens > 0)
		nesting->parens--;
	return token->kind == SQLTOKEN_SEMICOLON && nesting->parens == 0 &&
	    nesting->blocks == 0;
}

/* ---- COPY ... FROM STDIN ---- */

bool
sqlscan_is_copy_stdin(const char *text, size_t len)
{
	struct sqltoken_reader reader = { .text = text, .len = len };
	struct sqltoken token = sqltoken_next_solid(&reader);
	bool copy = sqltoken_is(&token, "copy");
	bool from = false, stdin_follows = false;
	unsigned parens = 0;

	while (copy && !stdin_follows && token.kind != SQLTOKEN_END) {
		token = sqltoken_next_solid(&reader);
		stdin_follows = from && sqltoken_is(&token, "stdin");
		parens += token.kind == SQLTOKEN_OPEN_PAREN;
		parens -= token.kind == SQLTOKEN_CLOSE_PAREN && parens > 0;
		/* not the FROM of COPY (SELECT ...) TO */
		from = parens == 0 && sqltoken_is(&token, "from");
	}
	return stdin_follows;
}

/*
 * Behind the line on which the statement ended; false where there is more on it
 * than white space and comments.
 */
static bool
find_data(struct sqltoken_reader reader, size_t *offset)
{
	for (;;) {
		struct sqltoken token = sqltoken_next(&reader);
		const char *newline = memchr(token.text, '\n', token.len);

		*offset = reader.len;
		if (token.kind == SQLTOKEN_END)
			return true;
		if (token.kind == SQLTOKEN_SPACE && newline != NULL) {
			*offset = (size_t)(newline + 1 - reader.text);
			return true;
		}
		if (token.kind != SQLTOKEN_SPACE &&
		    (token.kind != SQLTOKEN_COMMENT || newline != NULL))
			return false;
	}
}

/* A line of "\." and nothing else, which psql 15 takes with a carriage return, too. */
static bool
is_end_of_data(const char *line, size_t len)
{
	while (len > 0 && is_newline(line[len - 1]))
		len--;
	return len == 2 && line[0] == '\\' && line[1] == '.';
}

/* The data end with the text where no such line ends them, as in psql. */
static void
take_data(struct sqltoken_reader *reader, struct sqlscan_statement *st)
{
	const char *text = reader->text;
	size_t end = 0;

	st->has_data = find_data(*reader, &end);
	if (!st->has_data)
		return;
	st->data_offset = reader->pos = end;
	while (end == reader->pos && end < reader->len) {
		const char *newline = memchr(text + end, '\n', reader->len - end);

		reader->pos =
		    newline != NULL ? (size_t)(newline + 1 - text) : reader->len;
		if (!is_end_of_data(text + end, reader->pos - end))
			end = reader->pos;
	}
	st->data_len = end - st->data_offset;
}

/* ---- statements ---- */

/* psql's own command: to the end of its line. */
static void
take_command(struct sqltoken_reader *reader, struct sqlscan_statement *st)
{
	while (reader->pos < reader->len && !is_newline(reader->text[reader->pos]))
		reader->pos++;
	st->len = reader->pos - st->offset;
}

bool
sqlscan_next(struct sqlscan *scan, struct sqlscan_statement *out)
{
	struct sqltoken_reader *reader = &scan->reader;
	struct nesting nesting = { 0 };
	struct sqlscan_statement found = { 0 };
	bool ended = false;

	while (!ended) {
		struct sqltoken token = sqltoken_next(reader);
		size_t offset = reader->pos - token.len;

		if (token.kind == SQLTOKEN_END)
			break;
		if (token.kind == SQLTOKEN_SPACE || token.kind == SQLTOKEN_COMMENT ||
		    (token.kind == SQLTOKEN_SEMICOLON && found.len == 0))
			continue;
		if (found.len == 0)
			found.offset = offset;
		if (found.len == 0 && sqltoken_is_char(&token, '\\')) {
			take_command(reader, &found);
			break;
		}
		found.len = reader->pos - found.offset;
		found.open = token.open;
		ended = track(&nesting, &token);
	}
	if (found.len == 0)
		return false;
	found.open = found.open || nesting.parens > 0 || nesting.blocks > 0;
	if (sqlscan_is_copy_stdin(reader->text + found.offset, found.len))
		take_data(reader, &found);
	*out = found;
	return true;
}
