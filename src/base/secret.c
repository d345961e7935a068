/* SPDX-License-Identifier: PostgreSQL */
#include "base/secret.h"

#include <string.h>

const char *
secret_take(char *data, size_t len)
{
	if (len > 0 && data[len - 1] == '\n')
		data[--len] = '\0';
	if (len > 0 && data[len - 1] == '\r')
		data[--len] = '\0';
	if (len == 0)
		return "is empty, a secret was expected";
	if (strcspn(data, "\r\n") != len) /* stops at a NUL byte too */
		return "has more than the one line that a secret is";
	return NULL;
}

void
secret_cover(char *text, const char *const *secrets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(secrets[i]);

		if (len < SECRET_COVERED)
			continue;
		for (char *at = strstr(text, secrets[i]); at; at = strstr(at, secrets[i]))
			memset(at, '*', len);
	}
}
