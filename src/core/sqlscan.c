/* SPDX-License-Identifier: PostgreSQL */
#include "core/sqlscan.h"

#include <string.h>

enum token_kind {
	TOKEN_END,
	TOKEN_SPACE, /* white space or a whole comment */
	TOKEN_WORD,
	TOKEN_SEMICOLON,
	TOKEN_OPEN_PAREN,
	TOKEN_CLOSE_PAREN,
	TOKEN_OTHER
};

struct token {
	enum token_kind kind;
	const char *text;
	size_t len;
	bool open; /* the text ended inside of it */
};

/* What keeps a semicolon from ending the statement. */
struct nesting {
	unsigned parens;
	unsigned blocks; /* BEGIN and CASE of a function body that wait for their END */
	unsigned words;
	char
	    head[4]; /* first letters of the leading CREATE OR REPLACE FUNCTION, else 0 */
};

void
sqlscan_init(struct sqlscan *scan, const char *text, size_t len)
{
	*scan = (struct sqlscan){ .text = text, .len = len };
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_newline(char c)
{
	return c == '\n' || c == '\r';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes above 127 belong to names, whatever the encoding. */
static bool
is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	    (unsigned char)c >= 0x80;
}

static bool
starts_with(const struct sqlscan *scan, size_t pos, const char *two)
{
	return pos + 1 < scan->len && scan->text[pos] == two[0] &&
	    scan->text[pos + 1] == two[1];
}

static size_t
skip_space(const struct sqlscan *scan, size_t pos)
{
	while (pos < scan->len && is_space(scan->text[pos]))
		pos++;
	return pos;
}

static size_t
skip_line_comment(const struct sqlscan *scan, size_t pos)
{
	while (pos < scan->len && !is_newline(scan->text[pos]))
		pos++;
	return pos;
}

static size_t
skip_block_comment(const struct sqlscan *scan, size_t pos, bool *open)
{
	unsigned depth = 0;

	do {
		if (starts_with(scan, pos, "/*")) {
			depth++;
			pos += 2;
		} else if (starts_with(scan, pos, "*/")) {
			depth--;
			pos += 2;
		} else {
			pos++;
		}
	} while (depth > 0 && pos < scan->len);
	*open = depth > 0;
	return pos;
}

/*
 * Literals with only white space and a newline between them are one literal,
 * and the second is read by the rules of the first (PostgreSQL 15 docs,
 * 4.1.2.1). The byte behind the quote that goes on, or 0.
 */
static size_t
skip_to_continuation(const struct sqlscan *scan, size_t pos)
{
	bool newline = false;

	for (; pos < scan->len; pos++) {
		if (starts_with(scan, pos, "--"))
			pos = skip_line_comment(scan, pos);
		if (pos == scan->len || !is_space(scan->text[pos]))
			break;
		newline = newline || is_newline(scan->text[pos]);
	}
	return newline && pos < scan->len && scan->text[pos] == '\'' ? pos + 1 : 0;
}

/*
 * `pos` is behind the opening quote. A doubled quote reads as one literal that
 * ends and one that begins, which comes to the same, but for E'', where the
 * second would lose its backslashes.
 */
static size_t
skip_quoted(const struct sqlscan *scan, size_t pos, char quote, bool escapes, bool *open)
{
	while (pos < scan->len) {
		char c = scan->text[pos++];

		if (escapes && c == '\\') {
			pos += pos < scan->len;
		} else if (c == quote) {
			size_t more = 0;

			if (pos < scan->len && scan->text[pos] == quote)
				more = pos + 1;
			else if (escapes)
				more = skip_to_continuation(scan, pos);
			if (more == 0)
				return pos;
			pos = more;
		}
	}
	*open = true;
	return pos;
}

/*
 * Length of the $tag$ at `pos`, 0 when there is none: a tag does not start with
 * a digit, so $1 is no quote.
 */
static size_t
dollar_tag_length(const struct sqlscan *scan, size_t pos)
{
	size_t end = pos + 1;

	while (end < scan->len &&
	    (is_name_start(scan->text[end]) ||
		(end > pos + 1 && is_digit(scan->text[end]))))
		end++;
	return end < scan->len && scan->text[end] == '$' ? end + 1 - pos : 0;
}

static size_t
skip_dollar_body(const struct sqlscan *scan, size_t pos, size_t tag_len, bool *open)
{
	const char *tag = scan->text + pos;
	const char *body = tag + tag_len;
	const char *end = memmem(body, scan->len - pos - tag_len, tag, tag_len);

	*open = end == NULL;
	return end == NULL ? scan->len : (size_t)(end - scan->text) + tag_len;
}

static size_t
skip_name(const struct sqlscan *scan, size_t pos)
{
	while (pos < scan->len &&
	    (is_name_start(scan->text[pos]) || is_digit(scan->text[pos]) ||
		scan->text[pos] == '$'))
		pos++;
	return pos;
}

/* With the letters behind it: 1E'' is a number with junk, no E and literal. */
static size_t
skip_number(const struct sqlscan *scan, size_t pos)
{
	while (pos < scan->len && is_digit(scan->text[pos]))
		pos++;
	return pos < scan->len && is_name_start(scan->text[pos]) ? skip_name(scan, pos)
								 : pos;
}

static enum token_kind
single_kind(char c)
{
	switch (c) {
	case ';':
		return TOKEN_SEMICOLON;
	case '(':
		return TOKEN_OPEN_PAREN;
	case ')':
		return TOKEN_CLOSE_PAREN;
	default:
		return TOKEN_OTHER;
	}
}

/* Skip what starts at `pos` and say what it was. */
static size_t
skip_token(const struct sqlscan *scan, size_t pos, struct token *token)
{
	char c = scan->text[pos];
	bool *open = &token->open;
	size_t tag_len = c == '$' ? dollar_tag_length(scan, pos) : 0;

	token->kind = TOKEN_SPACE;
	if (is_space(c))
		return skip_space(scan, pos);
	if (starts_with(scan, pos, "--"))
		return skip_line_comment(scan, pos);
	if (starts_with(scan, pos, "/*")) {
		pos = skip_block_comment(scan, pos, open);
		token->kind = *open ? TOKEN_OTHER : TOKEN_SPACE;
		return pos;
	}

	token->kind = TOKEN_OTHER;
	if (c == '\'' || c == '"')
		return skip_quoted(scan, pos + 1, c, false, open);
	if (starts_with(scan, pos, "e'") || starts_with(scan, pos, "E'"))
		return skip_quoted(scan, pos + 2, '\'', true, open);
	if (tag_len > 0)
		return skip_dollar_body(scan, pos, tag_len, open);
	if (is_digit(c))
		return skip_number(scan, pos);

	token->kind = is_name_start(c) ? TOKEN_WORD : single_kind(c);
	return token->kind == TOKEN_WORD ? skip_name(scan, pos) : pos + 1;
}

static struct token
next_token(struct sqlscan *scan)
{
	struct token token = { .kind = TOKEN_END, .text = scan->text + scan->pos };

	if (scan->pos < scan->len)
		scan->pos = skip_token(scan, scan->pos, &token);
	token.len = (size_t)(scan->text + scan->pos - token.text);
	return token;
}

/*
 * `word` in lower case. ASCII only: a locale must not turn KEYWORDS with an I
 * into others.
 */
static bool
token_is(const struct token *token, const char *word)
{
	size_t i;

	for (i = 0; i < token->len && word[i] != '\0'; i++) {
		char c = token->text[i];

		if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i])
			return false;
	}
	return token->kind == TOKEN_WORD && i == token->len && word[i] == '\0';
}

/* First letter of a word that may stand before a function's body, else 0. */
static char
head_letter(const struct token *token)
{
	static const char *const words[] = { "create", "or", "replace", "function",
		"procedure" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (token_is(token, words[i]))
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
track_word(struct nesting *nesting, const struct token *token)
{
	if (nesting->words < sizeof(nesting->head))
		nesting->head[nesting->words++] = head_letter(token);
	if (nesting->parens > 0 || !is_function(nesting))
		return;
	if (token_is(token, "begin") || (nesting->blocks > 0 && token_is(token, "case")))
		nesting->blocks++;
	else if (nesting->blocks > 0 && token_is(token, "end"))
		nesting->blocks--;
}

/* Take the token in; true when it ends the statement. */
static bool
track(struct nesting *nesting, const struct token *token)
{
	if (token->kind == TOKEN_WORD)
		track_word(nesting, token);
	else if (token->kind == TOKEN_OPEN_PAREN)
		nesting->parens++;
	else if (token->kind == TOKEN_CLOSE_PAREN && nesting->parens > 0)
		nesting->parens--;
	return token->kind == TOKEN_SEMICOLON && nesting->parens == 0 &&
	    nesting->blocks == 0;
}

bool
sqlscan_next(struct sqlscan *scan, struct sqlscan_statement *out)
{
	struct nesting nesting = { 0 };
	struct sqlscan_statement found = { 0 };
	bool ended = false;

	while (!ended) {
		struct token token = next_token(scan);
		size_t offset = scan->pos - token.len;

		if (token.kind == TOKEN_END)
			break;
		if (token.kind == TOKEN_SPACE ||
		    (token.kind == TOKEN_SEMICOLON && found.len == 0))
			continue;
		if (found.len == 0)
			found.offset = offset;
		found.len = scan->pos - found.offset;
		found.open = token.open;
		ended = track(&nesting, &token);
	}
	if (found.len == 0)
		return false;
	found.open = found.open || nesting.parens > 0 || nesting.blocks > 0;
	*out = found;
	return true;
}

/* The next token that is neither white space nor comment. */
static struct token
next_solid(struct sqlscan *scan)
{
	struct token token;

	do
		token = next_token(scan);
	while (token.kind == TOKEN_SPACE);
	return token;
}

/* Behind ROLLBACK: whether it goes back to a savepoint only. */
static bool
is_to_savepoint(struct sqlscan *scan)
{
	struct token token = next_solid(scan);

	if (token_is(&token, "work") || token_is(&token, "transaction"))
		token = next_solid(scan);
	return token_is(&token, "to");
}

/*
 * Behind PREPARE: TRANSACTION 'id', not a prepared statement of that name
 * ("transaction AS", "transaction (int) AS").
 */
static bool
is_prepare_transaction(struct sqlscan *scan)
{
	struct token name = next_solid(scan);
	struct token next = next_solid(scan);

	return token_is(&name, "transaction") && next.kind != TOKEN_OPEN_PAREN &&
	    !token_is(&next, "as");
}

enum sqlscan_control
sqlscan_control(const char *text, size_t len)
{
	struct sqlscan scan;
	struct token first, second;

	sqlscan_init(&scan, text, len);
	first = next_solid(&scan);
	if (token_is(&first, "begin"))
		return SQLSCAN_BEGIN;
	if (token_is(&first, "commit") || token_is(&first, "end"))
		return SQLSCAN_COMMIT;
	if (token_is(&first, "abort"))
		return SQLSCAN_ROLLBACK;
	if (token_is(&first, "rollback"))
		return is_to_savepoint(&scan) ? SQLSCAN_NONE : SQLSCAN_ROLLBACK;
	if (token_is(&first, "prepare"))
		return is_prepare_transaction(&scan) ? SQLSCAN_COMMIT : SQLSCAN_NONE;
	if (token_is(&first, "start")) {
		second = next_solid(&scan);
		return token_is(&second, "transaction") ? SQLSCAN_BEGIN : SQLSCAN_NONE;
	}
	return SQLSCAN_NONE;
}
