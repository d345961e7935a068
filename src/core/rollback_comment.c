/* SPDX-License-Identifier: PostgreSQL */
#include "core/rollback_comment.h"

#include <string.h>

#include "base/mem.h"
#include "core/layout_kind.h"
#include "core/sqlscan.h"

/* A line comment without its sign, and without the white space around. */
struct words {
	const char *text;
	size_t len;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_line_comment(const struct sqltoken *token)
{
	return token->kind == SQLTOKEN_COMMENT && token->text[0] == '-';
}

static struct words
words_of(const struct sqltoken *comment)
{
	struct words words = { comment->text + 2, comment->len - 2 };

	while (words.len > 0 && is_blank(words.text[words.len - 1]))
		words.len--;
	for (; words.len > 0 && is_blank(words.text[0]); words.len--)
		words.text++;
	return words;
}

/* "=====" and the like. */
static bool
is_ruler(const struct words *words)
{
	size_t n = 0;

	while (n < words->len && strchr("=-*#_", words->text[n]) != NULL)
		n++;
	return n > 0 && n == words->len;
}

/* drizzle's "--> statement-breakpoint": a comment to the server, the end of a statement to us. */
static bool
is_breakpoint(const struct sqltoken *comment)
{
	return comment->len >= strlen(LAYOUT_BREAKPOINT) &&
	    memcmp(comment->text, LAYOUT_BREAKPOINT, strlen(LAYOUT_BREAKPOINT)) == 0;
}

static bool
is_header(const struct words *words)
{
	struct sqltoken_reader reader = { .text = words->text, .len = words->len };
	struct sqltoken token = sqltoken_next_solid(&reader);

	if (!sqltoken_is(&token, "rollback"))
		return false;
	token = sqltoken_next_solid(&reader);
	if (sqltoken_is(&token, "sql"))
		token = sqltoken_next_solid(&reader);
	if (token.kind == SQLTOKEN_OPEN_PAREN)
		return true;
	if (sqltoken_is_char(&token, ':'))
		token = sqltoken_next_solid(&reader);
	return token.kind == SQLTOKEN_END;
}

/* The reader stands behind the header then. */
static bool
find_header(struct sqltoken_reader *reader)
{
	struct sqltoken token;

	while ((token = sqltoken_next(reader)).kind != SQLTOKEN_END) {
		struct words words;

		if (!is_line_comment(&token))
			continue;
		words = words_of(&token);
		if (is_header(&words))
			return true;
	}
	return false;
}

/*
 * Take the comment signs of the section out of `sql`, a copy of the text. Where it ends is
 * returned.
 */
static size_t
uncomment(struct sqltoken_reader *reader, char *sql)
{
	bool framed = true; /* nothing but the header was there yet */
	size_t end = reader->pos;
	struct sqltoken token;

	for (;;) {
		struct words words;
		size_t at;

		token = sqltoken_next(reader);
		if (token.kind == SQLTOKEN_SPACE)
			continue;
		if (!is_line_comment(&token) || is_breakpoint(&token))
			return end;
		words = words_of(&token);
		if (is_ruler(&words) && !framed)
			return end;
		at = (size_t)(token.text - reader->text);
		memset(sql + at, ' ', is_ruler(&words) ? token.len : strlen("--"));
		framed = framed && is_ruler(&words);
		end = reader->pos;
	}
}

static bool
begins_a_statement(const struct sqltoken *token)
{
	static const char *const words[] = { "alter", "call", "cluster", "comment",
		"create", "delete", "do", "drop", "grant", "insert", "lock", "merge",
		"reassign", "refresh", "reindex", "reset", "revoke", "security", "select",
		"set", "truncate", "update", "vacuum", "with" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (sqltoken_is(token, words[i]))
			return true;
	}
	return false;
}

/* The SQL was written for people: what is none must not be found out by the server. */
static void
judge(struct migration *down, const struct sqlscan_statement *statement)
{
	const struct part *part = &down->parts[0];
	struct sqltoken_reader reader = { .text = part->text + statement->offset,
		.len = statement->len };
	struct sqltoken first = sqltoken_next(&reader);
	struct err err = { .exit_code = EXIT_REFUSED };
	unsigned line, column;

	if (begins_a_statement(&first))
		return;
	err_set(&err, CAT_SQL_SYNTAX_ERROR,
	    "the rollback section has something that is no statement: \"%.*s\"",
	    (int)(first.len < 40 ? first.len : 40), first.text);
	err_hint(&err,
	    "leave nothing but SQL between its header and its end, which is a line of "
	    "=== or the next statement");
	migration_locate(part, statement->offset, &line, &column);
	err_where(&err, down->file, line);
	migration_set_problem(down, down, &err);
}

void
rollback_comment_read(struct migration *m)
{
	struct sqltoken_reader reader = { .text = m->text, .len = m->text_len };
	struct sqlscan scan;
	struct sqlscan_statement statement;
	struct migration *down = NULL;
	struct migration_span span = { 0 };
	char *sql;

	if (m->problem || !find_header(&reader))
		return;
	sql = mem_memdup(m, m->text, m->text_len);
	span.from = reader.pos;
	span.to = uncomment(&reader, sql);
	sqlscan_init(&scan, sql + span.from, span.to - span.from);
	while (sqlscan_next(&scan, &statement)) {
		if (!down) {
			down = migration_add_down(m, NULL);
			down->text = sql;
			migration_keep(down, &span, 1);
		}
		judge(down, &statement);
	}
	talloc_free(sql);
}
