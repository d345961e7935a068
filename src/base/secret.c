/* SPDX-License-Identifier: PostgreSQL */
#include "base/secret.h"

#include <stdbool.h>
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

/* Where the text ends that "$tag$" at `at` begins: at the end of all where nothing closes it. */
static char *
end_of_dollars(char *at)
{
	size_t len = strcspn(at + 1, "$") + 2;

	if (strlen(at) >= len)
		for (char *p = at + len; *p; p++)
			if (strncmp(p, at, len) == 0)
				return p + len;
	return at + strlen(at);
}

/* Where the literal ends that begins at `at`; there too when it is none. */
static char *
end_of_literal(char *at)
{
	bool escapes = (*at == 'E' || *at == 'e') && at[1] == '\'';
	char *p = at + escapes;
	size_t quotes = strspn(p, "'");

	if (*p == '$')
		return end_of_dollars(p);
	/* it stands in a literal itself, of EXECUTE or CONNECTION, with its quotes doubled */
	if (quotes > 0 && quotes % 2 == 0)
		return p + quotes + strcspn(p + quotes, "'");
	if (*p != '\'')
		return at;
	for (p++; *p && (*p != '\'' || p[1] == '\''); p++)
		p += *p == '\'' || (escapes && *p == '\\' && p[1]);
	return *p ? p + 1 : p;
}

void
secret_cover_sql(char *text)
{
	static const char word[] = "password";
	static const char blanks[] = " \t\r\n";

	for (char *at = strcasestr(text, word); at; at = strcasestr(at, word)) {
		bool is_set;
		char *end;

		at += strlen(word);
		at += strspn(at, blanks);
		is_set = *at == '=';
		if (is_set)
			at += 1 + strspn(at + 1, blanks);
		end = end_of_literal(at);
		if (is_set && end == at) /* in a connection string */
			end += strcspn(at, " \t\r\n&'");
		memset(at, '*', (size_t)(end - at));
	}
}
