/* SPDX-License-Identifier: PostgreSQL */
#include "core/flyway.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define DIGITS "0123456789"

bool
flyway_is_version(const char *text, size_t len)
{
	bool digit = false; /* the last one was */

	for (size_t i = 0; i < len; i++) {
		if (strchr("._", text[i]) != NULL && !digit)
			return false;
		digit = strchr(DIGITS, text[i]) != NULL;
		if (!digit && strchr("._", text[i]) == NULL)
			return false;
	}
	return digit;
}

/* The number in front of *p, without its zeros; *p moves to the next one. */
static size_t
take_number(const char **p, const char **number)
{
	size_t len;

	*p += strspn(*p, "0");
	*number = *p;
	len = strspn(*p, DIGITS);
	*p += len;
	*p += **p == '.';
	return len;
}

int
flyway_compare(const char *a, const char *b)
{
	int order = 0;

	while (order == 0 && (*a || *b)) {
		const char *x, *y;
		size_t x_len = take_number(&a, &x);
		size_t y_len = take_number(&b, &y);

		order = (x_len > y_len) - (x_len < y_len);
		if (order == 0)
			order = strncmp(x, y, x_len);
	}
	return order;
}

/* The reflected polynomial of java.util.zip.CRC32, bit by bit: migrations are small. */
static uint32_t
crc32_byte(uint32_t crc, unsigned char byte)
{
	crc ^= byte;
	for (unsigned bit = 0; bit < 8; bit++)
		crc = (crc >> 1) ^ (crc & 1 ? 0xEDB88320u : 0);
	return crc;
}

void
flyway_checksum(const char *text, size_t len, char checksum[FLYWAY_CHECKSUM])
{
	static const char mark[] = "\xEF\xBB\xBF"; /* byte order mark */
	uint32_t crc = UINT32_MAX;
	size_t i = len >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;

	for (; i < len; i++) {
		if (text[i] != '\n' && text[i] != '\r')
			crc = crc32_byte(crc, (unsigned char)text[i]);
	}
	snprintf(checksum, FLYWAY_CHECKSUM, "%" PRId32, (int32_t)~crc);
}
