/* SPDX-License-Identifier: PostgreSQL */
#include "core/sqleffect.h"

#include "base/macros.h"

static const struct {
	const char *word;
	enum sqleffect_kind kind;
} kinds[] = {
	{ "table", SQLEFFECT_RELATION },
	{ "view", SQLEFFECT_RELATION },
	{ "sequence", SQLEFFECT_RELATION },
	{ "index", SQLEFFECT_RELATION },
	{ "schema", SQLEFFECT_SCHEMA },
	{ "domain", SQLEFFECT_TYPE },
	{ "type", SQLEFFECT_TYPE },
};

static enum sqleffect_kind
accept_kind(struct sqlwords *words)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (sqlwords_accept(words, kinds[i].word))
			return kinds[i].kind;
	return SQLEFFECT_UNKNOWN;
}

/* The kind, where its name can be read. */
static void
take_name(struct sqlwords *words, enum sqleffect_kind kind, struct sqleffect *out)
{
	if (kind != SQLEFFECT_UNKNOWN &&
	    sqlwords_accept_name(words, out->schema, out->name))
		out->kind = kind;
}

static void
of_create(struct sqlwords *words, struct sqleffect *out)
{
	enum sqleffect_kind kind;

	if (sqlwords_accept_two(words, "or", "replace")) {
		out->kind = SQLEFFECT_HARMLESS;
		return;
	}
	kind = accept_kind(words);
	if (sqlwords_accept_three(words, "if", "not", "exists"))
		out->kind = SQLEFFECT_HARMLESS;
	else if (kind != SQLEFFECT_SCHEMA || !sqlwords_accept(words, "authorization"))
		take_name(words, kind, out);
}

/* Of several the first tells of none of the others. */
static void
of_drop(struct sqlwords *words, struct sqleffect *out)
{
	enum sqleffect_kind kind;

	sqlwords_accept(words, "materialized");
	kind = accept_kind(words);
	out->gone = true;
	if (sqlwords_accept_two(words, "if", "exists"))
		out->kind = SQLEFFECT_HARMLESS;
	else
		take_name(words, kind, out);
	if (sqltoken_is_char(&words->now, ','))
		out->kind = SQLEFFECT_UNKNOWN;
}

/* The part of a table, a column or a constraint. */
static void
take_part(struct sqlwords *words, enum sqleffect_kind kind, struct sqleffect *out)
{
	char unused[SQLWORDS_NAME];

	if (sqlwords_accept_name(words, unused, out->part))
		out->kind = kind;
}

static void
of_add(struct sqlwords *words, struct sqleffect *out)
{
	static const char *const unnamed[] = { "primary", "unique", "check", "foreign",
		"exclude" };

	if (sqlwords_accept(words, "constraint")) {
		take_part(words, SQLEFFECT_CONSTRAINT, out);
		return;
	}
	if (sqlwords_accept_one_of(words, unnamed, ARRAY_SIZE(unnamed)))
		return;
	sqlwords_accept(words, "column");
	if (sqlwords_accept_three(words, "if", "not", "exists"))
		out->kind = SQLEFFECT_HARMLESS;
	else
		take_part(words, SQLEFFECT_COLUMN, out);
}

static void
of_drop_part(struct sqlwords *words, struct sqleffect *out)
{
	bool constraint = sqlwords_accept(words, "constraint");

	if (!constraint)
		sqlwords_accept(words, "column");
	out->gone = true;
	if (sqlwords_accept_two(words, "if", "exists"))
		out->kind = SQLEFFECT_HARMLESS;
	else
		take_part(
		    words, constraint ? SQLEFFECT_CONSTRAINT : SQLEFFECT_COLUMN, out);
}

/* SET and DROP of a default or NOT NULL; a TYPE may come with a USING that computes. */
static void
of_alter_column(struct sqlwords *words, struct sqleffect *out)
{
	char unused[2][SQLWORDS_NAME];

	sqlwords_accept(words, "column");
	if (!sqlwords_accept_name(words, unused[0], unused[1]))
		return;
	if (sqlwords_accept(words, "set") && sqltoken_is(&words->now, "data"))
		return;
	if (!sqltoken_is(&words->now, "type"))
		out->kind = SQLEFFECT_HARMLESS;
}

/* To its new name. */
static void
of_rename(struct sqlwords *words, struct sqleffect *out)
{
	bool constraint = sqlwords_accept(words, "constraint");
	char unused[2][SQLWORDS_NAME];

	if (sqlwords_accept(words, "to")) {
		if (sqlwords_accept_name(words, unused[0], out->name))
			out->kind = SQLEFFECT_RELATION;
		return;
	}
	if (!constraint)
		sqlwords_accept(words, "column");
	if (sqlwords_accept_name(words, unused[0], unused[1]) &&
	    sqlwords_accept(words, "to"))
		take_part(
		    words, constraint ? SQLEFFECT_CONSTRAINT : SQLEFFECT_COLUMN, out);
}

/* Whether a comma outside of parentheses follows: another action. */
static bool
has_more(struct sqlwords words)
{
	int depth = 0;

	for (; !sqlwords_is_end(&words); sqlwords_advance(&words)) {
		depth += words.now.kind == SQLTOKEN_OPEN_PAREN;
		depth -= words.now.kind == SQLTOKEN_CLOSE_PAREN;
		if (depth == 0 && sqltoken_is_char(&words.now, ','))
			return true;
	}
	return false;
}

static void
of_alter_table(struct sqlwords *words, struct sqleffect *out)
{
	static const char *const harmless[] = { "validate", "owner" };

	/* "ALTER TABLE async ADD" is about a table of that name */
	sqlwords_accept_two(words, "if", "exists");
	sqlwords_accept(words, "only");
	if (!sqlwords_accept_name(words, out->schema, out->name))
		return;
	if (has_more(*words))
		return;
	if (sqlwords_accept(words, "add"))
		of_add(words, out);
	else if (sqlwords_accept(words, "drop"))
		of_drop_part(words, out);
	else if (sqlwords_accept(words, "alter"))
		of_alter_column(words, out);
	else if (sqlwords_accept(words, "rename"))
		of_rename(words, out);
	else if (sqlwords_accept_one_of(words, harmless, ARRAY_SIZE(harmless)))
		out->kind = SQLEFFECT_HARMLESS;
	/* "ALTER TABLE ASYNC t VALIDATE CONSTRAINT c" */
	else if (sqlwords_accept_name(words, out->schema, out->name) &&
	    sqlwords_accept(words, "validate"))
		out->kind = SQLEFFECT_HARMLESS;
}

void
sqleffect_of(const char *text, size_t len, struct sqleffect *out)
{
	static const char *const harmless[] = { "grant", "revoke", "comment", "analyze",
		"refresh", "truncate" };
	struct sqlwords words = { .reader = { .text = text, .len = len } };

	*out = (struct sqleffect){ .kind = SQLEFFECT_UNKNOWN };
	sqlwords_advance(&words);
	if (sqlwords_accept_one_of(&words, harmless, ARRAY_SIZE(harmless)))
		out->kind = SQLEFFECT_HARMLESS;
	else if (sqlwords_accept(&words, "create"))
		of_create(&words, out);
	else if (sqlwords_accept(&words, "drop"))
		of_drop(&words, out);
	else if (sqlwords_accept_two(&words, "alter", "table"))
		of_alter_table(&words, out);
}
