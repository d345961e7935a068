/* SPDX-License-Identifier: PostgreSQL */
#include "core/script_enum.h"

#include <string.h>
#include <strings.h>

#include "core/sqltoken.h"

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/*
 * Whether the piece is in the text, in whatever case; `whole`: not as a part of a
 * longer name.
 */
static bool
mentions(const char *text, size_t text_len, const char *piece, size_t len, bool whole)
{
	for (size_t i = 0; i + len <= text_len; i++) {
		if (strncasecmp(text + i, piece, len) != 0)
			continue;
		if (!whole ||
		    ((i == 0 || !is_name_byte(text[i - 1])) &&
			(i + len == text_len || !is_name_byte(text[i + len]))))
			return true;
	}
	return false;
}

/* Whether the file has it in this statement or behind. */
static bool
is_mentioned(const struct migration *m, const struct script_statement *from,
    const char *piece, size_t len, bool whole)
{
	for (size_t i = from->part; i < m->n_parts; i++) {
		const struct part *part = &m->parts[i];
		size_t skip = i == from->part ? from->offset : 0;

		if (mentions(part->text + skip, part->len - skip, piece, len, whole))
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
	return is_mentioned(m, from, label.text + 1, label.len - 2, false) ||
	    is_mentioned(m, from, type, strlen(type), true);
}
