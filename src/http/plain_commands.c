/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "http/plain_line.h"

#define INDENT "      " /* under the text behind "next: " */

/* Host is the client's own word: it goes into a command only as the name that it should be. */
static bool
is_plain_host(const char *host)
{
	return host && host[0] &&
	    host[strspn(host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		".-:[]")] == '\0';
}

/* Just behind the object that `json` begins with; its end where that has none. */
static const char *
object_end(const char *json)
{
	bool quoted = false;

	for (; *json != '\0'; json++) {
		if (*json == '\\' && json[1] != '\0')
			json++;
		else if (*json == '"')
			quoted = !quoted;
		else if (*json == '}' && !quoted)
			return json + 1;
	}
	return json;
}

/* Between single quotes of the shell. */
static void
add_quoted(struct text *out, const char *from, const char *to)
{
	text_add_char(out, '\'');
	for (; from < to; from++) {
		if (*from == '\'')
			text_add(out, "'\\''");
		else if ((unsigned char)*from >= ' ' && *from != 0x7f)
			text_add_char(out, *from);
	}
	text_add_char(out, '\'');
}

void
plain_add_commands(struct text *out, const char *advice, const char *host)
{
	static const char post[] = "POST /", with[] = " with {";
	const char *p = advice;

	if (!is_plain_host(host))
		return;
	while ((p = strstr(p, post)) != NULL) {
		const char *path = p + strlen(post) - 1;
		const char *end = path + strcspn(path, " ,;");

		text_add(out, INDENT "curl ");
		if (strncmp(end, with, strlen(with)) == 0) {
			const char *body = end + strlen(with) - 1;

			text_add(out, "--json ");
			add_quoted(out, body, object_end(body));
		} else {
			text_add(out, "-X POST");
		}
		text_addf(out, " http://%s%.*s\n", host, (int)(end - path), path);
		p = end;
	}
}
