/* SPDX-License-Identifier: PostgreSQL */
#include "core/script.h"

/*
 * What a run asks of a script that is made: how a segment begins, how a statement is known.
 */

void
script_digest(const struct script_statement *statement, char hex[DIGEST_HEX])
{
	digest_sha256_hex(statement->text, statement->len, hex);
}

void
script_add_opening(const struct script *script, size_t segment, struct text *sql)
{
	const struct script_segment *to = &script->segments[segment];

	if (to->modes != NULL) {
		text_add(sql, "SET TRANSACTION ");
		text_add_bytes(sql, to->modes, to->modes_len);
		text_add(sql, ";\n");
	}
	for (size_t i = 0; i < to->first; i++) {
		const struct script_statement *statement = &script->statements[i];

		if (!statement->class.sets_session)
			continue;
		/* in a line of its own: the last of a part may have no semicolon */
		text_add_bytes(sql, statement->text, statement->len);
		text_add(sql, ";\n");
	}
}
