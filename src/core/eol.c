/* SPDX-License-Identifier: PostgreSQL */
#include "core/eol.h"

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

struct eol {
	char checksum[DIGEST_HEX];
	char digests[2][2][DIGEST_HEX]; /* [crlf][last] */
	size_t offset;                  /* so much is hashed */
	struct digest *bodies[2];       /* [crlf]; NULL once all is */
};

static const char *const ends[] = { "\n", "\r\n" };

struct eol *
eol_new(const void *ctx, const struct migration *m)
{
	struct eol *eol = mem_zero(ctx, struct eol);

	memcpy(eol->checksum, m->checksum, sizeof(eol->checksum));
	for (size_t i = 0; i < 2; i++)
		eol->bodies[i] = digest_new(eol);
	return eol;
}

/* Without the line end at its end. */
static size_t
length_of(const struct migration *m)
{
	size_t len = m->text_len;

	if (len > 0 && m->text[len - 1] == '\n')
		len -= len > 1 && m->text[len - 2] == '\r' ? 2 : 1;
	return len;
}

/* A line, or `max` bytes of it. Returns how many bytes that was. */
static size_t
hash_line(struct eol *eol, const char *line, size_t left, size_t max)
{
	size_t len = left < max ? left : max;
	const char *newline = memchr(line, '\n', len);
	size_t text = newline != NULL ? (size_t)(newline - line) : len;

	if (newline != NULL) {
		len = text + 1;
		text -= text > 0 && newline[-1] == '\r';
	} else if (len < left && len > 1 && line[len - 1] == '\r') {
		text = --len; /* the other half of a line end may follow */
	}
	for (size_t i = 0; i < 2; i++) {
		digest_add(eol->bodies[i], line, text);
		if (newline != NULL)
			digest_add(eol->bodies[i], ends[i], strlen(ends[i]));
	}
	return len;
}

static void
conclude(struct eol *eol)
{
	for (size_t i = 0; i < 2; i++) {
		digest_hex(eol->bodies[i], "", eol->digests[i][false]);
		digest_hex(eol->bodies[i], ends[i], eol->digests[i][true]);
		TALLOC_FREE(eol->bodies[i]);
	}
}

bool
eol_step(struct eol *eol, const struct migration *m, size_t *budget)
{
	size_t len = length_of(m);

	if (eol->bodies[0] == NULL)
		return true;
	/* two bytes at least, so that a carriage return is never all there is */
	while (*budget > 1 && eol->offset < len) {
		size_t n =
		    hash_line(eol, m->text + eol->offset, len - eol->offset, *budget);

		eol->offset += n;
		*budget -= n;
	}
	if (eol->offset < len)
		return false;
	conclude(eol);
	return true;
}

const char *
eol_checksum(const struct eol *eol)
{
	return eol->checksum;
}

const char *
eol_digest(const struct eol *eol, bool crlf, bool last)
{
	return eol->digests[crlf][last];
}
