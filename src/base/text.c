/* SPDX-License-Identifier: PostgreSQL */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define FIRST_CAP 64u

/* What means nothing else to a shell; but zsh takes "=x" at the start for the path of x. */
#define PLAIN_LETTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/:@,="

void
text_init(struct text *text, const void *ctx, size_t max)
{
	size_t cap = max < FIRST_CAP ? max : FIRST_CAP;

	*text = (struct text){
		.ctx = ctx,
		.data = mem_array(ctx, char, cap + 1),
		.cap = cap,
		.max = max,
	};
}

/* Make room for `more` bytes. False when they do not fit, and the text has failed. */
static bool
reserve(struct text *text, size_t more)
{
	size_t cap = text->cap;

	if (text->failed)
		return false;
	if (more > text->max - text->len) {
		text_reset(text);
		text->failed = true;
		return false;
	}
	if (more <= cap - text->len)
		return true;
	while (cap - text->len < more)
		cap = cap > text->max / 2 ? text->max : cap * 2;
	text->data = mem_grow(text->ctx, text->data, char, cap + 1);
	text->cap = cap;
	return true;
}

void
text_add_bytes(struct text *text, const void *data, size_t len)
{
	if (len == 0 || !reserve(text, len))
		return;
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

void
text_add(struct text *text, const char *s)
{
	text_add_bytes(text, s, strlen(s));
}

void
text_add_char(struct text *text, char c)
{
	text_add_bytes(text, &c, 1);
}

void
text_vaddf(struct text *text, const char *fmt, va_list ap)
{
	va_list again;
	size_t len = 0;

	/* into the room there is; once more when that was not enough */
	do {
		if (!reserve(text, len))
			return;
		va_copy(again, ap);
		/* a negative length (beyond INT_MAX) becomes one that no maximum allows */
		len = (size_t)vsnprintf(
		    text->data + text->len, text->cap - text->len + 1, fmt, again);
		va_end(again);
	} while (len > text->cap - text->len);
	text->len += len;
}

void
text_addf(struct text *text, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_vaddf(text, fmt, ap);
	va_end(ap);
}

/* The letter behind the backslash where JSON has a short form, else 0. */
static char
short_escape(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

size_t
text_json_char(const char *s, size_t len, size_t *took, char out[TEXT_JSON_CHAR])
{
	const unsigned char *u = (const unsigned char *)s;
	char letter = short_escape(u[0]);
	size_t n = utf8_sequence(u, len, took);

	if (n == 0)
		return (size_t)snprintf(out, TEXT_JSON_CHAR, "\xEF\xBF\xBD");
	*took = n;
	if (letter)
		return (size_t)snprintf(out, TEXT_JSON_CHAR, "\\%c", letter);
	if (n == 1 && (u[0] < 0x20 || u[0] == 0x7F))
		return (size_t)snprintf(out, TEXT_JSON_CHAR, "\\u%04x", u[0]);
	/* U+0080 to U+009F: terminals take them for control characters too */
	if (n == 2 && u[0] == 0xC2 && u[1] < 0xA0)
		return (size_t)snprintf(out, TEXT_JSON_CHAR, "\\u%04x", u[1]);
	memcpy(out, s, n);
	return n;
}

void
text_add_json_string(struct text *text, const char *s)
{
	size_t left = strlen(s);
	char unit[TEXT_JSON_CHAR];
	size_t took = 0;
	size_t n = 0;

	text_add_char(text, '"');
	for (; left > 0; s += took, left -= took) {
		n = text_json_char(s, left, &took, unit);
		text_add_bytes(text, unit, n);
	}
	text_add_char(text, '"');
}

/* `s` between two `quote`, each character of it that `doubled` names written twice. */
static void
add_quoted(struct text *text, char quote, const char *s, const char *doubled)
{
	size_t plain = 0;

	text_add_char(text, quote);
	for (; *s; s += plain) {
		if (strchr(doubled, *s))
			text_add_char(text, *s);
		plain = 1 + strcspn(s + 1, doubled);
		text_add_bytes(text, s, plain);
	}
	text_add_char(text, quote);
}

void
text_add_identifier(struct text *text, const char *name)
{
	add_quoted(text, '"', name, "\"");
}

void
text_add_literal(struct text *text, const char *value)
{
	if (!strchr(value, '\\')) {
		add_quoted(text, '\'', value, "'");
		return;
	}
	text_add_char(text, 'E');
	add_quoted(text, '\'', value, "'\\");
}

void
text_add_word(struct text *text, const char *word)
{
	if (word[0] != '\0' && word[0] != '=' &&
	    word[strspn(word, PLAIN_LETTERS)] == '\0') {
		text_add(text, word);
		return;
	}
	text_add_char(text, '\'');
	for (const char *p = word; *p != '\0'; p++) {
		if (*p == '\'')
			text_add(text, "'\\''");
		else
			text_add_char(text, *p);
	}
	text_add_char(text, '\'');
}

void
text_reset(struct text *text)
{
	text->len = 0;
	text->data[0] = '\0';
	text->failed = false;
}
