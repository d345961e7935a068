/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A growing string with a maximum: for SQL, JSON lines, metrics, text tables.
 *
 * The maximum is chosen at birth. An addition that does not fit empties the text and
 * marks it failed; later additions do nothing. So a long column of additions needs one
 * look at the end. `data` is always NUL-terminated. The bytes belong to the talloc context
 * given to text_init.
 *
 *	struct text sql;
 *
 *	text_init(&sql, ctx, BOUND_SQL);
 *	text_add(&sql, "CREATE SCHEMA ");
 *	text_add_identifier(&sql, schema);
 *	if (text_failed(&sql)) ...
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct text {
	const void *ctx;
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
};

/* Empty text that may grow to `max` bytes (NUL not counted). */
void text_init(struct text *text, const void *ctx, size_t max);

void text_add(struct text *text, const char *s);
void text_add_bytes(struct text *text, const void *data, size_t len);
void text_add_char(struct text *text, char c);
void text_addf(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_vaddf(struct text *text, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);

/* A JSON string with its quotes: control characters, quotes and backslashes escaped,
 * bytes that are not UTF-8 replaced by U+FFFD. RFC 8259 section 7. */
void text_add_json_string(struct text *text, const char *s);

/* One character of it, for a buffer of one's own: the first of the `len` bytes (at least 1) at
 * `s`, escaped into `out`, which is not NUL-terminated. Returns its length there; `*took` is its
 * length in `s`. */
#define TEXT_JSON_CHAR 8
size_t text_json_char(const char *s, size_t len, size_t *took, char out[TEXT_JSON_CHAR]);

/* An SQL identifier with its quotes, '"' doubled. PostgreSQL 15 section 4.1.1. */
void text_add_identifier(struct text *text, const char *name);

/* An SQL literal with its quotes: "'" doubled; with a backslash inside, E'...' and both
 * doubled, so it is right whatever standard_conforming_strings says. */
void text_add_literal(struct text *text, const char *value);

/* One word of a shell's command line: as it is where it is plain, else in single quotes. POSIX
 * shell, section 2.2.2. */
void text_add_word(struct text *text, const char *word);

/* Make it empty again, ready for use; the memory is kept. */
void text_reset(struct text *text);

static inline bool
text_failed(const struct text *text)
{
	return text->failed;
}
