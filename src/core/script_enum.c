/* SPDX-License-Identifier: PostgreSQL */
#include "core/script_enum.h"

#include <string.h>
#include <strings.h>

#include "core/sqltoken.h"

/* Whether `word` is in the text, in whatever case: rather too often than not. */
static bool
mentions(const char *text, const char *end, const char *word, size_t len)
{
	for (; len <= (size_t)(end - text); text++) {
		if (strncasecmp(text, word, len) == 0)
			return true;
	}
	return false;
}

/* Whether the file names it in this statement or behind. */
static bool
is_mentioned(const struct migration *m, const struct script_statement *from,
    const char *word, size_t len)
{
	const char *text = from->text;

	for (size_t i = from->part; i < m->n_parts; i++) {
		const struct part *part = &m->parts[i];

		if (mentions(i == from->part ? text : part->text, part->text + part->len,
			word, len))
			return true;
	}
	return false;
}

bool
script_uses_enum_value(const struct migration *m, const struct script_statement *value,
    const struct script_statement *from)
{
	struct sqltoken_reader reader = { .text = value->text, .len = value->len };
	const char *type = value->class.name;
	struct sqltoken label;

	do
		label = sqltoken_next(&reader);
	while (label.kind != SQLTOKEN_STRING && label.kind != SQLTOKEN_END);
	/* E'' and $$$$ are not worth the trouble */
	if (label.len < 2 || label.text[0] != '\'')
		return true;
	return is_mentioned(m, from, label.text + 1, label.len - 2) ||
	    is_mentioned(m, from, type, strlen(type));
}
