/* SPDX-License-Identifier: PostgreSQL */
#include "base/words.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

static const char blanks[] = " \t\n";

/* What stands at `at`, up to the quote that ends it: where it goes on, or NULL. */
static const char *
take_quoted(struct text *word, const char *at)
{
	char quote = *at++;

	for (; *at != quote; at++) {
		if (quote == '"' && *at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
		text_add_char(word, *at);
	}
	return at + 1;
}

/* The word at `at`: where it ends, or NULL when it does not. */
static const char *
take_word(struct text *word, const char *at)
{
	while (at && *at && !strchr(blanks, *at)) {
		if (*at == '\'' || *at == '"') {
			at = take_quoted(word, at);
			continue;
		}
		if (*at == '\\')
			at++;
		if (*at == '\0')
			return NULL;
		text_add_char(word, *at++);
	}
	return at;
}

int
words_split(const void *ctx, const char *line, char ***words, struct err *err)
{
	char **list = mem_array(ctx, char *, 1);
	size_t n = 0;

	for (const char *at = line + strspn(line, blanks); *at;
	     at += strspn(at, blanks)) {
		struct text word;

		text_init(&word, list, strlen(line));
		at = take_word(&word, at);
		if (!at) {
			talloc_free(list);
			return err_set(err, CAT_CONFIGURATION,
			    "a quote or a backslash at the end of the command is open");
		}
		list = mem_grow(ctx, list, char *, n + 2);
		list[n++] = word.data;
		list[n] = NULL;
	}
	if (n == 0) {
		talloc_free(list);
		return err_set(err, CAT_CONFIGURATION, "the command has no word");
	}
	*words = list;
	return 0;
}
