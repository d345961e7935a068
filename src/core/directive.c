/* SPDX-License-Identifier: PostgreSQL */
#include "core/directive.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "core/sqlscan.h"

/* A piece of the file. */
struct piece {
	const char *text;
	size_t len;
};

/* What PostgreSQL takes for a timeout: an int of milliseconds. */
#define TIMEOUT_MAX_MS INT32_MAX

/* Rows of one batch: above it nothing is gained, and all is held for long. */
#define BATCH_SIZE_MAX 10000000u

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
trim(struct piece *piece)
{
	for (; piece->len > 0 && is_blank(piece->text[0]); piece->len--)
		piece->text++;
	while (piece->len > 0 && is_blank(piece->text[piece->len - 1]))
		piece->len--;
}

/*
 * Whether the piece begins with `words`, given in lower case, where a space stands
 * for blanks or nothing. What follows is the rest.
 */
static bool
begins_with(const struct piece *piece, const char *words, struct piece *rest)
{
	*rest = *piece;
	for (; *words != '\0'; words++) {
		char c = rest->len > 0 ? rest->text[0] : '\0';

		if (*words == ' ') {
			trim(rest);
			continue;
		}
		if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != *words)
			return false;
		rest->text++;
		rest->len--;
	}
	return true;
}

static bool
is_word(const struct piece *piece, const char *word)
{
	return piece->len == strlen(word) && memcmp(piece->text, word, piece->len) == 0;
}

/* ---- our own ---- */

static int
set_transaction(
    struct directives *out, enum directive_transaction transaction, struct err *err)
{
	if (out->transaction != DIRECTIVE_AUTO && out->transaction != transaction)
		return err_set(err, CAT_SQL_SYNTAX_ERROR,
		    "the file asks for a transaction, and for none");
	out->transaction = transaction;
	return 0;
}

static int
set_timeout(
    int64_t *timeout_ms, const char *name, const struct piece *value, struct err *err)
{
	char text[32];
	int64_t ms = 0;

	snprintf(text, sizeof(text), "%.*s",
	    (int)(value->len < sizeof(text) ? value->len : sizeof(text)), value->text);
	if (value->len >= sizeof(text) || !duration_parse(text, &ms) ||
	    ms > TIMEOUT_MAX_MS) {
		err_set(err, CAT_SQL_SYNTAX_ERROR, "%s=%s is not a duration", name, text);
		err_hint(
		    err, "a whole number with ms, s, min, h or d, up to 24d; 0: none");
		return -1;
	}
	if (*timeout_ms >= 0 && *timeout_ms != ms)
		return err_set(
		    err, CAT_SQL_SYNTAX_ERROR, "%s is said twice, and differently", name);
	*timeout_ms = ms;
	return 0;
}

/* ---- batches ---- */

static int
set_size(struct directives *out, const struct piece *value, struct err *err)
{
	unsigned size = 0;

	for (size_t i = 0; i < value->len && size <= BATCH_SIZE_MAX; i++) {
		if (value->text[i] < '0' || value->text[i] > '9') {
			size = 0;
			break;
		}
		size = size * 10 + (unsigned)(value->text[i] - '0');
	}
	if (size == 0 || size > BATCH_SIZE_MAX)
		return err_set(err, CAT_SQL_SYNTAX_ERROR,
		    "the size of a batch is a number from 1 to %u", BATCH_SIZE_MAX);
	out->batch_size = size;
	return 0;
}

static int
set_batch_word(struct directives *out, const struct piece *word, struct err *err)
{
	struct piece value;

	if (begins_with(word, "size=", &value))
		return set_size(out, &value, err);
	if (begins_with(word, "pause=", &value)) {
		out->batch_pause_ms = -1;
		return set_timeout(&out->batch_pause_ms, "pause", &value, err);
	}
	err_set(err, CAT_SQL_SYNTAX_ERROR, "batch: unknown word \"%.*s\"",
	    (int)(word->len < 100 ? word->len : 100), word->text);
	err_hint(err, "write batch, or batch size=1000 pause=50ms");
	return -1;
}

static int
set_batch(struct directives *out, struct piece words, struct err *err)
{
	out->batch = true;
	for (trim(&words); words.len > 0; trim(&words)) {
		struct piece word = { words.text, 0 };

		while (word.len < words.len && !is_blank(word.text[word.len]))
			word.len++;
		words.text += word.len;
		words.len -= word.len;
		if (set_batch_word(out, &word, err) < 0)
			return -1;
	}
	return 0;
}

/* What stands behind "migrationd:". */
static int
read_own(const struct piece *said, struct directives *out, struct err *err)
{
	struct piece value;

	if (is_word(said, "no-transaction"))
		return set_transaction(out, DIRECTIVE_NO_TRANSACTION, err);
	if (is_word(said, "transaction"))
		return set_transaction(out, DIRECTIVE_TRANSACTION, err);
	if (begins_with(said, "lock-timeout = ", &value))
		return set_timeout(&out->lock_timeout_ms, "lock-timeout", &value, err);
	if (begins_with(said, "statement-timeout = ", &value))
		return set_timeout(
		    &out->statement_timeout_ms, "statement-timeout", &value, err);
	if (begins_with(said, "batch-count", &value) && value.len > 0 &&
	    is_blank(value.text[0])) {
		trim(&value);
		out->batch_count = value.text;
		out->batch_count_len = value.len;
		return 0;
	}
	if (begins_with(said, "batch", &value) &&
	    (value.len == 0 || is_blank(value.text[0])))
		return set_batch(out, value, err);
	if (is_word(said, "out-of-order")) {
		out->out_of_order = true;
		return 0;
	}
	if (is_word(said, "unchecked")) {
		out->unchecked = true;
		return 0;
	}
	err_set(err, CAT_SQL_SYNTAX_ERROR, "unknown directive \"%.*s\"",
	    (int)(said->len < 100 ? said->len : 100), said->text);
	err_hint(err,
	    "the directives are no-transaction, transaction, lock-timeout=10s, "
	    "statement-timeout=5min, out-of-order, unchecked, batch and batch-count, each "
	    "in a line of its own");
	return -1;
}

static bool
is_own(const struct piece *comment, struct piece *said)
{
	struct piece body = *comment;

	if (body.text[0] == '/')
		body.len -= 2; /* the end of a C comment */
	if (!begins_with(&body, "-- migrationd:", said) &&
	    !begins_with(&body, "/* migrationd:", said))
		return false;
	trim(said);
	return true;
}

/* ---- as other tools write them ---- */

static bool
is_no_transaction_elsewhere(const struct piece *comment, bool first)
{
	static const struct {
		const char *begin;
		const char *then; /* the next word; NULL: nothing more */
		bool first;       /* in the first line alone */
	} forms[] = {
		{ "-- no-transaction", NULL, true },   /* sqlx */
		{ "--! no-transaction", NULL, false }, /* graphile-migrate */
		{ "-- +goose no transaction", NULL, false },
		{ "-- migrate:up ", "transaction:false", false }, /* dbmate */
		{ "---- tern: ", "disable-tx", false },
	};
	struct piece rest, tail;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if ((forms[i].first && !first) ||
		    !begins_with(comment, forms[i].begin, &rest))
			continue;
		if (forms[i].then != NULL && !begins_with(&rest, forms[i].then, &tail))
			continue;
		if (forms[i].then != NULL)
			rest = tail;
		if (rest.len == 0 || is_blank(rest.text[0]))
			return true;
	}
	return false;
}

/* Behind it are the statements that undo the others: we would run them all. */
static int
refuse_way_back(const struct piece *comment, struct err *err)
{
	static const struct {
		const char *begin;
		const char
		    *layout; /* that runs the section of one direction; NULL: none */
	} forms[] = {
		{ "-- +goose down", "goose" },
		{ "-- migrate:down", "dbmate" },
		{ "---- create above / drop below", NULL },
	};
	struct piece rest;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (!begins_with(comment, forms[i].begin, &rest))
			continue;
		err_set(err, CAT_SQL_SYNTAX_ERROR,
		    "the way back begins here, and would be run with the rest");
		if (forms[i].layout != NULL)
			err_hint(err,
			    "set layout = %s, which runs one direction; or cut the file "
			    "here",
			    forms[i].layout);
		else
			err_hint(err, "cut the file here: it is run as a whole");
		return -1;
	}
	return 0;
}

/* ---- where they stand ---- */

static int
fail_at(const char *text, const struct piece *comment, struct err *err)
{
	err->line = 1;
	for (const char *p = text; p < comment->text; p++)
		err->line += *p == '\n';
	return -1;
}

static int
read_comment(const char *text, const struct piece *comment, struct directives *out,
    struct err *err)
{
	struct piece said;
	int rc = 0;

	if (is_own(comment, &said))
		rc = read_own(&said, out, err);
	else if (is_no_transaction_elsewhere(comment, comment->text == text))
		rc = set_transaction(out, DIRECTIVE_NO_TRANSACTION, err);
	else
		rc = refuse_way_back(comment, err);
	return rc < 0 ? fail_at(text, comment, err) : 0;
}

/* Further down a directive would be passed over in silence. */
static int
refuse_comment(const struct piece *comment, struct err *err)
{
	struct piece said;

	if (!is_own(comment, &said))
		return refuse_way_back(comment, err);
	err_set(
	    err, CAT_SQL_SYNTAX_ERROR, "a directive stands behind the first statement");
	err_hint(err, "directives count for the whole file: move it to the head");
	return -1;
}

static int
refuse_between(const char *text, size_t from, size_t to, struct err *err)
{
	struct sqltoken_reader reader = { .text = text, .len = to, .pos = from };
	struct sqltoken token;

	while ((token = sqltoken_next(&reader)).kind != SQLTOKEN_END) {
		struct piece comment = { token.text, token.len };

		if (token.kind == SQLTOKEN_COMMENT && refuse_comment(&comment, err) < 0)
			return fail_at(text, &comment, err);
	}
	return 0;
}

static int
refuse_further_down(const char *text, size_t len, struct err *err)
{
	struct sqlscan scan;
	struct sqlscan_statement statement = { 0 };
	size_t from = 0;
	bool more = true;
	int rc = 0;

	sqlscan_init(&scan, text, len);
	sqlscan_next(&scan, &statement);
	while (more && rc == 0) {
		/* the scan is at the very end where the last has no semicolon */
		from = statement.has_data ? scan.reader.pos
					  : statement.offset + statement.len;
		more = sqlscan_next(&scan, &statement);
		rc = refuse_between(text, from, more ? statement.offset : len, err);
	}
	return rc;
}

/* Most files have nothing to look for behind their head. */
static bool
is_worth_a_look(const char *text, size_t len)
{
	static const char *const words[] = { "migrationd:", "+goose ", "migrate:down",
		"/ drop below" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (memmem(text, len, words[i], strlen(words[i])) != NULL)
			return true;
	}
	return false;
}

int
directive_read(const char *text, size_t len, struct directives *out, struct err *err)
{
	struct sqltoken_reader reader = { .text = text, .len = len };
	struct sqltoken token = sqltoken_next(&reader);

	*out = (struct directives){ .lock_timeout_ms = -1, .statement_timeout_ms = -1 };
	for (; token.kind == SQLTOKEN_SPACE || token.kind == SQLTOKEN_COMMENT ||
	     token.kind == SQLTOKEN_SEMICOLON;
	     token = sqltoken_next(&reader)) {
		struct piece comment = { token.text, token.len };

		if (token.kind == SQLTOKEN_COMMENT &&
		    read_comment(text, &comment, out, err) < 0)
			return -1;
	}
	if (out->batch_count != NULL && !out->batch) {
		struct piece count = { out->batch_count, out->batch_count_len };

		err_set(err, CAT_SQL_SYNTAX_ERROR, "batch-count without batch");
		return fail_at(text, &count, err);
	}
	return is_worth_a_look(token.text, len - (size_t)(token.text - text))
	    ? refuse_further_down(text, len, err)
	    : 0;
}
