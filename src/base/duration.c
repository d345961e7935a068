/* SPDX-License-Identifier: PostgreSQL */
#include "base/duration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct duration_unit duration_units[DURATION_UNITS] = {
	{ "d", 24 * 60 * 60 * INT64_C(1000) },
	{ "h", 60 * 60 * INT64_C(1000) },
	{ "min", 60 * INT64_C(1000) },
	{ "s", 1000 },
	{ "ms", 1 },
};

bool
duration_parse(const char *text, int64_t *ms)
{
	long long number = 0;
	char *end = NULL;

	if (strcmp(text, "0") == 0) {
		*ms = 0;
		return true;
	}
	if (text[0] < '0' || text[0] > '9') /* strtoll would take a space and a sign */
		return false;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0)
		return false;
	for (size_t i = 0; i < DURATION_UNITS; i++) {
		if (strcmp(end, duration_units[i].name) == 0)
			return !__builtin_mul_overflow(number, duration_units[i].ms, ms);
	}
	return false;
}
