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

/* How much of `at`, which is the end of a text, is one of the secrets, or the beginning of one. */
static size_t
length_of(const char *at, const char *const *secrets, size_t n)
{
	size_t longest = 0;

	for (size_t i = 0; i < n; i++) {
		size_t len = 0;

		while (secrets[i][len] && secrets[i][len] == at[len])
			len++;
		if (len >= SECRET_COVERED && len > longest &&
		    (!secrets[i][len] || !at[len]))
			longest = len;
	}
	return longest;
}

void
secret_cover(char *text, const char *const *secrets, size_t n)
{
	size_t covered = 0; /* so many of the next */

	/* one letter at a time, so that what is next is as it was, where they overlap too */
	for (char *at = text; *at; at++) {
		size_t len = length_of(at, secrets, n);

		covered = len > covered ? len : covered;
		if (covered > 0) {
			*at = '*';
			covered--;
		}
	}
}
