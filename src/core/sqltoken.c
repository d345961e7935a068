/* SPDX-License-Identifier: PostgreSQL */
#include "core/sqltoken.h"

#include <string.h>

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
starts_with(const struct sqltoken_reader *reader, size_t pos, const char *two)
{
	return pos + 1 < reader->len && reader->text[pos] == two[0] &&
	    reader->text[pos + 1] == two[1];
}

static size_t
skip_space(const struct sqltoken_reader *reader, size_t pos)
{
	while (pos < reader->len && is_space(reader->text[pos]))
		pos++;
	return pos;
}

static size_t
skip_line_comment(const struct sqltoken_reader *reader, size_t pos)
{
	while (pos < reader->len && !is_newline(reader->text[pos]))
		pos++;
	return pos;
}

static size_t
skip_block_comment(const struct sqltoken_reader *reader, size_t pos, bool *open)
{
	unsigned depth = 0;

	do {
		if (starts_with(reader, pos, "/*")) {
			depth++;
			pos += 2;
		} else if (starts_with(reader, pos, "*/")) {
			depth--;
			pos += 2;
		} else {
			pos++;
		}
	} while (depth > 0 && pos < reader->len);
	*open = depth > 0;
	return pos;
}

/*
 * Literals with only white space and a newline between them are one literal,
 * and the second is read by the rules of the first (PostgreSQL 15 docs,
 * 4.1.2.1). The byte behind the quote that goes on, or 0.
 */
static size_t
skip_to_continuation(const struct sqltoken_reader *reader, size_t pos)
{
	bool newline = false;

	for (; pos < reader->len; pos++) {
		if (starts_with(reader, pos, "--"))
			pos = skip_line_comment(reader, pos);
		if (pos == reader->len || !is_space(reader->text[pos]))
			break;
		newline = newline || is_newline(reader->text[pos]);
	}
	return newline && pos < reader->len && reader->text[pos] == '\'' ? pos + 1 : 0;
}

/*
 * `pos` is behind the opening quote. A doubled quote reads as one literal that
 * ends and one that begins, which comes to the same, but for E'', where the
 * second would lose its backslashes.
 */
static size_t
skip_quoted(const struct sqltoken_reader *reader, size_t pos, char quote, bool escapes,
    bool *open)
{
	while (pos < reader->len) {
		char c = reader->text[pos++];

		if (escapes && c == '\\') {
			pos += pos < reader->len;
		} else if (c == quote) {
			size_t more = 0;

			if (pos < reader->len && reader->text[pos] == quote)
				more = pos + 1;
			else if (escapes)
				more = skip_to_continuation(reader, pos);
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
dollar_tag_length(const struct sqltoken_reader *reader, size_t pos)
{
	size_t end = pos + 1;

	while (end < reader->len &&
	    (is_name_start(reader->text[end]) ||
		(end > pos + 1 && is_digit(reader->text[end]))))
		end++;
	return end < reader->len && reader->text[end] == '$' ? end + 1 - pos : 0;
}

static size_t
skip_dollar_body(
    const struct sqltoken_reader *reader, size_t pos, size_t tag_len, bool *open)
{
	const char *tag = reader->text + pos;
	const char *body = tag + tag_len;
	const char *end = memmem(body, reader->len - pos - tag_len, tag, tag_len);

	*open = end == NULL;
	return end == NULL ? reader->len : (size_t)(end - reader->text) + tag_len;
}

static size_t
skip_name(const struct sqltoken_reader *reader, size_t pos)
{
	while (pos < reader->len &&
	    (is_name_start(reader->text[pos]) || is_digit(reader->text[pos]) ||
		reader->text[pos] == '$'))
		pos++;
	return pos;
}

/* With the letters behind it: 1E'' is a number with junk, no E and literal. */
static size_t
skip_number(const struct sqltoken_reader *reader, size_t pos)
{
	while (pos < reader->len && is_digit(reader->text[pos]))
		pos++;
	return pos < reader->len && is_name_start(reader->text[pos])
	    ? skip_name(reader, pos)
	    : pos;
}

static enum sqltoken_kind
single_kind(char c)
{
	switch (c) {
	case ';':
		return SQLTOKEN_SEMICOLON;
	case '(':
		return SQLTOKEN_OPEN_PAREN;
	case ')':
		return SQLTOKEN_CLOSE_PAREN;
	default:
		return SQLTOKEN_OTHER;
	}
}

/* Skip what starts at `pos` and say what it was. */
static size_t
skip_token(const struct sqltoken_reader *reader, size_t pos, struct sqltoken *token)
{
	char c = reader->text[pos];
	bool *open = &token->open;
	size_t tag_len = c == '$' ? dollar_tag_length(reader, pos) : 0;

	token->kind = SQLTOKEN_SPACE;
	if (is_space(c))
		return skip_space(reader, pos);

	token->kind = SQLTOKEN_COMMENT;
	if (starts_with(reader, pos, "--"))
		return skip_line_comment(reader, pos);
	if (starts_with(reader, pos, "/*")) {
		pos = skip_block_comment(reader, pos, open);
		token->kind = *open ? SQLTOKEN_OTHER : SQLTOKEN_COMMENT;
		return pos;
	}

	token->kind = c == '"' ? SQLTOKEN_NAME : SQLTOKEN_STRING;
	if (c == '\'' || c == '"')
		return skip_quoted(reader, pos + 1, c, false, open);
	if (starts_with(reader, pos, "e'") || starts_with(reader, pos, "E'"))
		return skip_quoted(reader, pos + 2, '\'', true, open);
	if (tag_len > 0)
		return skip_dollar_body(reader, pos, tag_len, open);

	token->kind = SQLTOKEN_OTHER;
	if (is_digit(c))
		return skip_number(reader, pos);
	token->kind = is_name_start(c) ? SQLTOKEN_WORD : single_kind(c);
	return token->kind == SQLTOKEN_WORD ? skip_name(reader, pos) : pos + 1;
}

struct sqltoken
sqltoken_next(struct sqltoken_reader *reader)
{
	struct sqltoken token = {
		.kind = SQLTOKEN_END,
		.text = reader->text + reader->pos,
	};

	if (reader->pos < reader->len)
		reader->pos = skip_token(reader, reader->pos, &token);
	token.len = (size_t)(reader->text + reader->pos - token.text);
	return token;
}

struct sqltoken
sqltoken_next_solid(struct sqltoken_reader *reader)
{
	struct sqltoken token;

	do
		token = sqltoken_next(reader);
	while (token.kind == SQLTOKEN_SPACE || token.kind == SQLTOKEN_COMMENT);
	return token;
}

bool
sqltoken_is(const struct sqltoken *token, const char *word)
{
	size_t i;

	for (i = 0; i < token->len && word[i] != '\0'; i++) {
		char c = token->text[i];

		if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != word[i])
			return false;
	}
	return token->kind == SQLTOKEN_WORD && i == token->len && word[i] == '\0';
}

bool
sqltoken_is_char(const struct sqltoken *token, char c)
{
	return token->len == 1 && token->text[0] == c;
}
