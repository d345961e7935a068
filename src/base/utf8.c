/* SPDX-License-Identifier: PostgreSQL */
#include "base/utf8.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

#define REPLACEMENT     "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_LEN 3u

/* Unicode 15, table 3-7: which first bytes there are, and what may stand second. */
static const struct lead {
	unsigned char first, last;
	unsigned char low, high; /* of the second byte; further ones are 80..BF */
	size_t len;
} leads[] = {
	{ 0x00, 0x7F, 0, 0, 1 }, { 0xC2, 0xDF, 0x80, 0xBF, 2 },
	{ 0xE0, 0xE0, 0xA0, 0xBF, 3 }, /* not what two bytes can say */
	{ 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 }, /* no surrogates */
	{ 0xEE, 0xEF, 0x80, 0xBF, 3 },
	{ 0xF0, 0xF0, 0x90, 0xBF, 4 }, /* not what three bytes can say */
	{ 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 }, /* up to U+10FFFF */
};

static const struct lead *
lead_of(unsigned char c)
{
	for (size_t i = 0; i < ARRAY_SIZE(leads); i++) {
		if (c >= leads[i].first && c <= leads[i].last)
			return &leads[i];
	}
	return NULL;
}

size_t
utf8_sequence(const unsigned char *s, size_t len, size_t *skip)
{
	const struct lead *lead = lead_of(s[0]);

	*skip = 1;
	if (!lead)
		return 0;
	for (size_t i = 1; i < lead->len; i++) {
		unsigned char low = i == 1 ? lead->low : 0x80;
		unsigned char high = i == 1 ? lead->high : 0xBF;

		if (i >= len || s[i] < low || s[i] > high) {
			*skip = i;
			return 0;
		}
	}
	return lead->len;
}

bool
utf8_is_valid(const char *data, size_t len, size_t *offset)
{
	const unsigned char *s = (const unsigned char *)data;
	size_t skip = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_sequence(s + i, len - i, &skip);
		if (n > 0)
			continue;
		if (offset)
			*offset = i;
		return false;
	}
	return true;
}

/* Write the replaced text to `out`, or only measure it when `out` is NULL. */
static size_t
replace(const char *data, size_t len, char *out)
{
	const unsigned char *s = (const unsigned char *)data;
	size_t written = 0;
	size_t skip = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i += n ? n : skip) {
		n = utf8_sequence(s + i, len - i, &skip);
		if (out)
			memcpy(out + written, n ? data + i : REPLACEMENT,
			    n ? n : REPLACEMENT_LEN);
		written += n ? n : REPLACEMENT_LEN;
	}
	return written;
}

char *
utf8_replace(const void *ctx, const char *data, size_t len, size_t *out_len)
{
	size_t written = replace(data, len, NULL);
	char *out = mem_array(ctx, char, written + 1);

	*out_len = replace(data, len, out);
	return out;
}
